"""The opinion of a third classifier where two differ, with its own accuracy: it may be wrong. Needs no torch."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

COUNTS = ("right", "known", "read", "asked", "read_probable", "asked_probable")
UNSURE = 0.5  # the probability of its top class below which it is not counted on either side


@dataclass(frozen=True)
class Sides:
    """Counts of pictures on which two differ: a third names the first's class, the second's, another one, or is unsure."""

    first: int = 0
    second: int = 0
    neither: int = 0
    unsure: int = 0

    @property
    def total(self) -> int:
        """The number of pictures on which the two differ."""
        return self.first + self.second + self.neither + self.unsure


@dataclass(frozen=True)
class Opinion:
    """A third classifier's opinion on a run.

    Attributes:
        name: the name of the classifier.
        right, known: the number of real pictures on which it is right, and the number with a class that it knows.
        real: its sides on real pictures on which the two differ.
        start, end: the same on samples before and after the search.
        read, asked: the number of those after the search on which it names the requested class, and the number that have one that
            is a class of the two.
        read_probable, asked_probable: the same of most probable disagreements.
    """

    name: str
    right: int
    known: int
    real: Sides
    start: Sides
    end: Sides
    read: int = 0
    asked: int = 0
    read_probable: int = 0
    asked_probable: int = 0

    def as_json(self, digest: str) -> str:
        """The content of `referee.json`, with the SHA-256 of the run's record."""
        parts = {key: vars(getattr(self, key)) for key in ("real", "start", "end")}
        counts = {key: getattr(self, key) for key in COUNTS}
        return json.dumps({"run": digest, "name": self.name} | counts | parts, indent=2)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Opinion":
        """Read it back.

        Raises:
            KeyError, TypeError, ValueError: it is no such record.
        """
        parts: dict[str, Any] = {
            key: Sides(**{name: _count(count) for name, count in found[key].items()}) for key in ("real", "start", "end")
        }
        parts |= {key: _count(found.get(key, 0)) for key in COUNTS}
        return cls(name=str(found["name"]), **parts)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def sides(answers: Iterable[tuple[bool, bool, float]]) -> Sides:
    """Counted over pictures: whether its top class is the first's, whether it is the second's, and its probability."""
    counts = dict.fromkeys(("first", "second", "neither", "unsure"), 0)
    for first, second, probability in answers:
        counts["unsure" if probability < UNSURE else "first" if first else "second" if second else "neither"] += 1
    return Sides(**counts)
