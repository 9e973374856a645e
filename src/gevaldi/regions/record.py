"""The record of regions, `regions/regions.json`: all numbers, and the sentences that word them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gevaldi.engines.base import Job
from gevaldi.regions.measured import Occurrence, Region
from gevaldi.regions.rules import Table
from gevaldi.regions.tables import Seen
from gevaldi.regions.words import CAUTION, Words, share_of
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share

THRESHOLDS = (1.0, 3.0)  # divergences above which the mass is reported


@dataclass(frozen=True)
class Findings:
    """What a record is made of.

    Attributes:
        draws: how many draws there are, failed ones included.
        divergence: of each draw; NaN for a failed one.
        drawn: the draws that did not fail.
        measuring: the half of them on which regions were measured.
        regions: the regions.
        real: the real pictures, if there are any.
        pool: their name.
    """

    draws: int
    divergence: Float[np.ndarray, " draws"]
    drawn: Table
    measuring: Table
    regions: Sequence[Region]
    real: Seen | None
    pool: str | None

    @property
    def mass(self) -> Estimate:
        """The share of draws on which the two differ."""
        return exact_share(int(self.drawn.differ.sum()), len(self.drawn))

    @property
    def rest(self) -> int:
        """Disagreements of the measured half in no region."""
        return int(self.measuring.differ.sum()) - sum(region.drawn.disputed for region in self.regions)

    @property
    def conditional(self) -> bool:
        """Whether the generator was asked for classes that the classifiers know."""
        return bool((self.drawn.condition >= 0).any())

    def above(self, threshold: float) -> Estimate:
        """The share of draws whose divergence is above a threshold."""
        known = np.isfinite(self.divergence)
        return exact_share(int((self.divergence[known] > threshold).sum()), int(known.sum()))

    def by_condition(self) -> Iterator[tuple[int, Estimate]]:
        """For each class that was asked for, the share of its draws on which the two differ."""
        for label in sorted(set(self.drawn.condition.tolist()) - {-1}):
            own = self.drawn.differ[self.drawn.condition == label]
            yield label, exact_share(int(own.sum()), len(own))


def record_of(findings: Findings, job: Job, words: Words) -> dict[str, Any]:
    """The record as JSON."""
    return {
        "draws": findings.draws,
        "failed": findings.draws - len(findings.drawn),
        "generator": job.run.spec.generator,
        "mass": numbers(findings.mass),
        "above": {f"{threshold:g}": numbers(findings.above(threshold)) for threshold in THRESHOLDS},
        "by_condition": {words.classes[label]: numbers(estimate) for label, estimate in findings.by_condition()},
        "real": None if findings.real is None else {"name": findings.pool, "pictures": len(findings.real.table)},
        "sentences": words.summary(
            findings.mass,
            findings.above(THRESHOLDS[0]),
            [region for region in findings.regions if region.systematic],
            findings.draws,
            findings.draws - len(findings.drawn),
            (job.run.record.get("divergence") or {}).get("unit", ""),
            job.models.generator.starts_at_zero,
        ),
        "caution": CAUTION,
        "rest": words.rest(findings.rest, int(findings.measuring.differ.sum())),
        "regions": [_entry(region, findings, words) for region in findings.regions],
    }


def _entry(region: Region, findings: Findings, words: Words) -> dict[str, Any]:
    own = region.drawn
    return {
        "title": words.title(region),
        "first_class": words.classes[region.first],
        "second_class": words.classes[region.second],
        "systematic": region.systematic,
        "rule": asdict(region.rule),
        "drawn": _occurrence(own),
        "real": None if region.real is None else _occurrence(region.real),
        "traits": [asdict(trait) for trait in region.traits],
        "exemplars": list(region.exemplars),
        "nearest": [] if findings.real is None else [findings.real.name(place) for place in region.nearest],
        "levels": region.levels,
        "sentences": words.sentences(region, findings.conditional),
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
