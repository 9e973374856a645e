"""Runs to pages. Needs no torch, so that a report can be made on any machine, years later."""
