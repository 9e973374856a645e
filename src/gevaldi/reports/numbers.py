"""Numbers as the page shows them."""

from gevaldi.statistics.intervals import Estimate


def number(value: float | None) -> str:
    """Three significant digits, of what is large enough for a reader to care."""
    if value is None or value != value:
        return "–"
    if 0 < abs(value) < 0.001:
        return "< 0.001" if value > 0 else "> -0.001"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(estimate: Estimate) -> str:
    """A share with its interval: 97 % (95 % interval 93 to 99 %)."""
    return f"{100 * estimate.value:.0f} % (95 % interval {100 * estimate.low:.0f} to {100 * estimate.high:.0f} %)"


def level(value: float) -> str:
    """A distance in levels, which for single classes is a multiple of a half."""
    return f"{value:.1f}"


def mean_of_levels(estimate: Estimate, unit: str = "") -> str:
    """A mean of levels and, where it is known, its interval, none of it below zero: 5.3 (95 % interval 4.8 to 5.8)."""
    known = estimate.low == estimate.low
    around = f" (95 % interval {max(0.0, estimate.low):.1f} to {estimate.high:.1f})" if known else ""
    return f"{estimate.value:.1f}{unit}{around}"
