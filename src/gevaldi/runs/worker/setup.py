"""A worker's models: the three networks and the parts of the objective, ready on a device."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from gevaldi.alignment import Alignment, places_of
from gevaldi.contract import on_device
from gevaldi.divergences.base import Divergence
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.execution.threads import in_threads
from gevaldi.execution.tuning import Tuning
from gevaldi.models import Classifier, Generator, passes_gradients, requests_at_once
from gevaldi.objective import Objective
from gevaldi.provenance import Files
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.sounds.base import Sound
from gevaldi.sounds.files import is_installed


@dataclass(frozen=True)
class Models:
    """The three networks, the other parts of the objective, and their execution plan on a device."""

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    algorithm: Algorithm
    device: torch.device
    plan: ExecutionPlan
    hierarchy: Hierarchy | None = None
    alignment: Alignment | None = None
    tuning: Tuning | None = None
    files: Files = field(default_factory=dict)

    def draw_latents(self, seeds: Sequence[int]) -> Tensor:
        """Latents drawn from the generator's prior, one per seed."""
        return self.generator.prior.sample(seeds).to(self.device, self.plan.dtype)

    def starts(self, seeds: Sequence[int]) -> Tensor:
        """Latents to start searches from, one per seed: drawn, or zero if latents are offsets from a real picture."""
        drawn = self.draw_latents(seeds)
        return torch.zeros_like(drawn) if self.generator.starts_at_zero else drawn

    def classifier(self, side: str) -> Classifier:
        """The first or the second classifier."""
        return self.first if side == "first" else self.second

    def target_classes(self, condition: int | None) -> list[int]:
        """The indices of the compared classes that match a condition; empty if none does."""
        return [] if condition is None else self._target_classes[condition]

    @cached_property
    def _target_classes(self) -> list[list[int]]:
        sides = (self.first, self.second)
        return [sorted({i for side in sides for i in places_of(label.name, label.id, side)}) for label in self.generator.conditions]

    @property
    def sound(self) -> Sound | None:
        """How pictures become sound in rows: none without the packages of sound, which networks on log-mel pictures do not need."""
        return self.generator.sound if is_installed() else None

    @cached_property
    def has_gradient(self) -> bool:
        """Whether gradients pass through both classifiers."""
        return passes_gradients(self.first) and passes_gradients(self.second)

    @cached_property
    def requests_at_once(self) -> int:
        """How many requests the services of the classifiers answer at once; 0 if none is behind a service."""
        return max(requests_at_once(self.first), requests_at_once(self.second))

    @cached_property
    def search_has_gradient(self) -> bool:
        """Whether the algorithm receives a gradient: that of both classifiers, or of one if it makes do with it."""
        passing = passes_gradients(self.first), passes_gradients(self.second)
        return self.algorithm.needs_gradient and (all if self.algorithm.needs_both else any)(passing)

    def objective(self, prior_weight: float) -> Objective:
        """Equation 3, with the first classifier as p₁."""
        return Objective(self.first, self.second, self.generator, self.divergence, prior_weight, self.has_gradient)


@contextmanager
def prepare_torch(models: Models) -> Iterator[None]:
    """Put the networks on the device without parameter gradients, and set torch's threads to the plan's, within the context."""
    plan, networks = models.plan, (models.first, models.second, models.generator)
    with (
        on_device(*networks, device=models.device, dtype=plan.dtype, channels_last=plan.channels_last),
        in_threads(1 if plan.small else plan.threads),
    ):
        yield
