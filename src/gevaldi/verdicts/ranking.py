"""Which of several classifiers may be the best, and their ranks, from the intervals of all differences between two of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gevaldi.statistics.intervals import Estimate


@dataclass(frozen=True)
class Ranking:
    """Several classifiers in order.

    Attributes:
        scores: for each, the estimate of its score minus the mean of all scores.
        ranks: for each, the best and the worst rank that the intervals leave, from 1.
        candidates: the places of those that may be the best.
        open_pairs: pairs of candidates of which the better one is not known.
        is_decided: whether the best is known, or all candidates are within the margin of each other.
    """

    scores: tuple[float, ...]
    ranks: tuple[tuple[int, int], ...]
    candidates: tuple[int, ...]
    open_pairs: tuple[tuple[int, int], ...]
    is_decided: bool

    @classmethod
    def of(cls, count: int, differences: Mapping[tuple[int, int], Estimate], margin: float = 0.0) -> "Ranking":
        """From the difference, second minus first, of every pair; the intervals hold together."""
        value = np.zeros((count, count))
        loses = np.zeros((count, count), dtype=bool)  # to whom
        for (i, j), own in differences.items():
            value[j, i] = own.value if own.value == own.value else (own.low + own.high) / 2
            value[i, j] = -value[j, i]
            loses[i, j], loses[j, i] = own.low > 0, own.high < 0
        candidates = tuple(np.flatnonzero(~loses.any(1)).tolist())
        among = {pair: own for pair, own in differences.items() if set(pair) <= set(candidates)}
        open_pairs = tuple(pair for pair, own in among.items() if max(-own.low, own.high) > margin)
        ranks = tuple((1 + int(loses[i].sum()), count - int(loses[:, i].sum())) for i in range(count))
        return cls(tuple((value.sum(1) / count).tolist()), ranks, candidates, open_pairs, not open_pairs)

    @property
    def order(self) -> list[int]:
        """The classifiers by estimated score, best first."""
        return sorted(range(len(self.scores)), key=lambda i: -self.scores[i])
