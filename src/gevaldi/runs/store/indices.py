"""Sets of samples, as one flag a sample, so that what is known of a run of any size stays small."""

from collections.abc import Iterable, Iterator, MutableSet

import numpy as np


class Indices(MutableSet[int]):
    """Numbers from 0: a set in every way, in one byte for each number up to the largest that is expected, or met."""

    def __init__(self, expected: int, indices: Iterable[int] = ()) -> None:
        self._there = np.zeros(expected, dtype=bool)
        for index in indices:
            self.add(index)

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int | np.integer) and bool(0 <= index < len(self._there) and self._there[index])

    def __iter__(self) -> Iterator[int]:
        return (int(index) for index in np.flatnonzero(self._there))

    def __len__(self) -> int:
        return int(np.count_nonzero(self._there))

    def add(self, index: int) -> None:
        """Put one in."""
        self.fresh(np.array([index]))

    def copy(self) -> "Indices":
        """The same numbers, in a set of their own."""
        other = Indices(0)
        other._there = self._there.copy()
        return other

    def discard(self, index: int) -> None:
        """Take one out, if it is there."""
        if index in self:
            self._there[index] = False

    def fresh(self, indices: np.ndarray) -> np.ndarray:
        """Which of some indices are met for the first time, also among themselves; they are in the set from then on."""
        if (more := int(indices.max(initial=-1)) + 1 - len(self._there)) > 0:
            self._there = np.pad(self._there, (0, more))
        first = np.zeros(len(indices), dtype=bool)
        first[np.unique(indices, return_index=True)[1]] = True
        found: np.ndarray = first & ~self._there[indices]
        self._there[indices] = True
        return found

    @classmethod
    def _from_iterable(cls, it: Iterable[int]) -> set[int]:  # type: ignore[override]
        return set(it)  # what &, | and - give
