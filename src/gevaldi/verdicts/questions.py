"""A question: a score, over all pictures of a pool or those of a slice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from gevaldi.predictions.base import Pool
from gevaldi.verdicts.scores import Score, score_named
from gevaldi.verdicts.slices import pictures_in


@dataclass(frozen=True)
class Question:
    """By which score, and on which pictures.

    Attributes:
        score: the score.
        where: the slice, as `pictures_in` takes it, such as night/*; empty for all pictures.
        inside: whether each picture of the pool is in it; None if all are.
    """

    score: Score
    where: str = ""
    inside: Bool[np.ndarray, " pictures"] | None = None

    @property
    def name(self) -> str:
        """Such as accuracy, or accuracy on night/*."""
        return f"{self.score.name} on {self.where}" if self.where else self.score.name

    def size(self, pool: Pool) -> int:
        """The number of pictures in question."""
        return len(pool) if self.inside is None else int(self.inside.sum())

    def disputed(self, pool: Pool, first: int, second: int) -> Bool[np.ndarray, " pictures"]:
        """On which pictures in question two classifiers can score differently."""
        differ = self.score.differ(pool.predictions[first].top, pool.predictions[second].top)
        return differ if self.inside is None else differ & self.inside


def questions_of(pool: Pool, scores: Sequence[str], slices: Sequence[str], taxonomy: str = "auto") -> list[Question]:
    """Each score on all pictures, and the first one on each slice.

    Args:
        pool: the pool.
        scores: names of scores; the first one decides.
        slices: of the pool, as `pictures_in` takes them.
        taxonomy: of the score `levels`.

    Raises:
        UnknownName, SpecError, TaxonomyError: a score is unknown or not possible here, or a slice is empty.
        DataError: the table of a slice cannot be read.
    """
    depth = min(own.top.shape[1] for own in pool.predictions)
    found = [score_named(name, pool.classes, depth, taxonomy) for name in scores]
    return [*(Question(score) for score in found), *(Question(found[0], where, pictures_in(pool, where)) for where in slices)]
