"""The search loop for all algorithms: samples take steps together, and join and leave one by one."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.batches import concatenate, select
from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, Evaluation
from gevaldi.priors.base import per_sample
from gevaldi.search.algorithms.base import Algorithm, Memory
from gevaldi.search.stopping import Stopping

Status = Literal["converged", "out of steps", "failed"]


@dataclass(frozen=True)
class NewSamples:
    """Samples before their first step.

    Attributes:
        z: the latents to start from.
        condition: the generator's conditions.
        swapped: whether the second classifier is p₁.
        seeds: the noise of a sample's step is a function of (seed, step).
        ids: numbers that identify the samples in the loop's steps.
    """

    z: Float[Tensor, "batch ..."]
    condition: Int[Tensor, " batch"]
    swapped: Bool[Tensor, " batch"]
    seeds: Sequence[int]
    ids: Sequence[int]

    @classmethod
    def forward(cls, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], seeds: Sequence[int]) -> "NewSamples":
        """Samples in forward order, numbered from 0."""
        return cls(z, condition, torch.zeros_like(condition, dtype=torch.bool), seeds, range(len(z)))


@dataclass(frozen=True)
class ActiveBatch:
    """The samples in the search. The values that the host needs (seeds, ids, steps) are on the CPU.

    Attributes:
        z: the latents to evaluate next.
        start: the latents of the samples' first evaluation.
        best: the latents with the largest objective so far, and `best_value` that objective.
        before: the sum of the objective over the last whole window.
        latest: its sum since then.
        steps: the number of steps that each sample has taken.
    """

    z: Float[Tensor, "batch ..."]
    condition: Int[Tensor, " batch"]
    swapped: Bool[Tensor, " batch"]
    memory: Memory
    start: Float[Tensor, "batch ..."]
    best: Float[Tensor, "batch ..."]
    best_value: Float[Tensor, " batch"]
    before: Float[Tensor, " batch"]
    latest: Float[Tensor, " batch"]
    seeds: Int[Tensor, " batch"]
    ids: Int[Tensor, " batch"]
    steps: Int[Tensor, " batch"]

    @classmethod
    def of(cls, new: NewSamples, algorithm: Algorithm) -> "ActiveBatch":
        """New samples, before their first evaluation."""
        zeros = new.z.new_zeros(len(new.z))
        return cls(
            z=new.z,
            condition=new.condition,
            swapped=new.swapped,
            memory=algorithm.start(new.z),
            start=new.z,
            best=new.z,
            best_value=zeros - torch.inf,
            before=zeros,
            latest=zeros,
            seeds=torch.tensor(new.seeds),
            ids=torch.tensor(new.ids),
            steps=torch.zeros(len(new.z), dtype=torch.long),
        )

    def record_evaluation(self, now: Evaluation) -> "ActiveBatch":
        """The batch updated with an evaluation: starts, best latents so far and the sums of the objective."""
        better = now.value > self.best_value
        return replace(
            self,
            start=torch.where(per_sample(self.steps == 0, now.z).to(now.z.device), now.z, self.start),
            best=torch.where(per_sample(better, now.z), now.z, self.best),
            best_value=torch.where(better, now.value, self.best_value),
            latest=self.latest + now.value,
        )


@dataclass(frozen=True)
class Step:
    """One yield of the loop.

    Attributes:
        batch: the samples that took the step, with their numbers of steps (0 at the start).
        evaluation: the evaluation of their latents, in the same order.
        leaving: the status of samples that leave now, by position.
    """

    batch: ActiveBatch
    evaluation: Evaluation
    leaving: dict[int, Status]


Supply = Callable[[int], Sequence[NewSamples]]
"""Returns the samples that join before the next step, given the number of samples in the search."""


def search(evaluate: Evaluate, supply: Supply, algorithm: Algorithm, stopping: Stopping) -> Iterator[Step]:
    """Search from all latents that `supply` returns, in one batch; yields every step until no sample is left.

    Samples may be at different steps. The path of a sample does not depend on the others.
    """
    batches: list[ActiveBatch] = []
    while batches := [*batches, *(ActiveBatch.of(new, algorithm) for new in supply(sum(len(batch.ids) for batch in batches)))]:
        batch = concatenate(batches)
        now = evaluate(batch.z, batch.condition, batch.swapped)
        batch, leaving = apply_stopping_rule(
            batch.record_evaluation(now), now, algorithm.converges and algorithm.stops_early, stopping
        )
        yield Step(batch, now, leaving)
        staying = torch.tensor([i for i in range(len(batch.ids)) if i not in leaving], dtype=torch.long)
        batches = [advance(select(batch, staying), select(now, staying), algorithm)] if len(staying) else []


def at_once(samples: NewSamples) -> Supply:
    """Supplies these samples together, and no others."""
    waiting = [samples]
    return lambda searching: [waiting.pop()] if waiting else []


def advance(batch: ActiveBatch, now: Evaluation, algorithm: Algorithm) -> ActiveBatch:
    """The batch one step further."""
    steps = batch.steps + 1
    z, memory = algorithm.step(now, batch.memory, Noise(batch.seeds.tolist(), steps.tolist()))
    return replace(batch, z=z, memory=memory, steps=steps)


def apply_stopping_rule(
    batch: ActiveBatch, now: Evaluation, stops_early: bool, stopping: Stopping
) -> tuple[ActiveBatch, dict[int, Status]]:
    """Decide which samples leave after an evaluation, and start new windows. Waits for the device only once."""
    steps = batch.steps.tolist()
    leaving: dict[int, Status] = {i: "out of steps" for i, taken in enumerate(steps) if taken == stopping.steps}
    whole = now.value + now.gradient.flatten(1).sum(1)  # a search cannot continue unless this is finite
    window_ends = [taken % stopping.window == 0 for taken in steps]
    if not (stops_early and any(window_ends)):
        return batch, leaving | ({} if math.isfinite(whole.sum()) else dict.fromkeys(positions(~whole.isfinite()), "failed"))
    gains = batch.latest - batch.before > stopping.gain * stopping.window * now.divergence.abs()
    finite, gaining = torch.stack([whole.isfinite(), gains]).tolist()
    stalled = {i for i, taken in enumerate(steps) if window_ends[i] and not gaining[i] and taken >= 2 * stopping.window}
    leaving |= dict.fromkeys(stalled, "converged")
    leaving |= dict.fromkeys([i for i, is_finite in enumerate(finite) if not is_finite], "failed")
    here = torch.tensor(window_ends, device=now.value.device)
    batch = replace(batch, before=torch.where(here, batch.latest, batch.before), latest=batch.latest.masked_fill(here, 0))
    return batch, leaving


def positions(mask: Bool[Tensor, " batch"]) -> list[int]:
    """The indices at which a mask is true."""
    indices: list[int] = mask.nonzero().flatten().tolist()
    return indices
