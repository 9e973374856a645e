"""The loop, once: it takes the steps, lets samples go one by one and others in, and yields."""

import math
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation, Objective, joined, select, within
from gevaldi.search.algorithms.base import Algorithm, Memory
from gevaldi.search.stopping import Stopping

Status = Literal["converged", "out of steps", "failed"]


@dataclass(frozen=True)
class Entrants:
    """Samples before their first step.

    Attributes:
        z: the latents to start from.
        condition: what the generator is asked for.
        exchanged: whether the second classifier is p₁.
        seeds: the noise of a sample's step is a function of (seed, step).
        places: numbers by which the samples are told apart in what the loop yields.
    """

    z: Float[Tensor, "batch ..."]
    condition: Int[Tensor, " batch"]
    exchanged: Bool[Tensor, " batch"]
    seeds: Sequence[int]
    places: Sequence[int]

    @classmethod
    def all_of(cls, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], seeds: Sequence[int]) -> "Entrants":
        """Samples of the first order, numbered from 0."""
        return cls(z, condition, torch.zeros_like(condition, dtype=torch.bool), seeds, range(len(z)))


@dataclass(frozen=True)
class Step:
    """One yield of the loop: where the samples stand, and which of them now leave.

    Attributes:
        numbers: the steps that each has taken, 0 at its start; on the CPU.
        places: by which they are told apart; on the CPU.
        evaluation: where they stand, in the order of `places`.
        leaving: who leaves after this step, by position in `places`, and why.
        pausing: whose search rests after this step, by position, until it is supplied again or never.
    """

    numbers: Int[Tensor, " active"]
    places: Int[Tensor, " active"]
    evaluation: Evaluation
    leaving: dict[int, Status]
    pausing: Sequence[int] = ()


@dataclass(frozen=True)
class Searching:
    """The samples in the loop, and where each goes next; what decides on their way lies on the CPU."""

    z: Float[Tensor, "batch ..."]
    condition: Int[Tensor, " batch"]
    exchanged: Bool[Tensor, " batch"]
    memory: Memory
    earlier: Float[Tensor, " batch"]  # the sum of the objective over the last whole window
    latest: Float[Tensor, " batch"]  # and since then
    seeds: Int[Tensor, " batch"]
    places: Int[Tensor, " batch"]
    numbers: Int[Tensor, " batch"]


Supply = Callable[[int], Sequence[Entrants | Searching]]
"""Told how many samples are searching, who joins them before the next step: new ones, and some that have rested."""


@dataclass(frozen=True)
class Rests:
    """After which numbers of steps searches rest, and who is given them then, in the order of `Step.pausing`."""

    after: Container[int]
    given: Callable[[Searching], None]


def search(
    objective: Objective,
    supply: Supply,
    algorithm: Algorithm,
    stopping: Stopping,
    typical_mass: float | None = None,
    lanes: int = 1,
    rests: Rests | None = None,
) -> Iterator[Step]:
    """Search from every latent that is supplied, in one batch that samples leave and join; yields every step, until nobody is left.

    Samples are at different steps of their ways. What becomes of one does not depend on the others.

    Args:
        objective: what is maximised.
        supply: who joins; asked before every step.
        algorithm: how a step is taken.
        stopping: when a sample's search ends.
        typical_mass: if given, latents are kept by projection in the region that holds this share of the prior.
        lanes: the networks are given batches padded to a multiple of it; see `gevaldi.runs.rounding`.
        rests: if given, when searches are interrupted.
    """
    prior = objective.generator.prior
    pool: Searching | None = None
    while True:
        joining = supply(len(pool.places) if pool else 0)
        if pool is None and not joining:
            return
        if joining:
            new = [_begun(some, algorithm) if isinstance(some, Entrants) else some for some in joining]
            pool = joined([*([pool] if pool else []), *new])
        assert pool
        exchanged = pool.exchanged.to(pool.z.device) if bool(pool.exchanged.any()) else None
        evaluate = objective.given(pool.condition, lanes, exchanged)
        now = (evaluate if typical_mass is None else within(evaluate, prior, typical_mass))(pool.z)
        pool, leaving = _judged(pool, now, algorithm, stopping)
        pausing = (
            [i for i, number in enumerate(pool.numbers.tolist()) if number in rests.after and i not in leaving] if rests else []
        )
        yield Step(pool.numbers, pool.places, now, leaving, pausing)
        if len(leaving) == len(pool.places):
            pool = None
            continue
        if leaving or pausing:  # those that rest come last, to be cut off after their next latents are known
            stay = [i for i in range(len(pool.places)) if i not in leaving and i not in pausing]
            kept = torch.tensor([*stay, *pausing])
            pool, now = select(pool, kept), select(now, kept)
        numbers = pool.numbers + 1
        z, memory = algorithm.step(now, pool.memory, Noise(pool.seeds.tolist(), numbers.tolist()))
        pool = replace(pool, z=z, memory=memory, numbers=numbers)
        if rests and pausing:
            rests.given(select(pool, slice(len(numbers) - len(pausing), None)))
            pool = select(pool, slice(len(numbers) - len(pausing))) if len(pausing) < len(numbers) else None


def at_once(entrants: Entrants) -> Supply:
    """These samples together, and nobody after them."""
    waiting = [entrants]
    return lambda searching: [waiting.pop()] if waiting else []


def _begun(entrants: Entrants, algorithm: Algorithm) -> Searching:
    nothing = torch.zeros(len(entrants.z), dtype=entrants.z.dtype, device=entrants.z.device)
    return Searching(
        z=entrants.z,
        condition=entrants.condition,
        exchanged=entrants.exchanged.cpu(),
        memory=algorithm.start(entrants.z),
        earlier=nothing,
        latest=nothing,
        seeds=torch.tensor(entrants.seeds),
        places=torch.tensor(entrants.places),
        numbers=torch.zeros(len(entrants.z), dtype=torch.long),
    )


def _judged(pool: Searching, now: Evaluation, algorithm: Algorithm, stopping: Stopping) -> tuple[Searching, dict[int, Status]]:
    """Who leaves after an evaluation, and the sums of the objective by which convergence is told from now on.

    A device is waited for once.
    """
    numbers = pool.numbers.tolist()
    leaving: dict[int, Status] = {i: "out of steps" for i, number in enumerate(numbers) if number == stopping.steps}
    whole = now.value + now.gradient.flatten(1).sum(1)  # where this is no number a search cannot go on
    latest = pool.latest + now.value
    ended = [number % stopping.window == 0 for number in numbers]
    if not (algorithm.converges and any(ended)):
        failed = [] if math.isfinite(whole.sum()) else positions(~whole.isfinite())
        return replace(pool, latest=latest), leaving | dict.fromkeys(failed, "failed")
    here = torch.tensor(ended, device=latest.device)
    enough = latest - pool.earlier > stopping.gain * stopping.window * now.divergence.abs()
    finite, gaining = torch.stack([whole.isfinite(), enough]).tolist()
    for i, number in enumerate(numbers):
        if not finite[i]:
            leaving[i] = "failed"
        elif ended[i] and not gaining[i] and number >= 2 * stopping.window:
            leaving[i] = "converged"
    pool = replace(pool, earlier=torch.where(here, latest, pool.earlier), latest=latest.masked_fill(here, 0))
    return pool, leaving


def positions(mask: Bool[Tensor, " batch"]) -> list[int]:
    """Where a mask is true."""
    found: list[int] = mask.nonzero().flatten().tolist()
    return found
