"""How the samples of a run went: bands over their paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Band:
    """Median and 10 to 90 % band at the start and after every step, over all samples."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(paths: Sequence[Any], length: int | None = None) -> Band:
    """The band of paths of different lengths: a sample that stopped keeps its last value to the end, or to `length`."""
    length = length or max(len(path) for path in paths)
    filled = np.stack([np.concatenate([path, np.full(length - len(path), path[-1])]) for path in paths])
    low, median, high = np.nanquantile(filled, [0.1, 0.5, 0.9], axis=0)
    return Band(median, low, high)
