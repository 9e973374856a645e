"""How the samples of a run went: bands over their paths, of any number of samples in the same memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BITS = 8  # of a number's 32 that one reading settles
READINGS = 32 // BITS
"""How often a `Quantiles` has to be given all paths."""


@dataclass(frozen=True)
class Band:
    """A line and the band around it, at the start and after every step, over all samples."""

    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def within(self, low: float, high: float) -> "Band":
        """The same between bounds that no value can leave."""
        return Band(*(np.clip(values, low, high) for values in (self.middle, self.low, self.high)))

    def extended(self, length: int) -> "Band":
        """The same with its last values kept up to a length."""
        return Band(*(np.pad(values, (0, length - len(values)), mode="edge") for values in (self.middle, self.low, self.high)))


@dataclass(frozen=True)
class Paths:
    """Some paths of different lengths, one after the other.

    Attributes:
        values: of all of them.
        lengths: of each, none of them zero.
    """

    values: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, paths: Iterable[Any]) -> "Paths":
        """Paths that lie apart, without empty ones."""
        found = [np.asarray(path) for path in paths if len(path)]
        return cls(np.concatenate([np.zeros(0, np.float32), *found]), np.array([len(path) for path in found], dtype=int))

    @property
    def longest(self) -> int:
        """The length of the longest; 0 if there are none."""
        return int(self.lengths.max(initial=0))

    def finite(self) -> "Paths":
        """Those that hold nothing but numbers."""
        bad = ~np.isfinite(self.values)
        if not bad.any():
            return self
        row = np.repeat(np.arange(len(self.lengths)), self.lengths)
        kept = np.bincount(row, weights=bad, minlength=len(self.lengths)) == 0
        return Paths(self.values[kept[row]], self.lengths[kept])

    def filled(self, length: int) -> np.ndarray:
        """As an array (samples, length): one that stopped keeps its last value to the end."""
        begin = np.cumsum(self.lengths) - self.lengths
        place: np.ndarray = begin[:, None] + np.minimum(np.arange(length), self.lengths[:, None] - 1)
        values: np.ndarray = self.values[place]
        return values


@dataclass
class Means:
    """The mean of each step over all paths, and its 95 % interval: for quantities that take few different values."""

    count: int = 0
    middle: np.ndarray = field(default_factory=lambda: np.zeros(0))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(0))  # the sum of squares around the mean

    def add(self, paths: Paths) -> None:
        """Some more paths, whose mean and squares are joined with those so far [Chan, Golub and LeVeque 1979]."""
        if not len(paths.lengths):
            return
        length = max(len(self.middle), paths.longest)
        self.middle, self.squares = (_longer(values, length) for values in (self.middle, self.squares))
        values = paths.filled(length).astype(float)
        own, number = values.mean(0), len(values)
        apart, together = own - self.middle, self.count + number
        self.squares = self.squares + ((values - own) ** 2).sum(0) + apart**2 * (self.count * number / together)
        self.middle = self.middle + apart * (number / together)
        self.count = together

    def band(self) -> Band:
        """The mean and its 95 % interval, NaN for a single path."""
        from scipy.special import stdtrit

        half = np.full_like(self.middle, np.nan)
        if self.count > 1:
            half = stdtrit(self.count - 1, 0.975) * np.sqrt(self.squares / (self.count - 1)) / np.sqrt(self.count)
        return Band(self.middle, self.middle - half, self.middle + half)


class Quantiles:
    """Exact quantiles of each step over all paths, of which nothing but counts is kept.

    A quantile lies between two of the values in their order. Each of these is found as a word in a dictionary: the first reading of
    all paths counts the values by their first eight bits, which tells the first eight bits of those looked for; the next counts the
    values that begin so by their next eight; after `READINGS` of them all 32 bits are known. That takes 256 counts a step for each,
    however many paths there are.

        for _ in range(READINGS):
            for paths in all_of_them(): quantiles.add(paths)
            quantiles.turn()
    """

    def __init__(self, shares: Sequence[float] = (0.1, 0.5, 0.9)) -> None:
        self._shares = np.array(shares)
        self._count, self._settled = 0, 0  # paths, and bits that are known
        self._counts = np.zeros((1, 0, 1 << BITS), np.int32)  # (looked for, steps, digits)
        self._known = np.zeros((1, 0), np.uint32)
        self._ranks = np.zeros((1, 0), int)

    def add(self, paths: Paths) -> None:
        """Count some more paths."""
        if not len(paths.lengths):
            return
        if self._settled == 0:
            self._count += len(paths.lengths)
            self._counts = _longer(self._counts, max(self._counts.shape[1], paths.longest))
        looked_for, length, digits = self._counts.shape
        bits = _in_order(paths.filled(length).astype(np.float32, copy=False))
        begins = bits >> np.uint32(32 - self._settled) if self._settled else np.zeros_like(bits)
        digit = (bits >> np.uint32(32 - BITS - self._settled)) & np.uint32(digits - 1)
        place = np.arange(length) * digits + digit
        for i in range(looked_for):
            met = place[begins == self._known[i]] if self._settled else place.ravel()
            self._counts[i] += np.bincount(met, minlength=length * digits).reshape(length, digits)

    def turn(self) -> None:
        """All paths have been given once more."""
        if self._settled == 0:
            below = np.floor(self._shares * (self._count - 1)).astype(int)
            ranks = np.stack([below, np.minimum(below + 1, self._count - 1)], 1).ravel()
            self._ranks = np.repeat(ranks[:, None], self._counts.shape[1], 1)
            self._counts = np.repeat(self._counts, len(ranks), 0)
            self._known = np.zeros(self._ranks.shape, np.uint32)
        upto = self._counts.cumsum(-1)
        digit = (upto <= self._ranks[..., None]).sum(-1)
        before = np.take_along_axis(upto - self._counts, digit[..., None], -1)[..., 0]
        self._ranks = self._ranks - before
        self._known = (self._known << np.uint32(BITS)) | digit.astype(np.uint32)
        self._settled += BITS
        self._counts = np.zeros_like(self._counts)

    def band(self) -> Band:
        """The median, and the band between the outer two of three shares."""
        values = _from_order(self._known).astype(float)
        below, above = values[0::2], values[1::2]
        part = self._shares * (self._count - 1) % 1
        low, middle, high = below + (above - below) * part[:, None]
        return Band(middle, low, high)


def _longer(values: np.ndarray, length: int) -> np.ndarray:
    """Counts or sums by step (the last axis but one, or the only one) with those of the last step kept up to a length."""
    axis = max(0, values.ndim - 2)
    missing = length - values.shape[axis]
    if not missing:
        return values
    if not values.shape[axis]:
        return np.zeros((*values.shape[:axis], length, *values.shape[axis + 1 :]), values.dtype)
    return np.concatenate([values, np.repeat(values.take([-1], axis), missing, axis)], axis)


def _in_order(values: np.ndarray) -> np.ndarray:
    """Numbers of 32 bits as whole ones in the same order."""
    bits = (values + np.float32(0)).view(np.uint32)  # which makes -0 the same as 0
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))


def _from_order(bits: np.ndarray) -> np.ndarray:
    """The numbers again."""
    back: np.ndarray = np.where(bits >> np.uint32(31), bits & np.uint32((1 << 31) - 1), ~bits).astype(np.uint32)
    return back.view(np.float32)


def filled(paths: Sequence[Any], length: int | None = None) -> np.ndarray:
    """Paths of different lengths as an array (samples, steps): one that stopped keeps its last value to the end, or to `length`."""
    length = length or max(len(path) for path in paths)
    return np.stack([np.concatenate([path, np.full(length - len(path), path[-1])]) for path in paths])


def band(paths: Sequence[Any], length: int | None = None) -> Band:
    """The median, and the band from 10 to 90 % of the samples, of paths of different lengths."""
    found, given = Quantiles(), Paths.of(paths)
    for _ in range(READINGS):
        found.add(given)
        found.turn()
    return found.band().extended(length or given.longest)


def mean_band(paths: Sequence[Any], length: int | None = None) -> Band:
    """The mean and its 95 % interval, NaN for a single path: for quantities that take few different values."""
    found, given = Means(), Paths.of(paths)
    found.add(given)
    return found.band().extended(length or given.longest)
