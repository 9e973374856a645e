"""Names of pictures that tell a labeller nothing of their sample."""

from collections.abc import Iterable
from hashlib import sha256

NOT_CLASSES = ("neither", "cannot tell")
"""Answers of a labeller that name no class."""


def blind_name(run: str, index: int, stage: str) -> str:
    """A picture's name by the identity of its run: a letter, which no program takes for a number, and 15 hexadecimal digits.

    Sorted by them, pictures are in random order.
    """
    return "p" + sha256(f"{run} {index} {stage}".encode()).hexdigest()[:15]


def by_blind_name(run: str, indices: Iterable[int]) -> dict[str, tuple[int, str]]:
    """The samples and stages of a run's pictures by their blind names."""
    return {blind_name(run, index, stage): (index, stage) for index in indices for stage in ("start", "end", "probable")}
