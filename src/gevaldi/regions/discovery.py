"""Divides disagreements into regions: by the two classes, and within these by the properties that set the pictures apart."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from gevaldi.regions.rules import Bound, Rule, Side, Table, within

FEWEST = 10  # disagreements that make a region
GAIN = 15.0  # nats of likelihood that a bound must gain; by chance, one of 2,000 tried bounds does in one of 20,000 tables
RATIO, DIFFERENCE = 1.5, 0.1  # how much more frequent disagreements must be within a bound: by this factor, or by this share
CUTS = 64  # values of a property that are tried as a bound
MOST_BOUNDS = 2
MOST_PARTS = 3  # regions with bounds for one pair of classes


@dataclass(frozen=True)
class Discovered:
    """A region before it is measured: where the first reads class a and the second class b, within a rule."""

    a: int
    b: int
    rule: Rule

    def disputed(self, table: Table) -> Bool[np.ndarray, " pictures"]:
        """The disagreements of the region."""
        own: np.ndarray = disputed(table, self.a, self.b) & self.rule.holds(table)
        return own


def disputed(table: Table, a: int, b: int) -> Bool[np.ndarray, " pictures"]:
    """Where the first reads a and the second b."""
    where: np.ndarray = (table.first == a) & (table.second == b)
    return where


def discover(table: Table) -> list[Discovered]:
    """Regions of the disagreements in a table, the most frequent first. Every disagreement is in one region at most.

    A pair of classes with fewer than ten disagreements makes no region. The regions should be measured on other pictures, since
    these have chosen them.
    """
    differ = table.select(table.differ)
    pairs = Counter(zip(differ.first.tolist(), differ.second.tolist(), strict=True))
    regions = [region for (a, b), count in sorted(pairs.items()) if count >= FEWEST for region in of_pair(table, a, b)]
    return sorted(regions, key=lambda region: -int(region.disputed(table).sum()))


def of_pair(table: Table, a: int, b: int) -> list[Discovered]:
    """The regions of a pair of classes: parts with bounds, and the rest.

    A rule starts from what either classifier reads. Of these two, the one is taken whose first part describes the disagreements
    better: if the second reads slanted 4s as 9s, these are most of the slanted ones among what the first calls 4, and few among
    what the second calls 9.
    """
    both: list[tuple[Side, int]] = [("first", a), ("second", b)]
    parts = {side: list(_parts(table, Rule(side, label), disputed(table, a, b))) for side, label in both}
    side = max(parts, key=lambda side: _quality(table, parts[side][0], disputed(table, a, b)))
    regions = [Discovered(a, b, rule) for rule in parts[side]]
    return [region for region in regions if region.disputed(table).sum() >= FEWEST]


def _parts(table: Table, rule: Rule, hits: Bool[np.ndarray, " pictures"]) -> Iterator[Rule]:
    """The parts of a rule in which hits are most frequent, each without those before, and the rest."""
    for _ in range(MOST_PARTS):
        bounds = grow(table.select(covered := rule.holds(table)), hits[covered])
        if not bounds:
            break
        yield replace(rule, bounds=bounds)
        rule = replace(rule, excluded=(*rule.excluded, bounds))
    yield rule


def _quality(table: Table, rule: Rule, hits: Bool[np.ndarray, " pictures"]) -> float:
    """How often hits are among what a rule covers, times the share of the hits that it covers."""
    covered = rule.holds(table)
    both = float((hits & covered).sum())
    return both * both / max(1, int(covered.sum()) * int(hits.sum()))


def grow(table: Table, hits: Bool[np.ndarray, " pictures"]) -> tuple[Bound, ...]:
    """The bounds inside which hits are more frequent than outside, one after the other while one gains enough."""
    bounds: tuple[Bound, ...] = ()
    for _ in range(MOST_BOUNDS):
        inside = within(bounds, table)
        best = best_bound(table.select(inside), hits[inside])
        if best is None:
            break
        same = (best.property, best.above)
        bounds = (*(bound for bound in bounds if (bound.property, bound.above) != same), best)  # a narrower one replaces it
    return bounds


def best_bound(table: Table, hits: Bool[np.ndarray, " pictures"]) -> Bound | None:
    """The bound with the largest gain in likelihood of two rates of hits over one; None if none gains enough."""
    gained = {bound: gain for j, name in enumerate(table.names) for bound, gain in _gains(name, table.properties[:, j], hits)}
    return max(gained, key=lambda bound: gained[bound], default=None)


def _gains(name: str, values: Float[np.ndarray, " pictures"], hits: Bool[np.ndarray, " pictures"]) -> Iterator[tuple[Bound, float]]:
    """The best bound on a property in each direction, if it gains enough."""
    known = np.isfinite(values)
    values, hits = values[known], hits[known]
    if not hits.any():
        return
    distinct = np.unique(values)
    tried = np.unique(np.searchsorted(distinct, np.quantile(values[hits], np.linspace(0, 1, CUTS), method="nearest")))
    order = np.argsort(values, kind="stable")
    below = np.concatenate([[0], np.cumsum(hits[order])])
    for above in (True, False):
        edges = tried[(tried > 0) if above else (tried < len(distinct) - 1)]
        cuts = (distinct[edges] + distinct[edges + (-1 if above else 1)]) / 2  # so that the value itself is inside
        if len(cuts) == 0:
            continue
        at = np.searchsorted(values[order], cuts)
        n, k = (len(values) - at, below[-1] - below[at]) if above else (at, below[at])
        gain = _loglik(k, n) + _loglik(below[-1] - k, len(values) - n) - _loglik(below[-1:], np.array([len(values)]))
        inside, base = k / n, below[-1] / len(values)
        denser = (inside >= RATIO * base) | (inside >= base + DIFFERENCE)
        gain = np.where(denser & (k >= FEWEST), gain, -np.inf)
        best = int(gain.argmax())
        if gain[best] >= GAIN:
            yield Bound(name, above, float(cuts[best])), float(gain[best])


def _loglik(k: np.ndarray, n: np.ndarray) -> Float[np.ndarray, " cuts"]:
    """The largest log-likelihood of k hits among n."""
    from scipy.special import xlogy

    loglik: np.ndarray = xlogy(k, k) + xlogy(n - k, n - k) - xlogy(n, n)
    return loglik
