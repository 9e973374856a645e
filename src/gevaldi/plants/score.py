"""How well a method finds planted differences.

A method reports, for each pair, regions in order of importance, and for each region the pictures that show it best, in order. A
plant is found if eight or more of the first ten pictures of one of the first five regions carry it. A region is false if fewer than
five of its first ten pictures carry the plant; so is every region of a pair without a plant. If a region has fewer than ten
pictures, those that are missing count as not carrying it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gevaldi.bundled.plants import Pair
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share

FIRST_REGIONS, EXEMPLARS = 5, 10
FOUND, FALSE = 0.8, 0.5  # least precision of a discovery, and precision below which a region is false


@dataclass(frozen=True)
class Reported:
    """A region as a method reports it, without the pictures.

    Attributes:
        carried: for each of its pictures, in order, whether it carries the plant.
        first, second: the classes that the first and the second classifier read; None if the method does not say.
        property: the property that sets its pictures apart; None for all pictures of the classes.
        above: whether they have more of it.
    """

    carried: Sequence[bool]
    first: int | None = None
    second: int | None = None
    property: str | None = None
    above: bool | None = None


def precision(region: Reported) -> float:
    """The share of a region's first ten pictures that carry the plant."""
    return sum(map(bool, region.carried[:EXEMPLARS])) / EXEMPLARS


@dataclass(frozen=True)
class PairScore:
    """What a method achieved on one pair.

    Attributes:
        pair: the pair.
        found: whether it found the plant.
        classes: whether the region that found it has the right classes in the right order.
        property: whether that region names the property and its direction, or rightly none.
        reported: how many regions it reported.
        false: how many of these are false.
    """

    pair: Pair
    found: bool
    classes: bool
    property: bool
    reported: int
    false: int


def score_pair(pair: Pair, regions: Sequence[Reported]) -> PairScore:
    """The score of the regions that a method reports for a pair; the first region that finds the plant decides how it is named."""
    false = sum(pair.plant is None or precision(region) < FALSE for region in regions)
    finding = next((region for region in regions[:FIRST_REGIONS] if precision(region) >= FOUND), None)
    plant = pair.plant
    if plant is None or finding is None:
        return PairScore(pair, False, False, False, len(regions), false)
    classes = (finding.first, finding.second) in plant.reads
    above = plant.above if plant.property else None
    named = finding.property == plant.property and (finding.above if finding.property else None) == above
    return PairScore(pair, True, classes, named, len(regions), false)


@dataclass(frozen=True)
class Total:
    """Scores of some pairs together; shares with their 95 % intervals.

    Attributes:
        plants, ordinary: the number of pairs with a plant, and without.
        found: of the plants, those found.
        classes: of the plants, those found with the right classes in the right order.
        property: of the plants, those found with the right property and direction.
        false: of the reported regions, the false ones.
        false_ordinary: how many of these are in pairs without a plant.
    """

    plants: int
    ordinary: int
    found: Estimate
    classes: Estimate
    property: Estimate
    false: Estimate
    false_ordinary: int


def total(scores: Sequence[PairScore]) -> Total:
    """All scores together."""
    planted = [score for score in scores if score.pair.plant]
    ordinary = [score for score in scores if not score.pair.plant]
    shares = {name: sum(getattr(score, name) for score in planted) for name in ("found", "classes", "property")}
    return Total(
        plants=len(planted),
        ordinary=len(ordinary),
        **{name: exact_share(count, len(planted)) for name, count in shares.items()},
        false=exact_share(sum(score.false for score in scores), sum(score.reported for score in scores)),
        false_ordinary=sum(score.false for score in ordinary),
    )
