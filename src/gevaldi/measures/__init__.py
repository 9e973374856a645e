"""Rows to numbers. Needs no torch."""
