"""The loop, once: it takes the steps, lets samples go one by one, and yields."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, Evaluation, Objective, select, within
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.stopping import Stopping

Status = Literal["converged", "out of steps", "failed"]


@dataclass(frozen=True)
class Step:
    """One yield of the loop: which samples (their places in the batch it began with) stand where, and which of them now leave.

    Attributes:
        number: steps taken, 0 for the start.
        places: the places of the samples still searching, in the batch that the search began with.
        evaluation: where they stand, in the order of `places`.
        leaving: who leaves after this step, by position in `places`, and why.
    """

    number: int
    places: Int[Tensor, " active"]
    evaluation: Evaluation
    leaving: dict[int, Status]


def search(
    objective: Objective,
    z: Float[Tensor, "batch ..."],
    condition: Int[Tensor, " batch"],
    seeds: Sequence[int],
    algorithm: Algorithm,
    stopping: Stopping,
    typical_mass: float | None = None,
    lanes: int = 1,
) -> Iterator[Step]:
    """Search from every latent of a batch; yields the start and then every step, until no sample is left.

    Args:
        objective: what is maximised.
        z: the latents to start from.
        condition: the generator's condition of each sample.
        seeds: one per sample; the noise of a step is a function of (seed, step).
        algorithm: how a step is taken.
        stopping: when a sample's search ends.
        typical_mass: if given, latents are kept by projection in the region that holds this share of the prior.
        lanes: the networks are given batches padded to a multiple of it; see `gevaldi.runs.rounding`.
    """
    prior = objective.generator.prior

    def evaluate_for(condition: Int[Tensor, " active"]) -> Evaluate:
        given = objective.given(condition, lanes)
        return given if typical_mass is None else within(given, prior, typical_mass)

    places, evaluate = torch.arange(len(z), device=z.device), evaluate_for(condition)
    state = algorithm.start(evaluate, z)
    history: tuple[Tensor, ...] = ()
    for number in range(stopping.steps + 1):
        if number:
            state = algorithm.step(evaluate, state, Noise(seeds, number))
        history = (*history, state.evaluation.value)[-2 * stopping.window :]
        leaving: dict[int, Status] = {}
        if number == stopping.steps:
            leaving |= dict.fromkeys(range(len(places)), "out of steps")
        if algorithm.converges and number % stopping.window == 0:
            leaving |= dict.fromkeys(positions(gains_no_more(history, state.evaluation, stopping)), "converged")
        leaving |= dict.fromkeys(failures(state.evaluation), "failed")
        yield Step(number, places, state.evaluation, leaving)
        if len(leaving) == len(places):
            return
        if not leaving:
            continue
        stay = torch.tensor([i for i in range(len(places)) if i not in leaving], device=z.device)
        places, condition, history = places[stay], condition[stay], tuple(values[stay] for values in history)
        seeds = [seeds[i] for i in stay.tolist()]
        state, evaluate = select(state, stay), evaluate_for(condition)


def failures(evaluation: Evaluation) -> list[int]:
    """Which samples have an objective or a gradient that is not a number: from there a search cannot go on."""
    if math.isfinite(evaluation.value.sum() + evaluation.gradient.sum()):
        return []  # the usual case, found by three operations, since this is looked at after every step
    return positions(~(evaluation.value + evaluation.gradient.flatten(1).sum(1)).isfinite())


def positions(mask: Bool[Tensor, " batch"]) -> list[int]:
    """Where a mask is true."""
    found: list[int] = mask.nonzero().flatten().tolist()
    return found


def gains_no_more(history: tuple[Tensor, ...], evaluation: Evaluation, stopping: Stopping) -> Bool[Tensor, " batch"]:
    """Whether the mean objective of the last window is hardly above that of the window before."""
    if len(history) < 2 * stopping.window:
        return torch.zeros_like(evaluation.value, dtype=torch.bool)
    before, after = torch.stack(history).unflatten(0, (2, stopping.window)).mean(1)
    enough: Tensor = after - before > stopping.gain * evaluation.divergence.abs()
    return ~enough
