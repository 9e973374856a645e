"""How the page formats numbers."""

import math

from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import counted, percentage


def number(value: float | None) -> str:
    """Three significant digits; values too small to matter read "< 0.001"."""
    if value is None or value != value:
        return "–"
    if 0 < abs(value) < 0.001:
        return "< 0.001" if value > 0 else "> -0.001"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def typicality(value: float | None) -> str:
    """Three digits; near 1, the edge of the prior, as many as it takes to tell two latents apart: 0.62, 0.9989, 0.99905."""
    if value is None or value != value or value < 0.99:
        return number(value)
    beyond = 1 - value
    if beyond < 5e-7:  # stored in 32 bits, it knows no more
        return "1" if beyond <= 0 else "> 0.999999"
    return f"{value:.{1 - math.floor(math.log10(beyond))}f}".rstrip("0")


def share(value: Estimate | float | None) -> str:
    """A share without its interval: 97 %, or 3 of 4."""
    return "–" if value is None else counted(value) if isinstance(value, Estimate) else percentage(value)


def level(value: float | None) -> str:
    """A distance in levels; for single classes it is a multiple of a half."""
    return "–" if value is None or value != value else f"{value:.1f}"


def mean_of_levels(estimate: Estimate, unit: str = "") -> str:
    """A mean of levels with its interval, if known, cut at zero: 5.3 (95 % interval 4.8 to 5.8)."""
    known = estimate.low == estimate.low
    around = f" (95 % interval {max(0.0, estimate.low):.1f} to {estimate.high:.1f})" if known else ""
    return f"{level(estimate.value)}{unit}{around}"


def signed(estimate: Estimate) -> str:
    """A number that may be negative, with its interval, if any: -0.42 (-0.71 to -0.13)."""
    value, low, high = (number(v).replace("-", "\u2212") for v in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})" if estimate.low == estimate.low else value
