"""How many more labels a decision needs, if those to come are like those that came."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gevaldi.statistics.betting import wealth

FUTURES = 64  # continuations that are drawn
CELLS = 4_000_000  # most values of all of them together
SPLITS = (0.8, 2 / 3, 0.6)


@dataclass(frozen=True)
class Forecast:
    """How many more labels a decision needs.

    Attributes:
        labels: the median over the continuations.
        low, high: the range of the middle 80 % of them.
        most: all labels that are left, after which the difference is known exactly.
    """

    labels: int
    low: int
    high: int
    most: int


def forecast(values: Float[np.ndarray, " seen"], size: int, totals: Sequence[float], miss: float, seed: int = 0) -> Forecast:
    """The number of labels until an interval lies on one side of each of some totals.

    The values left are drawn from those seen and one more each of 0, 1/2 and 1, with random weights (Bayesian bootstrap).

    Args:
        values: seen so far, in order.
        size: N, the number of all values.
        totals: of all N, between which the interval has to separate.
        miss: of the interval.
        seed: of the draws.
    """
    rng, seen, left = np.random.default_rng(seed), len(values), size - len(values)
    if left == 0:
        return Forecast(0, 0, 0, 0)
    futures = max(8, min(FUTURES, CELLS // (23 * size)))
    likely = np.concatenate([values, [0.0, 0.5, 1.0]])
    weights = rng.dirichlet(np.r_[np.ones(seen), np.full(3, 1 / 3)], size=futures)
    ahead = min(left, max(1, CELLS // (23 * futures)))
    drawn = np.stack([rng.choice(likely, size=ahead, p=row) for row in weights])
    return _quantiles(_stops(np.concatenate([np.tile(values, (futures, 1)), drawn], axis=1), size, totals, miss) - seen, left)


def expected_by_split(size: int, totals: Sequence[float], miss: float, seed: int = 0) -> list[tuple[float, int]]:
    """Before the first label: how many are needed if such a share of the disputed pictures goes to one side, for some shares."""
    rng = np.random.default_rng(seed)
    futures, ahead = 32, min(size, CELLS // (23 * 32))
    return [
        (share, int(np.median(_stops((rng.random((futures, ahead)) < share).astype(float), size, totals, miss))))
        for share in SPLITS
    ]


def _stops(values: Float[np.ndarray, "futures labels"], size: int, totals: Sequence[float], miss: float) -> np.ndarray:
    """After how many labels the interval of each row separates from all totals; `size` if not within the row."""
    last = np.zeros(len(values), dtype=int)
    for total in totals:
        apart = (wealth(values, size, total) >= 2 / miss) | (wealth(1 - values, size, size - total) >= 2 / miss)
        last = np.maximum(last, np.where(apart.any(1), apart.argmax(1) + 1, size))
    return last


def _quantiles(needed: np.ndarray, left: int) -> Forecast:
    low, middle, high = np.quantile(np.clip(needed, 0, left), [0.1, 0.5, 0.9], method="closest_observation").astype(int)
    return Forecast(int(middle), int(low), int(high), left)
