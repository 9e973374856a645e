"""The generator audited: how the two classifiers see what it draws, unsearched, beside real pictures."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gevaldi.alignment import Aligned, places_of
from gevaldi.models import Classifier
from gevaldi.pictures import load_pictures
from gevaldi.runs.start import sample_seed
from gevaldi.runs.worker import Models

DRAWN = 1000
BATCH = 50


def audit(models: Models, conditions: Sequence[int], real: str | None, name: str) -> dict[str, Any]:
    """Counts over 1,000 pictures drawn from the prior, and over the real ones where there are any.

    `disagreements` counts pictures with different top classes. `kept_first` is the mean probability that the first classifier gives
    to the classes compared, where some of its own are left out. `known_first` counts the pictures whose class (the condition, or
    the real picture's) is one of the first classifier's, `read_first` those among them that it reads so; the same for the second.
    """
    drawn, classes = _draw(models, conditions)
    asked = models.generator.conditions
    known = [(asked[i].name, asked[i].id) if conditions else (None, None) for i in classes]
    result: dict[str, Any] = {"generated": {"name": name} | _counts(models, drawn, known), "real": None}
    if real is not None:
        shape = tuple(drawn.shape[1:])
        assert len(shape) == 3
        pictures = load_pictures(real, shape)
        result["real"] = {"name": real} | _counts(models, torch.stack(pictures.pictures), [(c, c) for c in pictures.classes])
    return result


@torch.no_grad()
def _draw(models: Models, conditions: Sequence[int]) -> tuple[Tensor, list[int]]:
    classes = [conditions[i % len(conditions)] if conditions else 0 for i in range(DRAWN)]
    # A seed that no run has: the audit must not look at the very starts that are searched.
    seeds = [sample_seed(2**63, i) for i in range(DRAWN)]
    parts = []
    for begin in range(0, DRAWN, BATCH):
        z = models.starts(seeds[begin : begin + BATCH])
        parts.append(models.generator(z, torch.tensor(classes[begin : begin + BATCH], device=models.device)).cpu())
    return torch.cat(parts), classes


@torch.no_grad()
def _counts(models: Models, pictures: Tensor, classes: Sequence[tuple[str | None, str | None]]) -> dict[str, Any]:
    parts = [(models.first(x), models.second(x)) for x in pictures.to(models.device, models.rounding.dtype).split(BATCH)]
    log_p, log_q = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    tops = {"first": log_p.argmax(1), "second": log_q.argmax(1)}
    kept = {who: _kept(models.classifier(who), pictures, models) for who in ("first", "second")}
    result: dict[str, Any] = {
        "pictures": len(pictures),
        **{f"kept_{who}": share for who, share in kept.items()},
        "disagreements": int((tops["first"] != tops["second"]).sum()),
        "confidence_first": log_p.exp().amax(1).mean().item(),
        "confidence_second": log_q.exp().amax(1).mean().item(),
        "divergence_mean": models.divergence(log_p, log_q).mean().item(),
    }
    for who, top in tops.items():
        meant = {c: _meant(c, models.classifier(who)) for c in set(classes)}
        read = [i in meant[c] for i, c in zip(top.tolist(), classes, strict=True) if meant[c]]
        result |= {f"known_{who}": len(read), f"read_{who}": sum(read)}
    return result


def _kept(classifier: Classifier, pictures: Tensor, models: Models) -> float | None:
    """The mean probability that a classifier gives to the classes compared, where some of its own are left out."""
    if not isinstance(classifier, Aligned) or None not in classifier.places:
        return None
    parts = pictures.to(models.device, models.rounding.dtype).split(BATCH)
    return torch.cat([classifier.kept(x) for x in parts]).mean().item()


def _meant(known: tuple[str | None, str | None], classifier: Classifier) -> set[int]:
    """The classes that a picture's class stands for; of a folder it is not known whether it bears a name or an id."""
    name, own = known
    return places_of(name, own, classifier) | (places_of(name, None, classifier) if name == own else set())
