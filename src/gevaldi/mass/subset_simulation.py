"""Subset simulation: the probability of a rare event, as a product of probabilities that are not small [Au & Beck 2001]."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.statistics.intervals import Estimate

Level = Callable[[Float[Tensor, "batch size"], Int[Tensor, " batch"]], Float[Tensor, " batch"]]
"""How near standard normal latents with these conditions are to the event, which happens where the level is positive."""

REPLICATES = 8
POPULATION = 1_000  # latents of a replicate at each level
SHARE = 0.1  # of a population that starts the next level
MOST_LEVELS = 12  # with a tenth each, a probability of 1e-12
ACCEPTANCE = 0.44  # that step sizes are adapted to [Papaioannou 2015]
WIDEST = 0.999  # largest part of a step that is new


@dataclass(frozen=True)
class Rare:
    """The probability of a rare event, and latents in it.

    Attributes:
        probability: with its 95 % interval; zero to an upper bound if no replicate reached the event.
        logs: log P of each replicate; -∞ if it did not reach the event.
        evaluations: of the level function.
        u: standard normal latents in the event, approximately from N(0, I) given the event.
        condition: of each.
        replicate: the replicate that each belongs to; only different replicates are independent.
    """

    probability: Estimate
    logs: tuple[float, ...]
    evaluations: int
    u: Float[Tensor, "found size"]
    condition: Int[Tensor, " found"]
    replicate: Int[Tensor, " found"]


@dataclass(frozen=True)
class _Populations:
    """The populations of all replicates, (replicates, members, ...)."""

    u: Tensor
    condition: Tensor
    level: Tensor

    def at(self, members: Int[Tensor, "replicates some"]) -> "_Populations":
        """Some members of each replicate."""
        u = self.u.gather(1, members[..., None].expand(-1, -1, self.u.shape[-1]))
        return _Populations(u, self.condition.gather(1, members), self.level.gather(1, members))


def simulate(
    level: Level,
    size: int,
    conditions: Int[np.ndarray, " conditions"],
    seed: int,
    replicates: int = REPLICATES,
    population: int = POPULATION,
    on_progress: Callable[[int], None] = lambda levels: None,
) -> Rare:
    """Estimate P(level > 0) under N(0, I) and equally probable conditions, by several replicates.

    The members that are nearest to the event, a tenth of all, start the next level: each replicate is filled up by Markov chains
    that do not leave what this tenth has reached. A step is u' = √(1 - β²) u + β ξ in the eigenbasis of the tenth, which leaves
    N(0, I) invariant, with a β for each direction in proportion to the tenth's standard deviation there: two classifiers that are
    much alike differ in a thin slab, in which equal steps in all directions hardly move. A chain keeps its condition.

    Thresholds are those of all replicates together, and each half of the replicates takes its steps by the other half's basis and
    acceptance. A replicate that chose its own would favour what it has, and overestimate.

    Args:
        level: the level function, of any batch.
        size: numbers of a latent.
        conditions: the generator's conditions; [0] for one without.
        seed: determines everything.
        replicates: estimates, from which the interval is made; at least 4.
        population: latents of each at every level.
        on_progress: called with the number of finished levels.
    """
    random = np.random.default_rng(seed)
    u = torch.from_numpy(random.standard_normal((replicates, population, size)))
    condition = torch.from_numpy(np.tile(random.permutation(np.resize(conditions, population)), (replicates, 1)))
    now = _Populations(u, condition, _levels(level, u, condition))
    logs, evaluations = np.zeros(replicates), replicates * population
    for number in range(1, MOST_LEVELS + 1):
        threshold = float(now.level.flatten().kthvalue(math.ceil((1 - SHARE) * now.level.numel())).values)
        above = now.level > min(threshold, 0.0)
        with np.errstate(divide="ignore"):
            logs += np.log(above.double().mean(1).numpy())
        if threshold >= 0 or number == MOST_LEVELS or not above.any():
            break
        now = _next_level(now, above, level, threshold, random)
        evaluations += now.level.numel() - replicates * _seeds(population)
        on_progress(number)
    if threshold < 0:
        logs[:] = -np.inf  # the event was not reached
    inside = now.level > 0
    replicate = torch.arange(replicates)[:, None].expand(inside.shape)[inside]
    return Rare(interval_of(logs), tuple(logs.tolist()), evaluations, now.u[inside], now.condition[inside], replicate)


def _seeds(population: int) -> int:
    return max(2, int(SHARE * population))


def _next_level(now: _Populations, above: Tensor, level: Level, threshold: float, random: np.random.Generator) -> _Populations:
    """Chains from the members above a threshold, which do not leave it, in the numbers of the populations before."""
    replicates, population = above.shape
    count = _seeds(population)
    chosen = [_some(row, count, random) for row in above]
    here = now.at(torch.stack(chosen))
    half = torch.arange(replicates) % 2
    spreads = [_spread(here.u[half != own].flatten(0, 1)) for own in (0, 1)]
    deviations, basis = (torch.stack(both)[half] for both in zip(*spreads, strict=True))
    scale = torch.ones(replicates, dtype=here.u.dtype)
    states = [here]
    for step in range(1, math.ceil(population / count)):
        beta = (scale[:, None, None] * deviations[:, None]).clamp(max=WIDEST)
        noise = torch.from_numpy(random.standard_normal(here.u.shape))
        u = ((1 - beta.square()).sqrt() * (here.u @ basis) + beta * noise) @ basis.mT
        there = _levels(level, u, here.condition)
        accepted = there > threshold
        here = _Populations(torch.where(accepted[..., None], u, here.u), here.condition, torch.where(accepted, there, here.level))
        states.append(here)
        rates = torch.stack([accepted[half != own].double().mean() for own in (0, 1)])[half]
        scale = scale * ((rates - ACCEPTANCE) / math.sqrt(step)).exp()
    u, condition, levels = (
        torch.cat([getattr(state, name) for state in states], 1)[:, :population] for name in ("u", "condition", "level")
    )
    return _Populations(u, condition, levels)


def _some(above: Tensor, count: int, random: np.random.Generator) -> Tensor:
    """So many of the members above, in random order, each as often as the others; any members if none is above."""
    members = above.nonzero().flatten().numpy() if above.any() else np.arange(len(above))
    return torch.from_numpy(np.resize(random.permutation(members), count))


def _levels(level: Level, u: Tensor, condition: Tensor) -> Tensor:
    flat = level(u.reshape(-1, u.shape[-1]), condition.reshape(-1))
    return flat.double().cpu().nan_to_num(nan=-math.inf).view(u.shape[:-1])


def _spread(u: Float[Tensor, "members size"]) -> tuple[Tensor, Tensor]:
    """Standard deviations in the eigenbasis of some latents, and that basis; equal ones if there are too few for it."""
    size = u.shape[1]
    if len(u) < 2 * size:
        return torch.ones(size, dtype=u.dtype), torch.eye(size, dtype=u.dtype)
    values, basis = torch.linalg.eigh(torch.cov(u.T, correction=1).reshape(size, size))
    return values.clamp(min=0).sqrt().clamp(max=1), basis


def interval_of(logs: np.ndarray) -> Estimate:
    """The probability and its 95 % interval from the logarithms of independent estimates.

    Estimates are nearly log-normal: the logarithm of their mean is that of log P plus half its variance, with Student's interval
    for both [Cox 1971, in Zhou & Gao 1997]. If a replicate did not reach the event, the interval begins at zero.
    """
    from scipy.special import stdtrit

    reached = np.exp(logs)
    if not np.isfinite(logs).all():
        value = float(reached.mean())
        most = max(float(reached.max()), SHARE**MOST_LEVELS)
        return Estimate(value, 0.0, min(1.0, 3 * most), 0)
    count, variance = len(logs), float(logs.var(ddof=1))
    middle = float(logs.mean()) + variance / 2
    error = math.sqrt(variance / count + variance**2 / (2 * (count - 1)))
    half = float(stdtrit(count - 1, 0.975)) * error
    return Estimate(math.exp(middle), math.exp(middle - half), min(1.0, math.exp(middle + half)))
