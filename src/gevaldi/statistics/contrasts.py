"""Differences of means, with intervals over independent replicates or samples."""

from collections.abc import Sequence

from gevaldi.statistics.intervals import Estimate, mean

ENOUGH = 6  # values that are all alike: the chance of it is 2 / 2⁶ = 0.03
CERTAIN = 0.999  # how surely an interval that `more` samples may have lies within the one that is given


def contrast(weights: Sequence[float], groups: "Sequence[Sequence[Sequence[float]]]", more: float = 1.0) -> Estimate:
    """The weighted sum of group means, Σ w · mean, and its interval of 95 %.

    A group holds the values of one or several replicates, the same number in all groups. With three or more replicates, the
    contrast is taken within each and the interval is Student's over the replicates: it then applies to other networks trained the
    same way, not only to other samples. With fewer, it rests on the samples, by the variances of the groups and Welch's degrees of
    freedom [Welch 1947], and applies to these networks alone. Equal values do not show how much others would scatter: below six of
    them there is no interval; by a sign test, six equal ones are unlikely by chance.

    Args:
        weights: one a group, such as (1, -1).
        groups: the replicates of each group, each with the values of its samples.
        more: above 1, the samples are the first of so many times as many, and the interval holds the one that all of them will
            have. It is wider: their mean will differ from this one by chance, and so will the scatter of the replicates.
    """
    import numpy as np
    from scipy.stats import t

    if any(len(values) == 0 for group in groups for values in group) or not groups:
        return without_interval(float("nan"))
    if len(groups[0]) >= 3:
        replicates = [*zip(*groups, strict=True)]
        found = mean([sum(w * float(np.mean(v)) for w, v in zip(weights, values, strict=True)) for values in replicates])
        if more > 1:
            reach = _reach(weights, replicates, more)
            found = Estimate(found.value, found.low - reach, found.high + reach, found.count)
        return found if found.low < found.high or len(groups[0]) >= ENOUGH else without_interval(found.value)
    pooled = [np.concatenate([np.asarray(values, dtype=float) for values in group]) for group in groups]
    value = float(sum(w * values.mean() for w, values in zip(weights, pooled, strict=True)))
    if min(map(len, pooled)) < 2:
        return without_interval(value)
    parts = np.array([w**2 * values.var(ddof=1) / len(values) for w, values in zip(weights, pooled, strict=True)])
    if parts.sum() == 0:
        return Estimate(value, value, value) if min(map(len, pooled)) >= ENOUGH else without_interval(value)
    freedom = parts.sum() ** 2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, pooled, strict=True))
    apart = t.ppf(0.975, freedom) / np.sqrt(more) + t.ppf(CERTAIN, freedom) * np.sqrt(1 - 1 / more)
    half = float(apart * np.sqrt(parts.sum()))
    return Estimate(value, value - half, value + half)


def _reach(weights: Sequence[float], replicates: "Sequence[Sequence[Sequence[float]]]", more: float) -> float:
    """How far beyond a bound of Student's interval over replicates that of `more` times as many samples may lie."""
    import numpy as np
    from scipy.stats import norm, t

    if any(len(values) < 2 for groups in replicates for values in groups):
        return float("nan")
    noise = [sum(w**2 * float(np.var(v, ddof=1)) / len(v) for w, v in zip(weights, g, strict=True)) for g in replicates]
    moved = norm.ppf(CERTAIN) * np.sqrt(np.mean(noise) * (1 - 1 / more))  # each replicate's mean; then theirs, and their scatter
    return float(moved * (1 + t.ppf(0.975, len(replicates) - 1)) / np.sqrt(len(replicates)))


def without_interval(value: float) -> Estimate:
    """A number without an interval."""
    return Estimate(value, float("nan"), float("nan"))
