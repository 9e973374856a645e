"""A run on disk. Needs no torch."""

from gevaldi.runs.store.run import Run

__all__ = ["Run"]
