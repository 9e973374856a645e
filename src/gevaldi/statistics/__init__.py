"""Intervals for the measurements of a run. Needs no torch."""
