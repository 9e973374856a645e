"""Intervals for what a run measured. Needs no torch."""
