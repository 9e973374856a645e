"""The generator audited: how the two classifiers see what it draws, unsearched, beside real pictures."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gevaldi.pictures import load_pictures
from gevaldi.runs.start import sample_seed
from gevaldi.runs.worker import Models

DRAWN = 1000
BATCH = 50


def audit(models: Models, conditions: Sequence[int], real: str | None, name: str) -> dict[str, Any]:
    """Counts over 1,000 pictures drawn from the prior, and over the real ones where there are any.

    `disagreements` counts pictures with different top classes; `read_first` and `read_second` count those whose class (the
    condition, or the real picture's) the classifier names, and are None where no class is known.
    """
    drawn, classes = _draw(models, conditions)
    known = [models.generator.conditions[i].name for i in classes] if conditions else [None] * DRAWN
    result: dict[str, Any] = {"generated": {"name": name} | _counts(models, drawn, known), "real": None}
    if real is not None:
        shape = tuple(drawn.shape[1:])
        assert len(shape) == 3
        pictures = load_pictures(real, shape)
        result["real"] = {"name": real} | _counts(models, torch.stack(pictures.pictures), pictures.classes)
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
def _counts(models: Models, pictures: Tensor, classes: Sequence[str | None]) -> dict[str, Any]:
    parts = [(models.first(x), models.second(x)) for x in pictures.to(models.device, models.rounding.dtype).split(BATCH)]
    log_p, log_q = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    tops = {"first": log_p.argmax(1), "second": log_q.argmax(1)}
    labels = {"first": models.first.labels, "second": models.second.labels}
    result: dict[str, Any] = {
        "pictures": len(pictures),
        "disagreements": int((tops["first"] != tops["second"]).sum()),
        "confidence_first": log_p.exp().amax(1).mean().item(),
        "confidence_second": log_q.exp().amax(1).mean().item(),
        "divergence_mean": models.divergence(log_p, log_q).mean().item(),
    }
    for who, top in tops.items():
        read = [c in (labels[who][i].name, labels[who][i].id) for i, c in zip(top.tolist(), classes, strict=True) if c is not None]
        result[f"read_{who}"] = sum(read) if read else None
    return result
