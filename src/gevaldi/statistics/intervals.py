"""Intervals of 95 %: for a share, a mean, and a median."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number and the 95 % interval around it; NaN where there was nothing to estimate from."""

    value: float
    low: float
    high: float


def share(successes: int, trials: int) -> Estimate:
    """The share of successes, with Wilson's score interval, which holds also near 0 and 1 [Wilson 1927]."""
    if trials == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def mean(values: Sequence[float]) -> Estimate:
    """The mean, with Student's interval, which holds where many values are averaged or they are nearly normal [Student 1908].

    Of a single value the interval is not known.
    """
    import numpy as np
    from scipy.stats import t

    count = len(values)
    if count == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    middle = float(np.mean(values))
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    return Estimate(middle, middle - half, middle + half)


def median(values: Sequence[float]) -> Estimate:
    """The median, with the interval between order statistics that covers it with at least 95 %, whatever the distribution.

    Below six values no two of them do that, and the interval is from the smallest to the largest [Conover 1999].
    """
    if len(values) == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    import numpy as np
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, dtype=float))
    count = len(ordered)
    below = max(0, int(binom.ppf(0.025, count, 0.5)) - 1)
    return Estimate(float(np.median(ordered)), float(ordered[below]), float(ordered[count - 1 - below]))
