"""Counts, shares and intervals in words, the same everywhere: on the page, on the terminal and in exports."""

import math

from gevaldi.statistics.intervals import Estimate

FEW = 10
"""Fewer observations than this are counted, and not turned into a share or an interval."""


def percentage(value: float, count: int = 0) -> str:
    """A share in percent, with the digits that tell it from 0 and from 100 unless it is one of them.

    Args:
        value: from 0 to 1.
        count: of how many: 9,999 of 10,000 are 99.99 %. 0 if unknown.
    """
    if value != value:
        return "–"
    decimals = math.floor(math.log10(count / 200)) + 1 if count >= 200 else 0
    text = f"{100 * value:.{decimals}f}"
    smallest = f"{10.0**-decimals:.{decimals}f}"
    if value > 0 and float(text) == 0:
        return f"< {smallest} %"
    if value < 1 and float(text) == 100:
        return f"> {100 - float(smallest):.{decimals}f} %"
    return f"{text} %"


def counted(estimate: Estimate) -> str:
    """A share: 97 %; of fewer than ten, 3 of 4."""
    if 0 < estimate.count < FEW:
        return f"{round(estimate.value * estimate.count)} of {estimate.count}"
    return percentage(estimate.value, estimate.count)


def interval(estimate: Estimate) -> str:
    """The 95 % interval of a share: 93 to 99 %; of fewer than ten, a word that they are too few."""
    if 0 < estimate.count < FEW:
        return "too few for an interval"
    low, high = (percentage(value, estimate.count) for value in (estimate.low, estimate.high))
    return f"{low.removesuffix(' %')} to {high}"


def with_interval(estimate: Estimate) -> str:
    """A share and its interval: 97 % (95 % interval 93 to 99 %); of fewer than ten, 3 of 4 (too few for an interval)."""
    few = 0 < estimate.count < FEW
    return f"{counted(estimate)} ({'' if few else '95 % interval '}{interval(estimate)})"
