"""How the samples of a run went: bands over their paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Band:
    """A line and the band around it, at the start and after every step, over all samples."""

    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


def filled(paths: Sequence[Any], length: int | None = None) -> np.ndarray:
    """Paths of different lengths as an array (samples, steps): one that stopped keeps its last value to the end, or to `length`."""
    length = length or max(len(path) for path in paths)
    return np.stack([np.concatenate([path, np.full(length - len(path), path[-1])]) for path in paths])


def band(paths: Sequence[Any], length: int | None = None) -> Band:
    """The median, and the band from 10 to 90 % of the samples, of paths of different lengths."""
    low, median, high = np.nanquantile(filled(paths, length), [0.1, 0.5, 0.9], axis=0)
    return Band(median, low, high)


def mean_band(paths: Sequence[Any], length: int | None = None) -> Band:
    """The mean and its 95 % interval, NaN for a single path: for quantities that take few different values."""
    from scipy.special import stdtrit

    values = filled(paths, length).astype(float)
    middle, count = values.mean(0), len(values)
    half = stdtrit(count - 1, 0.975) * values.std(0, ddof=1) / np.sqrt(count) if count > 1 else np.full_like(middle, np.nan)
    return Band(middle, middle - half, middle + half)
