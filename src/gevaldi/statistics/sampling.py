"""Intervals for a pool of which a number of pictures fixed beforehand is labelled, and for all pictures like those of a pool."""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

PSEUDO = 2  # observations added at either end for the variance, as by [Agresti 1998]


def fixed_size_interval(
    low: Float[np.ndarray, " seen"], high: Float[np.ndarray, " seen"], size: int, miss: float
) -> tuple[float, float]:
    """The interval of the sum of N values in [0, 1] from a number of them that was fixed before the first was seen.

    By the normal approximation with the correction for a finite population and for continuity. The variance counts two more
    observations at either end, without which the interval is empty where all values are equal [Agresti 1998; Cochran 1977]. Valid
    at one look only, at the last value. `benchmarks/README.md` has its coverage.

    Args:
        low: the smallest that each value seen can be, in a random order.
        high: the largest that it can be.
        size: N, the number of all values.
        miss: the probability that the interval does not contain the sum.
    """
    bounds = []
    for values, sign in ((low, -1), (high, 1)):
        seen = len(values)
        mean = (values.sum() + PSEUDO) / (seen + 2 * PSEUDO)
        variance = ((values**2).sum() + PSEUDO) / (seen + 2 * PSEUDO) - mean**2
        left = 1 - seen / size
        half = float(ndtri(1 - miss / 2)) * math.sqrt(variance * left / seen) + left / (2 * seen)
        bounds.append(size * (values.mean() + sign * half))
    return max(bounds[0], float(low.sum())), min(bounds[1], float(size - (1 - high).sum()))


def population_interval(pool: tuple[float, float], unequal: int, size: int, miss: float) -> tuple[float, float]:
    """The interval of a difference of mean scores over all pictures like those of a pool, which is a random sample of them.

    A difference on the pool misses that of all pictures by its own sampling error, of standard deviation sqrt((q - d²) / N), where
    q is the share of pictures on which the two scores differ; here with four more pictures of which two differ, so that a pool
    without any has an error, too. `benchmarks/README.md` has the coverage.

    Args:
        pool: the interval of the difference on the pool; it misses with probability `miss` / 2 at most, or is exact.
        unequal: the number of pictures of the pool on which the two may score differently.
        size: N, the number of pictures of the pool.
        miss: the probability that the result misses the difference over all pictures.
    """
    each = miss if pool[0] == pool[1] else miss / 2
    share = (unequal + PSEUDO) / (size + 2 * PSEUDO)
    bound = float(ndtri(1 - each / 2))
    low, high = (bound * math.sqrt(max(0.0, share - end**2) / size) + 1 / (2 * size) for end in pool)
    return max(-1.0, pool[0] - low), min(1.0, pool[1] + high)
