"""Who shows the progress of classifying a pool."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Watch(Protocol):
    """Shows progress, as `gevaldi.progress.Bar` does."""

    def rows(self, done: int, total: int) -> None:
        """Show how many pictures are finished."""

    def working(self, side: str) -> None:
        """Show what happens now."""


class Silent:
    """Shows nothing."""

    def rows(self, done: int, total: int) -> None:
        """Nothing."""

    def working(self, side: str) -> None:
        """Nothing."""
