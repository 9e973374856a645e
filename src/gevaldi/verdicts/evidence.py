"""What labels say of two classifiers by one score: the interval of the difference, and how often the new one is worse or better.

Only pictures on which the two can score differently are labelled: on all others the difference is 0, whatever they show.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from gevaldi.predictions.base import Predictions
from gevaldi.statistics.betting import total_interval
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.sampling import fixed_size_interval, population_interval
from gevaldi.verdicts.label_error import LabelError
from gevaldi.verdicts.scores import Score

FOREIGN, UNKNOWN = -1, -2
"""Places that are no class: the picture shows none of the known ones, or one that is not known."""

DIGITS = 12  # of a difference, so that thirds that add up to nothing are nothing

Values = Float[np.ndarray, " pictures"]


@dataclass(frozen=True)
class Truth:
    """What a picture shows.

    Attributes:
        place: of the class among the known ones; `FOREIGN` if it is none of them, `UNKNOWN` if people cannot tell.
        excluded: of an unknown class: classes that it is not.
    """

    place: int
    excluded: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Flips:
    """Shares of the pool on which the new classifier scores lower than the old one, and higher; with intervals."""

    negative: Estimate
    positive: Estimate


@dataclass
class Evidence:
    """Two classifiers by one score.

    Attributes:
        first, second: the old classifier's place among all, and the new one's.
        score: the score.
        size: N, the number of pictures in question.
        places: of the disputed pictures in the pool, in the order in which they are labelled.
        miss: the probability with which the interval may miss.
        budget: how many of the disputed pictures are labelled, if that was fixed beforehand; None to look after every label.
        error: what is known of wrong labels; None if there are none. They have half of `miss`.
        low, high: what the score of the second minus that of the first, brought from [-1, 1] to [0, 1], is at least and at most;
            NaN for pictures without label.
    """

    first: int
    second: int
    score: Score
    size: int
    places: Int[np.ndarray, " disputed"]
    miss: float
    budget: int | None = None
    error: LabelError | None = None
    low: Values = field(init=False)
    high: Values = field(init=False)
    _truths: "list[Truth | None]" = field(init=False)
    _totals: dict[tuple[str, float], tuple[int, tuple[float, float]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.low = np.full(len(self.places), np.nan)
        self.high = np.full(len(self.places), np.nan)
        self._truths = [None] * len(self.places)

    @property
    def disputed(self) -> int:
        """M, the number of pictures on which the two can score differently."""
        return len(self.places)

    @property
    def used(self) -> int:
        """How many labels count: those before the first picture in the order that has none."""
        missing = np.flatnonzero(np.isnan(self.low[: self.budget]))
        return int(missing[0]) if len(missing) else len(self.low[: self.budget])

    @property
    def waiting(self) -> int:
        """How many labels came out of order: they bound the sum, and count as part of the sample once the order reaches them."""
        return int((~np.isnan(self.low[: self.budget])).sum()) - self.used

    @property
    def labelled(self) -> Int[np.ndarray, " labelled"]:
        """Which disputed pictures have a label, in order or not: their places in the order."""
        return np.flatnonzero(~np.isnan(self.low))

    @property
    def is_complete(self) -> bool:
        """Whether every disputed picture is labelled."""
        return self.used == self.disputed

    @property
    def is_exact(self) -> bool:
        """Whether every disputed picture is labelled, and none is unclear or may be labelled wrongly."""
        return self.is_complete and not self.most_wrong() and bool((self.low == self.high).all())

    @property
    def is_early(self) -> bool:
        """Whether the number of labels that was fixed beforehand is not reached yet."""
        return self.budget is not None and self.used < min(self.budget, self.disputed)

    def most_wrong(self, miss: float | None = None) -> int:
        """How many disputed pictures may be labelled wrongly."""
        return self.error.most_wrong(self.disputed, (self.miss if miss is None else miss) / 2) if self.error else 0

    def beyond_errors(self, totals: Sequence[float]) -> list[float]:
        """For each total, the one from which the labels' interval has to separate so that the true sum is apart from it."""
        wrong, likely = self.most_wrong(), (self.difference().value * self.size + self.disputed) / 2  # NaN without labels
        return [total - wrong if likely < total else total + wrong for total in totals]

    def set_truths(self, truths: Mapping[int, Truth], predictions: Sequence[Predictions]) -> None:
        """Enter what pictures show.

        Args:
            truths: by place in the pool.
            predictions: of all classifiers.
        """
        found = [truths.get(place) for place in self.places.tolist()]
        changed = np.array([one != other for one, other in zip(found, self._truths, strict=True)], dtype=bool)
        if any(before is not None for before, new in zip(self._truths, changed, strict=True) if new):
            self._totals.clear()  # intervals that rest on another answer
        self._truths = found
        self.low[changed] = self.high[changed] = np.nan
        new = [i for i in np.flatnonzero(changed).tolist() if found[i] is not None]
        self.low[new], self.high[new] = self.values(self.places[new], [truth for i in new if (truth := found[i])], predictions)

    def values(
        self, at: Int[np.ndarray, " some"], truths: Sequence[Truth], predictions: Sequence[Predictions]
    ) -> tuple[Values, Values]:
        """The smallest and the largest difference of scores that is possible, brought from [-1, 1] to [0, 1].

        Args:
            at: places of pictures in the pool.
            truths: what they show.
            predictions: of all classifiers.
        """
        tops = [predictions[side].top[at] for side in (self.first, self.second)]
        places = np.array([truth.place for truth in truths], dtype=int)
        foreign = _apart(*(self.score.of_foreign(top) for top in tops))
        known = _apart(*(self.score.of_truth(top, np.maximum(places, 0)) for top in tops))
        low, high = (np.where(places >= 0, known, np.nan_to_num(foreign, nan=end)) for end in (0.0, 1.0))
        unknown = np.flatnonzero(places == UNKNOWN)
        if len(unknown):
            all_classes = _apart(*(self.score.outcomes(top[unknown]) for top in tops))
            for row, i in zip(all_classes, unknown.tolist(), strict=True):
                possible = np.delete(row, list(truths[i].excluded))
                low[i], high[i] = min([*possible, low[i]]), max([*possible, high[i]])
        return low, high

    def interval(self, miss: float | None = None) -> tuple[float, float]:
        """The interval of the difference, second minus first, on the pool: between -M / N and M / N before the first label."""
        if not self.disputed:
            return 0.0, 0.0
        low, high = np.nan_to_num(self.low), np.nan_to_num(self.high, nan=1.0)
        low, high = self._total("difference", low, high, self.miss if miss is None else miss)
        ends = [round((2 * total - self.disputed) / self.size, DIGITS) for total in (low, high)]
        return ends[0], ends[1]

    def difference(self) -> Estimate:
        """The estimate of the difference with its interval; NaN without a label in order, since others may be a choice."""
        ends = self.interval()
        middle = (2 * self._estimate(self.low, self.high) - self.disputed) / self.size if self.disputed else 0.0
        return Estimate(round(float(np.clip(middle, ends[0], ends[1])), DIGITS), *ends, self.used)

    def on_pictures_like_these(self) -> tuple[float, float]:
        """The interval of the difference over all pictures of which the pool is a random sample."""
        equal = int(((self.low == 0.5) & (self.high == 0.5)).sum())
        unequal = min(self.disputed, self.disputed - equal + self.most_wrong(self.miss / 2))
        return population_interval(self.interval(self.miss / 2), unequal, self.size, self.miss)

    def flips(self) -> Flips:
        """How often the new one scores lower, and higher."""
        low, high = np.nan_to_num(self.low), np.nan_to_num(self.high, nan=1.0)
        return Flips(
            self._share("negative", (high < 0.5).astype(float), (low < 0.5).astype(float)),
            self._share("positive", (low > 0.5).astype(float), (high > 0.5).astype(float)),
        )

    def flipped(self) -> dict[str, Int[np.ndarray, " flipped"]]:
        """The places of labelled pictures on which the new one is worse, and better, in the order of labelling."""
        middle, labelled = ((self.low + self.high) / 2)[self.labelled], self.places[self.labelled]
        return {"worse": labelled[middle < 0.5], "better": labelled[middle > 0.5]}

    def path(self, most: int = 200) -> list[tuple[int, float, float]]:
        """The interval after some of the labels used so far: how many, lower and upper end; once more after those out of order."""
        used = self.used
        steps = np.unique(np.linspace(0, used, min(used, most) + 1).round().astype(int))
        if self.budget is not None:
            points = [(0, -self.disputed / self.size, self.disputed / self.size)] + ([(used, *self.interval())] if used else [])
            return [*points, (used, *self.interval())] if self.waiting else points
        points, within = [], None
        wrong, miss = self.most_wrong(), self.miss / 2 if self.error else self.miss
        for step in steps.tolist():
            within = total_interval(self.low[:step], self.high[:step], max(1, self.disputed), miss, within)
            points.append((step, *((2 * end - self.disputed) / self.size for end in self._widened(within, wrong))))
        return [*points, (used, *self.interval())] if self.waiting else points

    def _share(self, name: str, low: Values, high: Values) -> Estimate:
        if not self.disputed:
            return Estimate(0.0, 0.0, 0.0, self.size)
        ends = [end / self.size for end in self._total(name, low, high, self.miss)]
        middle = self._estimate(low, high) / self.size
        return Estimate(float(np.clip(middle, ends[0], ends[1])), ends[0], ends[1], self.used)

    def _estimate(self, low: Values, high: Values) -> float:
        """The sum over the disputed pictures: of all labels, with the mean of those in order for each picture without one."""
        middles = (low + high) / 2
        rest = self.disputed - len(self.labelled)
        return float(middles[self.labelled].sum() + rest * middles[: self.used].mean()) if self.used else float("nan")

    def _total(self, name: str, low: Values, high: Values, miss: float) -> tuple[float, float]:
        """The interval of the true sum over the disputed pictures: what the labels in order show, within what all labels leave."""
        if self.is_early:
            return 0.0, float(self.disputed)
        used, least, most = self.used, math.fsum(low), math.fsum(high)
        sampled = self._labelled(name, low[:used], high[:used], miss / 2 if self.error else miss) if used else (least, most)
        ends = [min(max(end, least), most) for end in sampled]
        return self._widened((ends[0], ends[1]), self.most_wrong(miss))

    def _widened(self, total: tuple[float, float], wrong: int) -> tuple[float, float]:
        return max(0.0, total[0] - wrong), min(float(self.disputed), total[1] + wrong)

    def _labelled(self, name: str, low: Values, high: Values, miss: float) -> tuple[float, float]:
        """The interval of the sum that labels would show, continued from the one before if labels were only added."""
        if self.budget is not None:
            return fixed_size_interval(low, high, self.disputed, miss)
        seen, within = self._totals.get((name, miss), (0, (0.0, float(self.disputed))))
        if seen != len(low):
            within = total_interval(low, high, self.disputed, miss, within)
            self._totals[(name, miss)] = (len(low), within)
        return within


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The difference of two scores, second minus first, from [-1, 1] to [0, 1]."""
    return np.asarray((second - first + 1) / 2)
