"""Which of several classifiers may be the best, and their ranks, from the intervals of all differences between two of them.

Ranks and the set of those that may be the best rest on labels alone. The order within it is an estimate, for which the classifiers'
majority vote stands in for the labels that are missing, as a control variate [Angelopoulos 2023]: it needs about half the labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from gevaldi.predictions.base import Predictions
from gevaldi.verdicts.evidence import Evidence, Truth

Pair = tuple[int, int]


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
    def of(
        cls, count: int, estimates: Mapping[Pair, float], intervals: Mapping[Pair, tuple[float, float]], margin: float = 0.0
    ) -> "Ranking":
        """From the difference, second minus first, of every pair; the intervals hold together."""
        value = np.zeros((count, count))
        loses = np.zeros((count, count), dtype=bool)  # to whom
        for (i, j), (low, high) in intervals.items():
            value[j, i], value[i, j] = estimates[i, j], -estimates[i, j]
            loses[i, j], loses[j, i] = low > 0, high < 0
        for k in range(count):  # who loses to k also loses to those to whom k loses
            loses |= loses[:, [k]] & loses[[k]]
        candidates = tuple(np.flatnonzero(~loses.any(1)).tolist())
        among = {pair: ends for pair, ends in intervals.items() if set(pair) <= set(candidates)}
        open_pairs = tuple(pair for pair, (low, high) in among.items() if max(-low, high) > margin)
        ranks = tuple((1 + int(loses[i].sum()), count - int(loses[:, i].sum())) for i in range(count))
        return cls(tuple((value.sum(1) / count).tolist()), ranks, candidates, open_pairs, not open_pairs)

    @property
    def order(self) -> list[int]:
        """The classifiers by estimated score, best first."""
        return sorted(range(len(self.scores)), key=lambda i: -self.scores[i])


def estimates_by_vote(evidence: Mapping[Pair, Evidence], predictions: Sequence[Predictions], classes: int) -> dict[Pair, float]:
    """The estimated difference of every pair, corrected by the majority vote.

    With y a value from a label and q the value if the vote were right, the mean of y over the disputed pictures is estimated by
    that over the labelled ones plus β (mean of q over all - mean of q over the labelled ones). β is the slope of y on q within
    pairs, the same for all. Without labels the estimate is 0.
    """
    labelled = {pair: (own.low[: own.used] + own.high[: own.used]) / 2 for pair, own in evidence.items()}
    if_right = {}
    for pair, own in evidence.items():
        votes = [Truth(vote) for vote in majority(predictions, own.places, classes).tolist()]
        if_right[pair] = own.values(own.places, votes, predictions)[0]
    slope = _slope([(values, if_right[pair][: len(values)]) for pair, values in labelled.items()])
    found = dict.fromkeys(evidence, 0.0)
    for pair, values in labelled.items():
        if len(values):
            mean = values.mean() + slope * (if_right[pair].mean() - if_right[pair][: len(values)].mean())
            found[pair] = float(2 * mean - 1) * evidence[pair].disputed / evidence[pair].size
    return found


def _slope(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    centred = [(y - y.mean(), q - q.mean()) for y, q in pairs if len(y)]
    squares = sum(float((q**2).sum()) for _, q in centred)
    return sum(float((y * q).sum()) for y, q in centred) / squares if squares else 0.0


def majority(predictions: Sequence[Predictions], places: Int[np.ndarray, " some"], classes: int) -> Int[np.ndarray, " some"]:
    """The class that most classifiers name for each of some pictures; of equally many, the first."""
    counts = np.zeros((len(places), classes + 1), dtype=np.int32)
    for own in predictions:
        counts[np.arange(len(places)), own.top[places, 0]] += 1
    return np.asarray(counts[:, :-1].argmax(1))
