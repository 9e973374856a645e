"""Measures regions on pictures that did not choose them: how many, how often, and what sets them apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from gevaldi.regions.discovery import FEWEST, Discovered
from gevaldi.regions.rules import Rule, Table
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share

EXEMPLARS = 10
TRAITS = 3
APART = 0.65  # a property sets pictures apart if it is larger in one of both kinds in at least this share of pairs


@dataclass(frozen=True)
class Trait:
    """A property in which disagreements of a region differ from pictures of the same class on which the two agree.

    Attributes:
        property: its name.
        here: its mean over the disagreements.
        there: its mean where the two agree.
        larger: how often it is larger in a disagreement than in an agreement; 0.5 says nothing [Mann 1947].
    """

    property: str
    here: float
    there: float
    larger: float


@dataclass(frozen=True)
class FittingText:
    """A text that fits pictures of a region better, by a text-image network.

    Attributes:
        text: as it was given.
        larger: how often it fits a disagreement better than an agreement.
    """

    text: str
    larger: float


@dataclass(frozen=True)
class Occurrence:
    """A region in some pictures.

    Attributes:
        pictures: how many there are.
        covered: how many fall under its rule.
        disputed: on how many of these the two differ as the region says.
        share: of all disagreements, those in the region.
        rate: of the pictures under the rule, those on which the two differ as the region says.
        mass: of all pictures, the disagreements of the region.
        first_right: of the disagreements whose class is known, those that the first reads as it.
        second_right: the same for the second.
    """

    pictures: int
    covered: int
    disputed: int
    share: Estimate
    rate: Estimate
    mass: Estimate
    first_right: Estimate
    second_right: Estimate


@dataclass(frozen=True)
class Region:
    """Pictures of two classes on which the classifiers differ alike.

    Attributes:
        first: the class that the first reads.
        second: the class that the second reads.
        rule: which pictures are candidates; the region is where the two differ among them.
        drawn: how it occurs in drawn pictures.
        real: how it occurs in real pictures; None without any.
        traits: what else sets its pictures apart, the clearest first.
        texts: that fit its pictures, the clearest first.
        exemplars: the indices of some of its draws.
        nearest: real pictures like it, by position; those in the region first.
        levels: between the two classes in the hierarchy; None without one.
    """

    first: int
    second: int
    rule: Rule
    drawn: Occurrence
    real: Occurrence | None = None
    traits: tuple[Trait, ...] = ()
    texts: tuple[FittingText, ...] = ()
    exemplars: tuple[int, ...] = ()
    nearest: tuple[int, ...] = ()
    levels: float | None = None

    def disputed(self, table: Table) -> Bool[np.ndarray, " pictures"]:
        """The disagreements of the region among some pictures."""
        return Discovered(self.first, self.second, self.rule).disputed(table)

    @property
    def kind(self) -> str:
        """`systematic`, `at the border` if they differ on fewer than half of the pictures under the rule, or empty if unknown."""
        if self.systematic:
            return "systematic"
        return "at the border" if self.drawn.rate.high < 0.5 else ""

    @property
    def systematic(self) -> bool:
        """Whether the two differ on most pictures under the rule, and not only on those near a border between classes."""
        return self.drawn.rate.low > 0.5


def measure(regions: Sequence[Discovered], drawn: Table, real: Table | None = None) -> list[Region]:
    """The regions with their numbers on pictures that did not choose them: systematic ones first, then by mass."""
    found = [_region(region, drawn, real) for region in regions]
    return sorted((region for region in found if region.drawn.disputed), key=lambda r: (not r.systematic, -r.drawn.disputed))


def _region(region: Discovered, drawn: Table, real: Table | None) -> Region:
    own = region.disputed(drawn)
    return Region(
        first=region.a,
        second=region.b,
        rule=region.rule,
        drawn=occurrence(region, drawn),
        real=None if real is None else occurrence(region, real),
        traits=traits(own, agreed(region.rule, drawn), drawn),
        exemplars=tuple(drawn.index[own][:EXEMPLARS].tolist()),
    )


def occurrence(region: Discovered, table: Table) -> Occurrence:
    """How a region occurs in some pictures."""
    covered, own = region.rule.holds(table), region.disputed(table)
    count, known = int(own.sum()), own & (table.condition >= 0)
    return Occurrence(
        pictures=len(table),
        covered=int(covered.sum()),
        disputed=count,
        share=exact_share(count, int(table.differ.sum())),
        rate=exact_share(count, int(covered.sum())),
        mass=exact_share(count, len(table)),
        first_right=exact_share(int((table.condition[known] == region.a).sum()), int(known.sum())),
        second_right=exact_share(int((table.condition[known] == region.b).sum()), int(known.sum())),
    )


def agreed(rule: Rule, table: Table) -> Bool[np.ndarray, " pictures"]:
    """Pictures that both read as the class with which a rule starts."""
    both: np.ndarray = (table.first == rule.label) & ~table.differ
    return both


def traits(here: np.ndarray, there: np.ndarray, table: Table) -> tuple[Trait, ...]:
    """The properties that set some pictures apart from others, the clearest first; none if either are too few."""
    found = []
    for name, values in zip(table.names, table.properties.T, strict=True):
        own, others = (values[mask & np.isfinite(values)] for mask in (here, there))
        if min(len(own), len(others)) >= FEWEST:
            larger = _larger(own, others)
            found.append(Trait(name, float(np.mean(own)), float(np.mean(others)), larger))
    clear = [trait for trait in found if abs(trait.larger - 0.5) >= APART - 0.5]
    return tuple(sorted(clear, key=lambda trait: -abs(trait.larger - 0.5))[:TRAITS])


def _larger(own: np.ndarray, others: np.ndarray) -> float:
    """How often one of the first is larger than one of the second; ties count half."""
    ordered = np.sort(others)
    below, up_to = (np.searchsorted(ordered, own, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(others))
