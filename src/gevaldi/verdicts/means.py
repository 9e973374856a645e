"""Each classifier's mean score on the whole pool, as far as labels of all its pictures say.

No statistics: a mean is known if every picture has a label, and otherwise within what the pictures without one can change.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.evidence import UNKNOWN
from gevaldi.verdicts.final import final_answers
from gevaldi.verdicts.labels import truth_of
from gevaldi.verdicts.scores import Score

NO_LABEL = -3

Places = Int[np.ndarray, " pictures"]
Values = Float[np.ndarray, " pictures"]


@dataclass(frozen=True)
class Means:
    """The mean of the first score for each classifier. Labels are taken for true.

    Attributes:
        bounds: the least and the largest mean, in the order of the classifiers; empty while agreed pictures have no label, and
            before a budget is spent, since they would be an early look.
        agreed: how many pictures need no label, since all classifiers score alike on them.
        missing: how many of these have none.
    """

    bounds: tuple[tuple[float, float], ...]
    agreed: int
    missing: int


def means(verdict: Assessment) -> Means:
    """The mean score of each classifier on the pool of a verdict."""
    places, excluded = _certain_classes(verdict)
    agreed = np.ones(len(places), dtype=bool)
    agreed[verdict.disputed] = False
    missing = int((places[agreed] == NO_LABEL).sum())
    if missing or verdict.main.is_early:
        return Means((), int(agreed.sum()), missing)
    score, size = verdict.questions[0].score, len(places)
    ends = [_ends(score, own.top, places, excluded) for own in verdict.pool.predictions]
    return Means(tuple((float(low.sum()) / size, float(high.sum()) / size) for low, high in ends), int(agreed.sum()), missing)


def _certain_classes(verdict: Assessment) -> tuple[Places, dict[int, frozenset[int]]]:
    """What pictures show, as `Truth` has it, or `NO_LABEL`; and which classes unclear ones do not show."""
    pool = verdict.pool
    places = np.full(len(pool), NO_LABEL)
    if verdict.uses_truth and pool.truth is not None:
        places = np.where(pool.truth >= 0, pool.truth, NO_LABEL).astype(int)
    places[verdict.disputed] = NO_LABEL
    counted = final_answers(verdict.answers.all(), verdict.settings.several)
    at = pc.index_in(pa.array(list(counted), pool.ids.type), value_set=pool.ids).to_pylist()
    truths = {place: truth_of(one, verdict.class_places) for place, one in zip(at, counted.values(), strict=True)}
    truths |= verdict.truths
    for place, truth in truths.items():
        places[place] = truth.place
    return places, {place: truth.excluded for place, truth in truths.items()}


def _ends(
    score: Score, tops: Int[np.ndarray, "pictures depth"], places: Places, excluded: dict[int, frozenset[int]]
) -> tuple[Values, Values]:
    """The least and the largest score of each answer; 0 and 1 without a label."""
    known, foreign = score.of_truth(tops, np.maximum(places, 0)), score.of_foreign(tops)
    low, high = (np.where(places >= 0, known, np.nan_to_num(foreign, nan=end)) for end in (0.0, 1.0))
    low[places == NO_LABEL], high[places == NO_LABEL] = 0.0, 1.0
    for i in np.flatnonzero(places == UNKNOWN).tolist():
        possible = np.delete(score.outcomes(tops[[i]])[0], list(excluded[i]))
        low[i], high[i] = min([*possible, low[i]]), max([*possible, high[i]])
    return low, high
