"""Two shares of people: the exact test of their difference, its interval, and the power of both together.

The test is that of Barnard [1945] with the pooled score statistic: its p-value is the largest chance, over all common shares, of a
table at least as extreme. It never errs more often than stated. A difference counts as shown if the p-value is below 5 % and the
interval of Newcombe [1998a, method 10] excludes zero.
"""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from gevaldi.statistics.intervals import NORMAL, Estimate, share

MISS = 0.05
SHARES = np.sin(np.linspace(0, math.pi / 2, 162)[1:-1]) ** 2  # common shares that are tried, denser near 0 and 1
MOST_EXACT = 300  # people in an arm up to which power is exact


def difference(successes: int, trials: int, others: int, of_others: int) -> Estimate:
    """A share minus another one, of other people, with the hybrid score interval [Newcombe 1998a]; NaN without people."""
    one, other = share(successes, trials), share(others, of_others)
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, low, high)


def p_value(successes: int, trials: int, others: int, of_others: int) -> float:
    """The exact two-sided p-value of two equal shares; NaN without people in one of the arms."""
    if min(trials, of_others) == 0:
        return float("nan")
    scores = _scores(trials, of_others)
    one, other = _masses(trials), _masses(of_others)
    return float(min(1.0, ((one @ (scores >= scores[successes, others])) * other).sum(1).max()))


def _scores(n: int, m: int) -> Float[np.ndarray, "n m"]:
    """How extreme every table with n and m people is: the absolute score statistic, rounded so that equal ones are equal."""
    one, other = np.arange(n + 1)[:, None] / n, np.arange(m + 1)[None] / m
    pooled = (n * one + m * other) / (n + m)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    scores: Float[np.ndarray, "n m"] = np.abs(np.divide(one - other, spread, out=np.zeros_like(spread), where=spread > 0)).round(9)
    return scores


@lru_cache(maxsize=64)
def _masses(n: int) -> Float[np.ndarray, "shares n"]:
    """The chance of every count of n people, for each common share that is tried."""
    from scipy.stats import binom

    masses: Float[np.ndarray, "shares n"] = binom.pmf(np.arange(n + 1), n, SHARES[:, None])
    return masses


@lru_cache(maxsize=64)
def _p_values(n: int, m: int) -> Float[np.ndarray, "n m"]:
    """The p-value of every table with n and m people."""
    scores = -_scores(n, m).ravel()
    order = np.argsort(scores, kind="stable")
    last = np.searchsorted(scores[order], scores, side="right") - 1  # the last table that is as extreme
    worst = np.zeros(len(scores))
    for one, other in zip(_masses(n), _masses(m), strict=True):
        np.maximum(worst, np.cumsum(np.outer(one, other).ravel()[order]), out=worst)
    p_values: Float[np.ndarray, "n m"] = np.minimum(worst[last], 1).reshape(n + 1, m + 1)
    return p_values


@lru_cache(maxsize=64)
def _significant_tables(n: int, m: int) -> Bool[np.ndarray, "n m"]:
    """Whether each table shows a difference, by the test and the interval together."""
    own = [share(k, n) for k in range(n + 1)]
    others = [share(k, m) for k in range(m + 1)]
    value, low, high = (np.array([getattr(one, name) for one in own])[:, None] for name in ("value", "low", "high"))
    v, least, most = (np.array([getattr(one, name) for one in others])[None] for name in ("value", "low", "high"))
    above = value - v - np.hypot(value - low, most - v) > 0
    below = value - v + np.hypot(high - value, v - least) < 0
    significant: Bool[np.ndarray, "n m"] = (_p_values(n, m) < MISS) & (above | below)
    return significant


def is_shown(successes: int, trials: int, others: int, of_others: int) -> bool:
    """Whether the two shares are shown to differ."""
    around = difference(successes, trials, others, of_others)
    return p_value(successes, trials, others, of_others) < MISS and not around.low <= 0 <= around.high


def power(base: float, effect: float, people: int, others: int | None = None) -> float:
    """The exact chance that a difference is shown in either direction; above 300 people in an arm, by the normal approximation.

    Args:
        base: the share in the arm compared with.
        effect: the other share minus it.
        people: people in the arm whose share is larger.
        others: people in the arm compared with; by default as many.
    """
    from scipy.stats import binom

    n, m = people, people if others is None else others
    if max(n, m) > MOST_EXACT:
        return _about(base, min(1.0, base + effect), n, m)
    one = binom.pmf(np.arange(n + 1), n, min(1.0, base + effect))
    other = binom.pmf(np.arange(m + 1), m, base)
    return float(one @ _significant_tables(n, m) @ other)


def _about(base: float, share: float, n: int, m: int) -> float:
    """The power by the normal approximation."""
    from scipy.special import ndtr

    error = math.sqrt(share * (1 - share) / n + base * (1 - base) / m)
    return float(ndtr((share - base) / error - NORMAL) + ndtr((base - share) / error - NORMAL)) if error else 1.0


def people_needed(base: float, effect: float, target: float = 0.8) -> int:
    """The number of people in each arm for a power of `target`: the smallest one, found by bisection.

    Above 300 it is the sample size by the normal approximation, which is within a few per cent.
    """
    from scipy.special import ndtri

    ends = base, min(1.0, base + effect)
    spread = math.sqrt(sum(p * (1 - p) for p in ends))
    middle = sum(ends) / 2
    root = NORMAL * math.sqrt(2 * middle * (1 - middle)) + float(ndtri(target)) * spread
    about = math.ceil((root / (ends[1] - ends[0])) ** 2)
    if about > MOST_EXACT:
        return about
    low, high = max(1, about // 2), 2 * about + 10
    while high - low > 1:
        middle_count = (low + high) // 2
        low, high = (low, middle_count) if power(base, effect, middle_count) >= target else (middle_count, high)
    return high
