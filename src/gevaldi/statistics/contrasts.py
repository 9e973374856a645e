"""Differences of means, with intervals over independent replicates or samples."""

from collections.abc import Sequence

from gevaldi.statistics.intervals import Estimate, mean

ENOUGH = 6  # values that are all alike: the chance of it is 2 / 2⁶ = 0.03


def contrast(weights: Sequence[float], groups: "Sequence[Sequence[Sequence[float]]]") -> Estimate:
    """The weighted sum of group means, Σ w · mean, and its interval of 95 %.

    A group holds the values of one or several replicates, the same number in all groups. With three or more replicates, the
    contrast is taken within each and the interval is Student's over the replicates: it then applies to other networks trained the
    same way, not only to other samples. With fewer, it rests on the samples, by the variances of the groups and Welch's degrees of
    freedom [Welch 1947], and applies to these networks alone. Equal values do not show how much others would scatter: below six of
    them there is no interval; by a sign test, six equal ones are unlikely by chance.

    Args:
        weights: one a group, such as (1, -1).
        groups: the replicates of each group, each with the values of its samples.
    """
    import numpy as np
    from scipy.stats import t

    if any(len(values) == 0 for group in groups for values in group) or not groups:
        return without_interval(float("nan"))
    if len(groups[0]) >= 3:
        replicates = zip(*groups, strict=True)
        found = mean([sum(w * float(np.mean(v)) for w, v in zip(weights, values, strict=True)) for values in replicates])
        return found if found.low < found.high or len(groups[0]) >= ENOUGH else without_interval(found.value)
    pooled = [np.concatenate([np.asarray(values, dtype=float) for values in group]) for group in groups]
    value = float(sum(w * values.mean() for w, values in zip(weights, pooled, strict=True)))
    if min(map(len, pooled)) < 2:
        return without_interval(value)
    parts = np.array([w**2 * values.var(ddof=1) / len(values) for w, values in zip(weights, pooled, strict=True)])
    if parts.sum() == 0:
        return Estimate(value, value, value) if min(map(len, pooled)) >= ENOUGH else without_interval(value)
    freedom = parts.sum() ** 2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, pooled, strict=True))
    half = float(t.ppf(0.975, freedom) * np.sqrt(parts.sum()))
    return Estimate(value, value - half, value + half)


def without_interval(value: float) -> Estimate:
    """A number without an interval."""
    return Estimate(value, float("nan"), float("nan"))
