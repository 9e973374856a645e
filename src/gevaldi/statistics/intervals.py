"""95 % intervals for a share, a mean and a median. They import `scipy.special`, because `scipy.stats` takes a second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

NORMAL = 1.959963984540054  # the 0.975 quantile of the normal distribution


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; NaN without data.

    Attributes:
        count: observations behind it; 0 if unknown.
    """

    value: float
    low: float
    high: float
    count: int = field(default=0, compare=False)

    def within(self, low: float, high: float) -> "Estimate":
        """The same between bounds that no value can leave."""
        value, least, most = (n if n != n else min(max(n, low), high) for n in (self.value, self.low, self.high))
        return Estimate(value, least, most, self.count)

    def __repr__(self) -> str:
        """`0.62 (0.51 to 0.73)`, as notebooks show it."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def share(successes: int, trials: int, quantile: float = NORMAL) -> Estimate:
    """The share of successes, with Wilson's score interval, which is also valid near 0 and 1 [Wilson 1927].

    Its `quantile` of the normal distribution gives 95 %.
    """
    if trials == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    value, pull = successes / trials, quantile**2 / trials
    middle = (value + pull / 2) / (1 + pull)
    half = math.sqrt(pull * (value * (1 - value) + pull / 4)) / (1 + pull)
    return Estimate(value, middle - half if successes else 0.0, middle + half if successes < trials else 1.0, trials)


def mean(values: Sequence[float]) -> Estimate:
    """The mean, with Student's interval, which is valid for many values or nearly normal ones [Student 1908].

    The interval of a single value is NaN.
    """
    import numpy as np
    from scipy.special import stdtrit

    count, known = len(values), np.asarray(values, dtype=float)
    if count == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    middle = float(np.mean(known))
    half = float(stdtrit(count - 1, 0.975) * np.std(known, ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    return Estimate(middle, middle - half, middle + half, count)


def median(values: Sequence[float]) -> Estimate:
    """The median, with the interval between order statistics that covers it with at least 95 % for any distribution.

    With fewer than six values there is no such interval, and it spans the smallest to the largest [Conover 1999].
    """
    if len(values) == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    import numpy as np
    from scipy.special import bdtr

    ordered = np.sort(np.asarray(values, dtype=float))
    count = len(ordered)
    below = max(0, int(np.searchsorted(bdtr(np.arange(count // 2 + 1), count, 0.5), 0.025)) - 1)
    return Estimate(float(np.median(ordered)), float(ordered[below]), float(ordered[count - 1 - below]), count)
