"""An interval for the total of N values in [0, 1] that are seen one by one in random order, valid however often one looks.

For a candidate total T of the N values, of which y_1 ... y_t have been seen,

    m_s = (T - y_1 - ... - y_{s-1}) / (N - s + 1)                 the mean of the values left before the s-th, if T is true
    W_t = mean over stakes c of  prod_{s <= t} 1 + c (y_s / m_s - 1)

is the wealth of bets that the values are larger than T allows. If T is true, W is a martingale that begins at 1, so it ever reaches
1/α with probability α at most [Ville 1939]. The totals against which it has not reached 1/α form a confidence sequence
[Waudby-Smith 2020; Waudby-Smith 2023, section on sampling without replacement].
"""

import math

import numpy as np
from jaxtyping import Float

STAKES = np.linspace(0.02, 0.9, 23)
RESOLUTION = 2**-17  # of N, to which a bound is computed
ROUNDING = 1e-9  # of N, by which sums of values may be off

Values = Float[np.ndarray, "*orders seen"]


def wealth(values: Values, size: int, total: float) -> Float[np.ndarray, "*orders seen"]:
    """W after each value against this total; infinite from where more has been seen than the total.

    A total that leaves exactly nothing, m = 0, is not refuted by that: all values left may be 0.

    Args:
        values: in the order in which they were seen; leading dimensions are different orders.
        size: N, the number of all values.
        total: T, a candidate for their sum.
    """
    seen = np.cumsum(values, axis=-1)
    left = size - np.arange(values.shape[-1])
    mean = (total - (seen - values)) / left
    possible = mean * left > ROUNDING * size
    ratio = np.divide(values, mean, out=np.ones_like(mean), where=possible)
    with np.errstate(over="ignore"):  # infinite wealth refutes, as it should
        products = np.cumprod(1 + STAKES.reshape(-1, *[1] * values.ndim) * (ratio - 1), axis=-1)
        won = products.mean(0)
    return np.where(total - seen < -ROUNDING * size, np.inf, won)


def lower_total(values: Float[np.ndarray, " seen"], size: int, miss: float, at_least: float = 0.0) -> float:
    """A lower bound of the sum of N values in [0, 1], wrong with probability `miss` at most, over all looks together.

    Args:
        values: those seen so far, in a random order that was fixed beforehand.
        size: N, the number of all values.
        miss: the probability that the bound is ever above the sum.
        at_least: the bound from the first of the same values, to begin from.
    """

    def is_refuted(total: float) -> bool:
        return len(values) > 0 and bool(wealth(values, size, total).max() >= 1 / miss)

    low, step = max(float(values.sum()), at_least), size * RESOLUTION
    if not is_refuted(low):
        return low
    while low + step < size and is_refuted(low + step):
        low, step = low + step, 2 * step
    high = min(low + step, float(size))
    while high - low > size * RESOLUTION:
        middle = (low + high) / 2
        low, high = (middle, high) if is_refuted(middle) else (low, middle)
    return low


def total_interval(
    low: Float[np.ndarray, " seen"],
    high: Float[np.ndarray, " seen"],
    size: int,
    miss: float,
    within: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """The interval of the sum of N values in [0, 1] of which some are only known to lie between two numbers.

    Each side misses with probability `miss` / 2 at most. A bound from the lowest possible values is valid for the true ones too,
    because W rises with every value.

    Args:
        low: the smallest that each value seen can be, in a random order that was fixed beforehand.
        high: the largest that it can be; equal to `low` where it is known.
        size: N, the number of all values.
        miss: the probability that the interval ever misses the sum.
        within: the interval from the first of the same values, to begin from.
    """
    if len(low) == size:
        return math.fsum(low), math.fsum(high)
    before = within or (0.0, float(size))
    ends = lower_total(low, size, miss / 2, before[0]), size - lower_total(1 - high, size, miss / 2, size - before[1])
    least, most = float(low.sum()), float(size - (1 - high).sum())  # certain, where an interval that misses may be empty
    bounds = [min(max(end, least), most) for end in ends]
    return min(bounds), max(bounds)
