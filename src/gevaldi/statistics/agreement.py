"""Whether people agree: Krippendorff's alpha for classes without an order."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num

from gevaldi.statistics.intervals import Estimate

RESAMPLES = 1000

Counts = Int[np.ndarray, "items classes"]


def counts_of(ratings: Sequence[tuple[Hashable, Hashable]]) -> Counts:
    """How often each item was given each class.

    Args:
        ratings: item and class, one pair for each person who rated the item.
    """
    items = {name: i for i, name in enumerate(dict.fromkeys(item for item, _ in ratings))}
    classes = {name: i for i, name in enumerate(dict.fromkeys(answer for _, answer in ratings))}
    counts = np.zeros((len(items), len(classes)), dtype=int)
    for item, answer in ratings:
        counts[items[item], classes[answer]] += 1
    return counts


def krippendorff_alpha(counts: Counts) -> float:
    """Alpha = 1 - D_o / D_e [Krippendorff 2004]: 1 if all agree, 0 if they agree as often as by chance.

    Items with a single rating are left out. NaN if none is left, or only one class was ever given.

    Args:
        counts: how often each item was given each class.
    """
    rated = _rated(counts)
    return float(_alpha(_apart(rated).sum(), rated.sum(0)))


def alpha_with_interval(counts: Counts, seed: int = 0) -> Estimate:
    """Alpha with its 95 % interval by resampling items [Efron 1979]; its count is the number of items with two ratings or more.

    Resamples in which only one class occurs have no alpha and are left out.

    Args:
        counts: how often each item was given each class.
        seed: of the resampling.
    """
    value, rated = krippendorff_alpha(counts), _rated(counts)
    if value != value:
        return Estimate(value, value, value, len(rated))
    alike, often = np.unique(rated, axis=0, return_counts=True)  # items that were rated alike are drawn together
    times = np.random.default_rng(seed).multinomial(len(rated), often / len(rated), size=RESAMPLES).astype(float)
    low, high = np.nanquantile(_alpha(times @ _apart(alike), times @ alike.astype(float)), [0.025, 0.975]).tolist()
    return Estimate(value, low, high, len(rated))


def _rated(counts: Counts) -> Int[np.ndarray, "rated classes"]:
    return np.asarray(counts[counts.sum(1) > 1])


def _apart(rated: Counts) -> Float[np.ndarray, " items"]:
    """Of each item, the ordered pairs of ratings that differ, over the number of ratings less one."""
    ratings = rated.sum(1)
    return np.asarray((ratings**2 - (rated**2).sum(1)) / (ratings - 1))


def _alpha(apart: Any, totals: Num[np.ndarray, "*resamples classes"]) -> np.ndarray:
    """Alpha from the sum of `_apart` and how often each class was given."""
    ratings = totals.sum(-1)
    by_chance = ratings**2 - (totals**2).sum(-1)
    with np.errstate(invalid="ignore"):  # 0 / 0 of a single class
        return np.asarray(1 - (ratings - 1) * apart / by_chance)
