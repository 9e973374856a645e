"""The record of regions, `regions/regions.json`: all numbers, and the sentences that word them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from gevaldi.engines.base import Job
from gevaldi.mass.draws import Draw
from gevaldi.mass.mass import Mass
from gevaldi.models import Pictures
from gevaldi.regions.measured import Occurrence, Region
from gevaldi.regions.rules import Table
from gevaldi.regions.tables import RealTable
from gevaldi.regions.words import Words, share_of
from gevaldi.statistics.intervals import Estimate

THRESHOLDS = (1.0, 3.0)  # divergences above which the mass is reported


@runtime_checkable
class Source(Protocol):
    """Draws by number."""

    def draw(self, indices: Sequence[int]) -> Draw:
        """Both predictions for some of them."""
        ...

    def pictures(self, indices: Sequence[int]) -> Iterator[Pictures]:
        """Their pictures, a few at a time."""
        ...


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        mass: how much of what the generator draws the two dispute.
        source: the draws of the regions.
        disputed: draws with the disagreements.
        regions: the regions, the most important first.
        measured: disagreements on which the regions were measured.
    """

    mass: Mass
    source: Source
    disputed: Table
    regions: list[Region]
    measured: int

    @property
    def conditional(self) -> bool:
        """Whether the generator was asked for classes that the classifiers know."""
        return bool((self.disputed.condition >= 0).any())


def record_of(
    found: Findings, most: int, draws: int, above: Sequence[Mass], real: tuple[str, RealTable] | None, job: Job, words: Words
) -> dict[str, Any]:
    """The record as JSON.

    Args:
        found: what was found.
        most: of how many regions to write the numbers; sentences are about all.
        draws: how many draws did not fail.
        above: the masses of the divergence above thresholds.
        real: the name of real pictures, and these.
        job: the run.
        words: the names.
    """
    covered = sum(region.drawn.disputed for region in found.regions)
    unit = (job.run.record.get("divergence") or {}).get("unit", "")
    return {
        "draws": draws,
        "generator": job.run.spec.generator,
        "mass": numbers(found.mass.probability) | {"method": found.mass.method, "evaluations": found.mass.evaluations},
        "above": {mass.event: numbers(mass.probability) for mass in above},
        "by_condition": {
            name: {"name": name, "words": share_of(estimate), **numbers(estimate)}
            for name, estimate in found.mass.by_condition.items()
        },
        "real": None if real is None else {"name": real[0], "pictures": len(real[1].table)},
        "by_pair": [
            {"first": a, "second": b, "words": share_of(estimate), **numbers(estimate)}
            for (a, b), estimate in sorted(found.mass.by_pair.items(), key=lambda item: -item[1].value)
        ],
        "sentences": words.summary(found.mass, above[0] if above else None, found.regions, draws, unit),
        "caution": words.caution,
        "rest": words.rest(found.measured - covered, found.measured) if found.mass.method == "Monte Carlo" else "",
        "regions": [_entry(region, found.conditional, real[1] if real else None, words) for region in found.regions[:most]],
    }


def _entry(region: Region, conditional: bool, real: RealTable | None, words: Words) -> dict[str, Any]:
    own = region.drawn
    return {
        "title": words.title(region),
        "first_class": words.classes[region.first],
        "second_class": words.classes[region.second],
        "systematic": region.systematic,
        "kind": region.kind,
        "rule": asdict(region.rule),
        "drawn": _occurrence(own),
        "real": None if region.real is None else _occurrence(region.real),
        "traits": [asdict(trait) for trait in region.traits],
        "texts": [asdict(text) for text in region.texts],
        "exemplars": list(region.exemplars),
        "nearest": [] if real is None else [real.name(place) for place in region.nearest],
        "places": [] if real is None else real.table.index[region.rule.holds(real.table)].tolist(),
        "levels": region.levels,
        "sentences": words.sentences(region, conditional),
        "mass_words": share_of(own.mass),
        "share_words": share_of(own.share),
        "rate_words": share_of(own.rate),
        "nearest_words": words.nearest(region),
    }


def _occurrence(own: Occurrence) -> dict[str, Any]:
    return {key: numbers(value) if isinstance(value, Estimate) else value for key, value in vars(own).items()}


def numbers(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as JSON, which has no NaN."""
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {key: None if value != value else value for key, value in values.items()}
