"""Two classifiers on the same pictures: which is right more often, and with what confidence. No torch, and no `scipy.stats`.

A picture on which both are right, or both wrong, says nothing about which is better. The pictures on which exactly one is right
decide.
"""

import math
from dataclasses import dataclass

from gevaldi.statistics.intervals import NORMAL, Estimate, share

MISS = 0.05  # chance that an interval does not cover


@dataclass(frozen=True)
class Paired:
    """The number of pictures on which both, only the first, only the second, or neither is right."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def total(self) -> int:
        """The number of pictures."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def discordant(self) -> int:
        """The number of pictures on which exactly one is right."""
        return self.only_first + self.only_second

    def difference(self) -> Estimate:
        """Accuracy of the first minus that of the second, in [-1, 1].

        With the hybrid score interval for paired shares (method 10 of [Newcombe 1998b]), including its correction for a positive
        correlation. NaN without pictures.
        """
        a, b, c, d, n = self.both, self.only_first, self.only_second, self.neither, self.total
        first, second = share(a + b, n), share(a + c, n)
        value = (b - c) / n if n else float("nan")
        product = (a + b) * (c + d) * (a + c) * (b + d)
        raw = a * d - b * c
        corrected = max(raw - n / 2, 0.0) if raw > 0 else raw
        phi = corrected / math.sqrt(product) if product else 0.0

        def reach(one: float, other: float) -> float:
            return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))

        low = value - reach(first.value - first.low, second.high - second.value)
        high = value + reach(first.high - first.value, second.value - second.low)
        return Estimate(value, max(-1.0, low), min(1.0, high))

    def chance(self) -> float:
        """The two-sided exact p-value of McNemar [1947]: the chance of counts this unequal if both were equally accurate."""
        from scipy.special import bdtr

        fewer = min(self.only_first, self.only_second)
        return min(1.0, 2 * float(bdtr(fewer, self.discordant, 0.5))) if self.discordant else 1.0

    def better(self) -> str | None:
        """The more accurate one on pictures like these, first or second; None if the pictures do not show it.

        They show it if the exact test rejects at 5 % and the interval of the difference excludes zero.
        """
        around = self.difference()
        if self.chance() >= MISS or around.low <= 0 <= around.high:
            return None
        return "first" if self.only_first > self.only_second else "second"

    def pictures_needed(self, power: float = 0.8) -> int | None:
        """The approximate number of pictures that would decide with this power if the shares are as here; None for equal counts.

        This is the sample size of McNemar's test by its normal approximation [Connor 1987].
        """
        from scipy.special import ndtri

        lean = abs(self.only_first - self.only_second) / self.total if self.total else 0.0
        if not lean:
            return None
        apart = self.discordant / self.total
        root = NORMAL * math.sqrt(apart) + float(ndtri(power)) * math.sqrt(apart - lean**2)
        return math.ceil((root / lean) ** 2)


def exact_share(successes: int, trials: int) -> Estimate:
    """The share of successes, with the interval of [Clopper 1934], which covers with at least 95 %; NaN without trials."""
    from scipy.special import betaincinv

    if trials == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    low = float(betaincinv(successes, trials - successes + 1, MISS / 2)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - MISS / 2)) if successes < trials else 1.0
    return Estimate(successes / trials, low, high, trials)


def anytime_share(successes: int, trials: int, miss: float = MISS) -> Estimate:
    """The share, with an interval that misses with probability `miss` at most, however often one looks at it on the way.

    A confidence sequence: the shares p against which a bet by the Jeffreys mixture, B(s + 1/2, f + 1/2) / B(1/2, 1/2), has not won
    1/miss times p^s (1 - p)^f, by Ville's inequality [Robbins 1970; Howard 2021]. NaN without trials.
    """
    from scipy.special import betaln, xlog1py, xlogy

    if trials == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    failures, value = trials - successes, successes / trials
    bet = float(betaln(successes + 0.5, failures + 0.5) - betaln(0.5, 0.5)) + math.log(miss)

    def border(outside: float) -> float:
        """Between a share outside the interval and the value, by halves: `scipy.optimize` takes half a second to load."""
        inside = value
        for _ in range(60):
            p = (inside + outside) / 2
            if bet < float(xlogy(successes, p) + xlog1py(failures, -p)):
                inside = p
            else:
                outside = p
        return outside

    return Estimate(value, border(0.0) if successes else 0.0, border(1.0) if failures else 1.0)
