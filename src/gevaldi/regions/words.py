"""Regions in words, the same on the terminal, on the page and in a notebook."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gevaldi.mass.mass import Mass
from gevaldi.names import listed
from gevaldi.properties import COUNTS, describe, unit_of
from gevaldi.regions.measured import FittingText, Occurrence, Region, Trait
from gevaldi.regions.rules import Bound
from gevaldi.sounds.words import PICTURES, Medium
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import FEW, percentage


@dataclass(frozen=True)
class Words:
    """The names that sentences need.

    Attributes:
        classes: the compared classes.
        first, second: short names of the classifiers.
        medium: the words for the pictures.
    """

    classes: Sequence[str]
    first: str
    second: str
    medium: Medium = PICTURES

    @property
    def caution(self) -> str:
        """What not to conclude."""
        return (
            f"These shares are of what the generator draws. They are not rates in the world: it may draw a kind of "
            f"{self.medium.drawn} too often, too rarely or never. They say where the two part and not which is better; for that, "
            f"label real {self.medium.real}s: gevaldi verdict."
        )

    def title(self, region: Region) -> str:
        """The two classes, and what all its pictures have in common: `4 or 9: slant above 12°`."""
        bounds = " and ".join(map(in_words, region.rule.bounds)) or ("the others" if region.rule.excluded else "")
        return f"{self.classes[region.first]} or {self.classes[region.second]}{': ' if bounds else ''}{bounds}"

    def summary(self, mass: Mass, above: Mass | None, regions: Sequence[Region], draws: int, unit: str) -> list[str]:
        """What was found, the most important first."""
        own, both = mass.probability, f"{self.first} and {self.second}"
        if own.value:
            head = f"{both} differ on {precise(own.value)} % ({precise(own.low)} to {precise(own.high)} %) of what is drawn."
        else:
            head = f"{both} agree on all {draws:,} draws: they differ on at most {precise(own.high)} % of what is drawn."
        counting = mass.method == "Monte Carlo"
        lines = [
            head,
            self.kinds(regions) if own.value and counting else "",
            f"The {above.event}{unit and f' {unit}'}: {share_of(above.probability)} of what is drawn." if above else "",
            f"Counted over {draws:,} draws. Regions were chosen on one half of them and measured on the other."
            if counting
            else f"Too few of {draws:,} draws differ for counting, so the share was estimated by subset simulation.",
            mass.note,
        ]
        return [line for line in lines if line]

    def kinds(self, regions: Sequence[Region]) -> str:
        """Whether differences are systematic."""
        if not regions:
            return "Too few draws differ for a region of any two classes; more draws (--draws) may show some."
        systematic = [region for region in regions if region.systematic]
        if not systematic:
            kind = f"no kind of {self.medium.drawn}s that was looked at"
            return f"No region was shown to be systematic: of {kind} do they dispute most."
        share = precise(sum(region.drawn.share.value for region in systematic))
        if len(systematic) == 1:
            return (
                f"One region is systematic: they differ on most {self.medium.drawn}s of one kind, which makes {share} % of the "
                "disagreements."
            )
        return (
            f"{len(systematic)} regions are systematic: they differ on most {self.medium.drawn}s of these kinds, which make "
            f"{share} % of the disagreements."
        )

    def rest(self, disputed: int, total: int) -> str:
        """Disagreements in no region."""
        if disputed <= 0:
            return ""
        return f"{precise(disputed / total)} % of the disagreements are in no region, most of them because their classes are rare."

    def nearest(self, region: Region) -> str:
        """What the real pictures beside a region are."""
        if region.real is None or region.real.disputed == 0:
            return f"Real {self.medium.real}s like them, but none on which the two differ in this way"
        return f"Real {self.medium.real}s in this region, and then those most like it"

    def sentences(self, region: Region, conditional: bool) -> list[str]:
        """What was measured of a region, the most important first."""
        own = region.drawn
        lines = [
            f"{share_of(own.mass)} of what the generator draws, and {share_of(own.share)} of all disagreements.",
            self.rate(region),
            self.set_apart(region.traits),
            self.requested(own) if conditional else "",
            fitting(region.texts),
            "" if region.levels is None else apart(region.levels),
            "" if region.real is None else self.real(region.real),
        ]
        return [line for line in lines if line]

    def rate(self, region: Region) -> str:
        """How often the two differ on pictures like these."""
        if not region.drawn.covered:
            return ""
        side, other = (self.first, self.second) if region.rule.side == "first" else (self.second, self.first)
        here, there = self.classes[region.rule.label], region.second if region.rule.side == "first" else region.first
        like = " of this kind" if region.rule.bounds or region.rule.excluded else ""
        rate = share_of(region.drawn.rate)
        like += ", outside the other regions of these classes," if region.rule.excluded else ""
        begin = {"systematic": "A systematic difference: of", "at the border": "A difference near the border of the classes: of"}
        pictures = f"{begin.get(region.kind, 'Of')} the {self.medium.drawn}s{like} that {side} reads as {here}"
        return f"{pictures}, {other} reads {rate} as {self.classes[there]}."

    def requested(self, own: Occurrence) -> str:
        """What the generator was asked for, as a guess of who is right."""
        first, second = own.first_right, own.second_right
        if not first.count:
            return ""
        return (
            f"The generator was asked for {self.first}'s class in {percentage(first.value)} of them and for {self.second}'s in "
            f"{percentage(second.value)}: a guess of who is right, and no more."
        )

    def set_apart(self, traits: Sequence[Trait]) -> str:
        """The properties in which its pictures differ most from those on which the two agree."""
        parts = [
            f"{describe(trait.property, trait.larger > 0.5)} (mean {with_unit(trait.here, trait.property)}, "
            f"{with_unit(trait.there, trait.property)} where both agree)"
            for trait in traits
        ]
        return f"Its {self.medium.drawn}s are {'; '.join(parts)}." if parts else ""

    def real(self, real: Occurrence) -> str:
        """How real pictures fall in it."""
        if not real.disputed:
            return f"None of {real.pictures:,} real {self.medium.real}s is in this region."
        verb = "is" if real.disputed == 1 else "are"
        return (
            f"Of {real.pictures:,} real {self.medium.real}s, {real.disputed:,} {verb} in this region ({share_of(real.mass)}), "
            f"{share_of(real.share)} of the real disagreements."
        )


def fitting(texts: Sequence[FittingText]) -> str:
    """The texts that fit the pictures of a region."""
    if not texts:
        return ""
    parts = [f"“{own.text}” ({percentage(own.larger)} of pairs)" for own in texts]
    return f"By a text-image network, these texts fit them better than pictures on which both agree: {listed(parts)}. A guess."


def apart(levels: float) -> str:
    """How far two classes are apart."""
    return f"The two classes are {levels:.3g} level{'s' * (levels != 1)} apart in the hierarchy."


def in_words(bound: Bound) -> str:
    """A bound: `slant above 12°`, or `at most 1 hole` for a number."""
    if bound.property in COUNTS:
        number = math.ceil(bound.value) if bound.above else math.floor(bound.value)
        name = bound.property.removesuffix("s") if number == 1 else bound.property
        return f"{'at least' if bound.above else 'at most'} {number} {name}" if number else f"no {name}"
    return f"{bound.property} {'above' if bound.above else 'below'} {with_unit(bound.value, bound.property)}"


def with_unit(value: float, name: str) -> str:
    """A value of a property with its unit."""
    return f"{value:.3g}{unit_of(name)}"


def share_of(estimate: Estimate) -> str:
    """A share with its interval, if it has one; of fewer than ten, the counts; a dash if it is not known."""
    if estimate.value != estimate.value:
        return "–"
    if 0 < estimate.count < FEW:
        return f"{round(estimate.value * estimate.count)} of {estimate.count}"
    if estimate.low != estimate.low:
        return f"about {precise(estimate.value)} %"
    low, high = precise(estimate.low), precise(estimate.high)
    return f"{precise(estimate.value)} % ({low} to {high} %)"


def precise(value: float) -> str:
    """A percentage with two significant digits, also when it is small: 0.031."""
    percent = 100 * value
    if percent == 0 or percent >= 99.95:
        return f"{percent:.0f}"
    return f"{percent:.1f}" if percent >= 10 else f"{float(f'{percent:.2g}'):g}"
