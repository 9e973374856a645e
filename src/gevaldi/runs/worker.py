"""What a worker does with a chunk of starts: draw, search, and turn what was found into rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gevaldi.alignment import Alignment, places_of
from gevaldi.divergences.base import Divergence
from gevaldi.errors import GevaldiError
from gevaldi.measures.kinds import kind
from gevaldi.models import Classifier, Generator, Label
from gevaldi.objective import Evaluation, Objective, joined
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.recheck import held
from gevaldi.runs.rounding import Rounding
from gevaldi.runs.rows import encode_png, encode_small, first_trouble, in_levels, known, out_of_range, probability_of, top_classes
from gevaldi.runs.schema import Row
from gevaldi.runs.spec import Spec
from gevaldi.runs.start import Start
from gevaldi.runs.traces import Found, Traces
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.loop import search


@dataclass(frozen=True)
class Models:
    """The three networks and the rest of what a worker needs, ready on a device."""

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    algorithm: Algorithm
    device: torch.device
    rounding: Rounding
    hierarchy: Hierarchy | None = None
    alignment: Alignment | None = None

    def drawn(self, seeds: Sequence[int]) -> Tensor:
        """Latents drawn from the generator's prior, one a seed."""
        return self.generator.prior.sample(seeds).to(self.device, self.rounding.dtype)

    def starts(self, seeds: Sequence[int]) -> Tensor:
        """Latents that searches start from, one a seed: drawn, or zero for offsets from something real."""
        drawn = self.drawn(seeds)
        return torch.zeros_like(drawn) if self.generator.starts_at_zero else drawn

    def classifier(self, who: str) -> Classifier:
        """The first or the second."""
        return self.first if who == "first" else self.second

    def meant(self, condition: int | None) -> list[int]:
        """The classes compared that are what the generator is asked for; none where they are not among them."""
        return [] if condition is None else self._meant[condition]

    @cached_property
    def _meant(self) -> list[list[int]]:
        pair, asked = (self.first, self.second), self.generator.conditions
        return [sorted({i for side in pair for i in places_of(label.name, label.id, side)}) for label in asked]

    def objective(self, order: str, prior_weight: float, mixed: torch.dtype | None = None) -> Objective:
        """Equation 3 for one order of the two classifiers, the networks computed in the numbers `mixed` where these are given."""
        pair = (self.first, self.second) if order == "forward" else (self.second, self.first)
        return Objective(*pair, self.generator, self.divergence, prior_weight, mixed)


Watch = Callable[[int, int], None]
"""Told after every step: how many samples of the chunk are still searching, and the step's number."""


def work(starts: Sequence[Start], models: Models, spec: Spec, watch: Watch = lambda active, step: None) -> list[Row]:
    """Search from all starts of a chunk (of one order) together; one row each, also of those that fail.

    If the networks raise an error on the whole chunk, every start is tried alone, so that only the culprits fail.
    """
    try:
        return _work(starts, models, spec, watch)
    except torch.OutOfMemoryError:
        if len(starts) == 1:
            raise
        middle = len(starts) // 2
        return work(starts[:middle], models, spec, watch) + work(starts[middle:], models, spec, watch)
    except GevaldiError:
        raise
    except Exception as error:  # whatever the user's networks may raise
        if len(starts) == 1:
            return [failure(starts[0], models.generator.conditions, f"{type(error).__name__}: {error}")]
        return [row for start in starts for row in work([start], models, spec, watch)]


def _work(starts: Sequence[Start], models: Models, spec: Spec, watch: Watch) -> list[Row]:
    seeds = [start.seed for start in starts]
    z = models.starts(seeds)
    condition = torch.tensor([start.condition or 0 for start in starts], device=models.device)
    order, rounding = starts[0].order, models.rounding
    exactly, quickly = (models.objective(order, spec.prior_weight, mixed) for mixed in (None, rounding.mixed))
    traces = Traces(models.generator.prior, models.hierarchy, models.generator.centre(condition))
    for step in search(quickly, z, condition, seeds, models.algorithm, spec.search, spec.search.typical_mass, rounding.lanes):
        traces.follow(step)
        watch(len(step.places), step.number)
    traces.end(
        halving(lambda places, z: exactly.given(condition[places], rounding.lanes)(z)),
        at_best=models.algorithm.converges,
        again=rounding.mixed is not None,
    )
    return [_row(start, found, models) for start, found in zip(starts, traces.samples(len(starts)), strict=True)]


def halving(evaluate: Callable[[Tensor, Tensor], Evaluation]) -> Callable[[Tensor, Tensor], Evaluation]:
    """The same, in halves where memory does not suffice: the end in single precision needs more of it than the way in bfloat16."""

    def evaluated(places: Tensor, z: Tensor) -> Evaluation:
        try:
            return evaluate(places, z)
        except torch.OutOfMemoryError:
            if len(z) == 1:
                raise
        middle = len(z) // 2
        return joined([evaluated(places[:middle], z[:middle]), evaluated(places[middle:], z[middle:])])

    return evaluated


def _row(start: Start, found: Found, models: Models) -> Row:
    trouble = first_trouble(found.end, found.path["divergence"], start.order) if found.status == "failed" else None
    trouble = trouble or out_of_range(found.end.pictures)
    prior = models.generator.prior
    names = ("first", "second") if start.order == "forward" else ("second", "first")
    row = identity(start, models.generator.conditions) | {
        "status": "failed" if trouble else found.status,
        "error": trouble,
        "steps": found.steps,
        "asked_labels": models.meant(start.condition),
    }
    for moment, evaluation in (("start", found.start), ("end", found.end)):
        row |= {
            f"divergence_{moment}": evaluation.divergence.item(),
            f"log_prior_{moment}": prior.log_prob(evaluation.z).item(),
            f"typicality_{moment}": prior.typicality(evaluation.z).item(),
            f"picture_{moment}": {"bytes": encode_png(evaluation.pictures[0]), "path": None},
            f"z_{moment}": evaluation.z.flatten().cpu().numpy(),
        }
        for who, log_p in zip(names, (evaluation.log_p, evaluation.log_q), strict=True):
            row[f"{who}_{moment}"] = top_classes(log_p[0], models.classifier(who).labels)
            row[f"asked_{who}_{moment}"] = probability_of(log_p[0], row["asked_labels"])
    row |= {"step_end": found.step_end, "delta_z": found.path["delta_z"][found.step_end]}
    row |= {f"path_{key}": values for key, values in found.path.items() if key not in ("place", "value", "p", "q")}
    row |= {f"path_{who}": found.path[key].tolist() for who, key in zip(names, ("p", "q"), strict=True)}
    row |= _pictures_along(found)
    if models.generator.originals is not None and start.condition is not None:
        row["picture_original"] = {"bytes": encode_png(models.generator.originals[start.condition]), "path": None}
    for n in models.hierarchy.sizes if models.hierarchy else ():
        start_and_end = (("start", 0), ("end", found.step_end))
        row |= {f"set_distance_{n}_{moment}": known(float(found.path[f"set_distance_{n}"][step])) for moment, step in start_and_end}
    if not trouble:
        row["held"] = held(row, {who: models.classifier(who) for who in names}, models.device, models.rounding)
    return row | kind(row, models.hierarchy.scale if models.hierarchy else None)


def _pictures_along(found: Found) -> Row:
    """The pictures of a path, from its start to its end."""
    ends = {0: in_levels(found.start.pictures[0]), found.step_end: in_levels(found.end.pictures[0])}
    kept = sorted((found.pictures | ends).items())
    return {
        "path_pictures": [{"bytes": encode_small(picture), "path": None} for _, picture in kept],
        "path_picture_steps": [step for step, _ in kept],
    }


def identity(start: Start, conditions: tuple[Label, ...]) -> Row:
    """What is known of a row before its search."""
    asked = conditions[start.condition] if start.condition is not None else Label(name="")
    known = start.condition is not None
    return {
        "index": start.index,
        "seed": start.seed,
        "order": start.order,
        "condition": start.condition,
        "condition_name": asked.name if known else None,
        "condition_id": asked.id,
    }


def failure(start: Start, conditions: tuple[Label, ...], error: str) -> Row:
    """The row of a start on which the networks raised an error."""
    return identity(start, conditions) | {"status": "failed", "error": error, "steps": 0}
