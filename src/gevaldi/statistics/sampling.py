"""Intervals for a pool of which a number of pictures fixed beforehand is labelled, and for all pictures like those of a pool."""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, ndtri

from gevaldi.statistics.betting import total_interval

PSEUDO = 2  # observations added at either end for the variance, as by [Agresti 1998]


def fixed_size_interval(
    low: Float[np.ndarray, " seen"], high: Float[np.ndarray, " seen"], size: int, miss: float
) -> tuple[float, float]:
    """The interval of the sum of N values in [0, 1] from a number of them that was fixed before the first was seen.

    For values 0 and 1 it is exact, by the hypergeometric distribution. A value 1/2 counts as half a success, rounded down: its sum
    varies less than that of ones and zeros, and in all populations of up to 40 values, enumerated with every number of labels, the
    interval misses with its probability at most. For other values it is the interval that is valid at every look. Valid at one look
    only, at the last value.

    Args:
        low: the smallest that each value seen can be, in a random order.
        high: the largest that it can be.
        size: N, the number of all values.
        miss: the probability that the interval does not contain the sum.
    """
    if not np.isin(np.concatenate([low, high]), (0.0, 0.5, 1.0)).all():
        return total_interval(low, high, size, miss)
    least, most = (fewest(int(values.sum()), len(values), size, miss / 2) for values in (low, 1 - high))
    return max(float(least), float(low.sum())), min(float(size - most), size - float((1 - high).sum()))


def fewest(successes: int, seen: int, size: int, miss: float) -> int:
    """A lower bound of the successes among N, of which a number was drawn: the exact one, by the hypergeometric distribution.

    Args:
        successes: among those drawn.
        seen: how many were drawn.
        size: N.
        miss: the probability that the bound is too high.
    """
    low, high = successes, size - seen + successes  # the fewest and the most that are possible
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _tail(successes, middle, seen, size) > miss else (middle + 1, high)
    return low


def _tail(least: int, successes: int, seen: int, size: int) -> float:
    """The probability of drawing at least so many of the successes among N."""
    counts = np.arange(least, min(seen, successes) + 1)

    def log_choose(of: int, some: np.ndarray | int) -> np.ndarray:
        return np.asarray(gammaln(of + 1) - gammaln(np.asarray(some) + 1) - gammaln(of - np.asarray(some) + 1))

    possible = counts[seen - counts <= size - successes]
    logs = log_choose(successes, possible) + log_choose(size - successes, seen - possible) - log_choose(size, seen)
    return float(np.exp(logs).sum())


def population_interval(pool: tuple[float, float], unequal: int, size: int, miss: float) -> tuple[float, float]:
    """The interval of a difference of mean scores over all pictures like those of a pool, which is a random sample of them.

    A difference on the pool misses that of all pictures by its own sampling error, of standard deviation sqrt((q - d²) / N), where
    q is the share of pictures on which the two scores differ; here with four more pictures of which two differ, so that a pool
    without any has an error, too. `benchmarks/README.md` has the coverage.

    Args:
        pool: the interval of the difference on the pool; it misses with probability `miss` / 2 at most. The sampling error has the
            other half.
        unequal: the number of pictures of the pool on which the two may score differently.
        size: N, the number of pictures of the pool.
        miss: the probability that the result misses the difference over all pictures.
    """
    share = (unequal + PSEUDO) / (size + 2 * PSEUDO)
    bound = float(ndtri(1 - miss / 4))
    low, high = (bound * math.sqrt(max(0.0, share - end**2) / size) + 1 / (2 * size) for end in pool)
    return max(-1.0, pool[0] - low), min(1.0, pool[1] + high)
