"""Sets of samples, as one flag per sample, so that they stay small for runs of any size."""

from collections.abc import Iterable, Iterator, MutableSet

import numpy as np


class Indices(MutableSet[int]):
    """A set of numbers from 0, with one byte for each number up to the largest one expected or added."""

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
        """Add a number."""
        self.fresh(np.array([index]))

    def copy(self) -> "Indices":
        """An independent copy."""
        other = Indices(0)
        other._there = self._there.copy()
        return other

    def discard(self, index: int) -> None:
        """Remove a number if present."""
        if index in self:
            self._there[index] = False

    def fresh(self, indices: np.ndarray) -> np.ndarray:
        """Add indices; returns which of them are new, counting repeats among them only once."""
        if (more := int(indices.max(initial=-1)) + 1 - len(self._there)) > 0:
            self._there = np.pad(self._there, (0, more))
        first = np.zeros(len(indices), dtype=bool)
        first[np.unique(indices, return_index=True)[1]] = True
        new: np.ndarray = first & ~self._there[indices]
        self._there[indices] = True
        return new

    @classmethod
    def _from_iterable(cls, it: Iterable[int]) -> set[int]:  # type: ignore[override]
        return set(it)  # the type of &, | and -
