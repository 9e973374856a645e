"""The audit of a run before its search: classifies pictures drawn by the generator, and real pictures."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gevaldi.alignment import Known, target_classes
from gevaldi.classifiers._official import LogP, officially
from gevaldi.models import Classifier
from gevaldi.pictures import sources
from gevaldi.pictures._unknown import unknown_classes
from gevaldi.pictures.base import RealPictures, brought_to
from gevaldi.provenance import as_lines, record_files
from gevaldi.runs.checks.evaluation import SIDES, Answers, drawn_rows, record_of, rows_of
from gevaldi.runs.checks.features import distance_record
from gevaldi.runs.checks.shown import Predictions, Shown, identity, once, shown_to
from gevaldi.runs.start import sample_seed
from gevaldi.runs.store.schema import Row
from gevaldi.runs.worker.setup import Models
from gevaldi.sounds.base import refuse_other_sound
from gevaldi.spec import Spec
from gevaldi.statistics.intervals import share
from gevaldi.statistics.words import counted

DRAWN, DRAWN_BY_LARGE = 1000, 100  # pictures to draw for small networks and for large ones, unless the spec sets the number
BATCH, BATCH_OF_LARGE = 50, 8  # a large generator needs a gigabyte for a picture of 512 pixels

ENOUGH = 30  # fewest pictures of known classes for a meaningful share
UNLIKE = 1.5  # ratio of the disagreement on drawn pictures to that on real ones that triggers a warning

OnProgress = Callable[[int, int], None]
"""Called after every batch with the number of pictures classified so far, and their total."""


@dataclass(frozen=True)
class AuditResult:
    """The results of the audit.

    Attributes:
        audit: counts over drawn pictures, and over real ones at the generator's size.
        evaluation: counts over the unmodified real pictures; None without any.
        pictures: the rows of `audit.parquet`.
        unknown: sentences on classes of the real pictures that neither classifier knows; None if there are none.
    """

    audit: dict[str, Any]
    evaluation: dict[str, Any] | None
    pictures: list[Row]
    unknown: str | None = None


def audit(models: Models, conditions: Sequence[int], spec: Spec, on_progress: OnProgress = lambda done, total: None) -> AuditResult:
    """Classify pictures drawn from the prior, and the real pictures, if any.

    In the counts, `disagreements` are the pictures with different top classes. `kept_first` is the mean probability that the first
    classifier gives to the compared classes, if some of its own are left out. `known_first` counts the pictures whose class (the
    condition, or the real picture's class) is one of the first classifier's, and `read_first` those that it classifies correctly;
    the same for the second. `kernel_distance` is the distance of drawn pictures from real ones in the second classifier's features.
    """
    drawn = spec.audited or (DRAWN if models.plan.small else DRAWN_BY_LARGE)
    with record_files() as files:
        real: RealPictures | None = sources.load(spec.real) if spec.real is not None else None
        resized = brought_to(real, picture_shape(models)) if real is not None else None
    refuse_other_sound(models.generator.sound, real.sound if real else None)
    size = batch_of(models)
    official = sum(models.classifier(side).official is not None for side in SIDES)
    total, done = drawn + (len(real.pictures) * (1 + official) if real else 0), 0
    how = (models.device, models.plan.dtype, models.plan.channels_last, size)

    def on_picture(count: int = 1) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    def tally(key: Hashable, batches: Iterable[tuple[Tensor, list[Known]]]) -> Tally:
        def each() -> Iterator[tuple[Tensor, list[Known]]]:
            for pictures, known in batches:
                yield pictures, known
                on_picture(len(pictures))

        return Tally(models, *shown_to({side: models.classifier(side) for side in SIDES}, key, each(), models.plan.dtype))

    key = (models.generator, *conditions, drawn, *how)
    generated = tally(key, drawn_pictures(models, conditions, drawn))
    record: dict[str, Any] = {"generated": {"name": spec.generator} | generated.record(), "real": None, "kernel_distance": None}
    rows = [
        *drawn_rows(
            generated.shown.some,
            {side: generated.answers(side) for side in SIDES},
            [name for name, _ in generated.shown.classes],
        )
    ]
    if real is None or resized is None or spec.real is None:
        return AuditResult(record, None, rows)
    classes: list[Known] = [(name, name) for name in real.classes]
    starts = range(0, len(real.pictures), size)
    batches = ((torch.stack([*resized.pictures[i : i + size]]).to(models.device), classes[i : i + size]) for i in starts)
    with record_files() as read:
        seen = tally((spec.real, *real.classes, models.generator, *how), batches)
    record["real"] = {"name": spec.real} | seen.record()
    record["real"] |= {"sha256": sha256(as_lines(files | read).encode(errors="surrogateescape")).hexdigest()}
    own, others = (found.predictions["second"].features for found in (generated, seen))
    assert own
    assert others
    record["kernel_distance"] = once((key, spec.real, *real.classes, identity(models.second)), lambda: distance_record(own, others))
    with torch.no_grad():
        first, second = (seen.answers(side, _officially(models.classifier(side), spec.real, real, on_picture)) for side in SIDES)
    rows += rows_of(first, second, real)
    evaluation = {"name": spec.real} | record_of(first, second, real.classes)
    return AuditResult(record, evaluation, rows, unknown_classes(real.classes, models.first, models.second))


def _officially(classifier: Classifier, name: str, real: RealPictures, on_picture: Callable[[], None]) -> LogP | None:
    """A classifier's answers by its own pipeline, if it has one."""
    return once(
        ("official", name, *real.classes, identity(classifier)),
        lambda: officially(classifier, real.pictures, on_picture),
        lambda log_p: 0 if log_p is None else log_p.nbytes,
    )


def batch_of(models: Models) -> int:
    """The number of pictures classified together."""
    return BATCH if models.plan.small else BATCH_OF_LARGE


@torch.no_grad()
def drawn_pictures(models: Models, conditions: Sequence[int], count: int) -> Iterator[tuple[Tensor, list[Known]]]:
    """Pictures drawn from the generator, in batches, with their classes, which are drawn at random and not taken in turn.

    In turn, a hundred pictures would show the first hundred of a thousand classes, all animals in ImageNet.
    """
    known = models.generator.conditions
    classes = np.random.default_rng(2**63).choice(conditions, count).tolist() if conditions else [0] * count
    # A seed that no run can have, so that the audit does not draw the starts of the search.
    seeds = [sample_seed(2**63, i) for i in range(count)]
    size = batch_of(models)
    for begin in range(0, count, size):
        now = classes[begin : begin + size]
        z = models.draw_latents(seeds[begin : begin + size])
        pictures = models.generator(z, torch.tensor(now, device=models.device))
        yield pictures, [(known[i].name, known[i].id) if conditions else (None, None) for i in now]


@torch.no_grad()
def picture_shape(models: Models) -> tuple[int, int, int]:
    """Channels, height and width of the generator's pictures."""
    channels, height, width = models.generator(models.draw_latents([0]), torch.zeros(1, dtype=torch.long, device=models.device))[
        0
    ].shape
    return channels, height, width


def audit_warnings(record: dict[str, Any]) -> list[str]:
    """Warnings from the counts: a classifier that is nearly always wrong, or a generator that draws unrealistic pictures."""
    generated, real = record["generated"], record["real"]
    warnings = []
    looked_at, where = (real, "real") if real else (generated, "drawn")
    if min(looked_at["known_first"], looked_at["known_second"]) >= ENOUGH:
        reads = {side: share(looked_at[f"read_{side}"], looked_at[f"known_{side}"]) for side in ("first", "second")}
        worse, better = sorted(reads, key=lambda side: reads[side].value)
        if reads[worse].high < reads[better].low / 2:
            low, high = (counted(reads[side]) for side in (worse, better))
            warnings.append(
                f"The {worse} classifier classifies {low} of the {where} pictures correctly, the {better} {high}. Does it get "
                "pictures as it expects them (range, inversion, colours), and are its labels in the right order?"
            )
    if real:
        drawn, on_real = (share(counts["disagreements"], counts["pictures"]) for counts in (generated, real))
        if drawn.low > on_real.high and drawn.value >= UNLIKE * on_real.value:
            warnings.append(
                f"The two differ on {counted(drawn)} of drawn pictures and on {counted(on_real)} of real ones: "
                "the generator also draws rare pictures, so samples found with it are less representative."
            )
    return warnings


@dataclass(frozen=True)
class Tally:
    """Pictures and the predictions of both classifiers."""

    models: Models
    shown: Shown
    predictions: Mapping[str, Predictions]

    def record(self) -> dict[str, Any]:
        """The counts."""
        log_p, log_q = (torch.cat(self.predictions[side].log_p) for side in SIDES)
        kept = {side: self.predictions[side].kept for side in SIDES}
        result: dict[str, Any] = {
            "pictures": len(self.shown.classes),
            **{f"kept_{side}": _mean(torch.cat(parts)) if parts else None for side, parts in kept.items()},
            "disagreements": int((log_p.argmax(1) != log_q.argmax(1)).sum()),
            "confidence_first": _mean(log_p.exp().amax(1)),
            "confidence_second": _mean(log_q.exp().amax(1)),
            "divergence_mean": _mean(self.models.divergence(log_p, log_q)),
        }
        for side in SIDES:
            own = self.answers(side)
            result |= {f"known_{side}": int(own.truth.any(1).sum()), f"read_{side}": int(own.right.sum())}
        return result

    def answers(self, side: str, official: LogP | None = None) -> Answers:
        """A classifier's answers on the pictures, with those of its `official` pipeline if it has one."""
        classifier, resized = self.models.classifier(side), torch.cat(self.predictions[side].log_p).float().numpy()
        meant = {known: [*target_classes(known, classifier)] for known in set(self.shown.classes)}
        truth = np.zeros(resized.shape, dtype=bool)
        for i, known in enumerate(self.shown.classes):
            truth[i, meant[known]] = True
        return Answers(classifier, resized if official is None else official, resized, truth)


def _mean(values: Tensor) -> float | None:
    """The mean, or None if it is not finite, since JSON has only finite numbers."""
    mean = values.mean().item()
    return mean if math.isfinite(mean) else None
