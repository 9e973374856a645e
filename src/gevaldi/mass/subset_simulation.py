"""Subset simulation: the probability of a rare event, as a product of probabilities that are not small [Au & Beck 2001]."""

import itertools
import math
from collections.abc import Callable, Sequence
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
LEAST = 1e-12  # probability below which the event counts as not reached
ACCEPTANCE = 0.44  # that step sizes are adapted to [Papaioannou 2015]
WIDEST = 0.999  # largest part of a step that is new


@dataclass(frozen=True)
class Rare:
    """The probability of a rare event, and latents in it.

    Attributes:
        probability: with its 95 % interval; 0 to 1 if no replicate reached the event.
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
class Populations:
    """The populations of all replicates.

    Attributes:
        level: of each member.
        condition: of each.
        latents: the standard normal latents of some members, by their numbers in the flat populations.
    """

    level: Float[Tensor, "replicates members"]
    condition: Int[Tensor, "replicates members"]
    latents: Callable[[Int[Tensor, " some"]], Float[Tensor, "some size"]]

    def at(self, members: Int[Tensor, "replicates some"]) -> "_States":
        """Some members of each replicate, from which chains begin."""
        flat = members + self.level.shape[1] * torch.arange(len(members))[:, None]
        u = self.latents(flat.flatten()).view(*flat.shape, -1)
        return _States(u, self.condition.gather(1, members), self.level.gather(1, members))


@dataclass(frozen=True)
class _States:
    """The states of all chains, (replicates, chains, ...)."""

    u: Tensor
    condition: Tensor
    level: Tensor


def simulate(
    level: Level,
    size: int,
    conditions: Int[np.ndarray, " conditions"],
    seed: int,
    replicates: int = REPLICATES,
    population: int = POPULATION,
    start: Populations | None = None,
    least: float = LEAST,
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
        start: independent draws to begin with, at least a population for each replicate; by default they are drawn.
        least: probability below which the event is given up.
        on_progress: called with the number of finished levels.
    """
    random = np.random.default_rng(seed)
    now = start or _drawn(level, size, conditions, replicates, population, random)
    replicates = len(now.level)
    logs, evaluations = np.zeros(replicates), 0 if start else now.level.numel()
    for number in itertools.count(1):
        threshold = float(now.level.flatten().kthvalue(now.level.numel() - replicates * _seeds(population)).values)
        above = now.level > min(threshold, 0.0)
        with np.errstate(divide="ignore"):
            logs += np.log(above.double().mean(1).numpy())
        if threshold >= 0 or np.exp(logs).mean() < least:
            break
        now = _next_level(now, above, level, threshold, population, random)
        evaluations += now.level.numel() - replicates * _seeds(population)
        on_progress(number)
    if threshold < 0:
        logs[:] = -np.inf  # the event was not reached
    inside = now.level > 0
    replicate = torch.arange(replicates)[:, None].expand(inside.shape)[inside]
    u = now.latents(inside.flatten().nonzero().flatten())
    return Rare(interval_of(logs), tuple(logs.tolist()), evaluations, u, now.condition[inside], replicate)


def _seeds(population: int) -> int:
    return max(2, int(SHARE * population))


def _drawn(
    level: Level, size: int, conditions: np.ndarray, replicates: int, population: int, random: np.random.Generator
) -> Populations:
    u = torch.from_numpy(random.standard_normal((replicates, population, size)))
    condition = torch.from_numpy(np.tile(random.permutation(np.resize(conditions, population)), (replicates, 1)))
    return Populations(_levels(level, u, condition), condition, u.flatten(0, 1).__getitem__)


def _next_level(
    now: Populations, above: Tensor, level: Level, threshold: float, population: int, random: np.random.Generator
) -> Populations:
    """Chains from the members above a threshold, which do not leave it, as many as make a population."""
    replicates, seeds = len(above), _seeds(population)
    here = now.at(torch.stack([_some(row, seeds, random) for row in above]))
    half = torch.arange(replicates) % 2
    spreads = [_spread(here.u[half != own].flatten(0, 1)) for own in (0, 1)]
    deviations, basis = (torch.stack(both)[half] for both in zip(*spreads, strict=True))
    scale = torch.ones(replicates, dtype=here.u.dtype)
    states = [here]
    for step in range(1, math.ceil(population / seeds)):
        beta = (scale[:, None, None] * deviations[:, None]).clamp(max=WIDEST)
        noise = torch.from_numpy(random.standard_normal(here.u.shape))
        u = ((1 - beta.square()).sqrt() * (here.u @ basis) + beta * (noise @ basis)) @ basis.mT
        there = _levels(level, u, here.condition)
        accepted = there > threshold
        here = _States(torch.where(accepted[..., None], u, here.u), here.condition, torch.where(accepted, there, here.level))
        states.append(here)
        rates = torch.stack([accepted[half != own].double().mean() for own in (0, 1)])[half]
        scale = scale * ((rates - ACCEPTANCE) / math.sqrt(step)).exp()
    u, condition, levels = (
        torch.cat([getattr(state, name) for state in states], 1)[:, :population] for name in ("u", "condition", "level")
    )
    return Populations(levels, condition, u.flatten(0, 1).__getitem__)


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
    """The probability and its 95 % interval from the logarithms of independent estimates, some of which may be of zero.

    Their mean is unbiased. The interval is Student's for the logarithm of the mean, whose variance is s²/n + s⁴/2(n - 1) with the
    estimates' squared coefficient of variation s²: the second term, that of a log-normal mean [Cox, in Zhou & Gao 1997], matters
    where estimates are far apart.
    """
    from scipy.special import stdtrit

    estimates, count = np.exp(logs), len(logs)
    if not (value := float(estimates.mean())):
        return Estimate(0.0, 0.0, 1.0)
    square = float(estimates.var(ddof=1)) / value**2
    half = float(stdtrit(count - 1, 0.975)) * math.sqrt(square / count + square**2 / (2 * (count - 1)))
    return Estimate(value, value * math.exp(-half), min(1.0, value * math.exp(half)))


def joined(strata: Sequence[Rare], seed: int) -> Rare:
    """One estimate from those of equally probable strata, and draws from all of them in proportion to their probabilities."""
    shares = np.exp([one.logs for one in strata]) / len(strata)
    with np.errstate(divide="ignore"):
        logs = np.log(shares.sum(0))
    random = np.random.default_rng(seed)
    counts = np.array([np.bincount(one.replicate.numpy(), minlength=len(logs)) for one in strata])
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.nanmin(np.where(shares > 0, counts / shares, np.nan)) if shares.any() else 0.0
    wanted = np.floor(most * shares + random.random(shares.shape)).astype(int)
    chosen = [_chosen(one, row, random) for one, row in zip(strata, np.minimum(wanted, counts), strict=True)]
    u, condition, replicate = (
        torch.cat([getattr(one, name)[some] for one, some in zip(strata, chosen, strict=True)])
        for name in ("u", "condition", "replicate")
    )
    return Rare(interval_of(logs), tuple(logs.tolist()), sum(one.evaluations for one in strata), u, condition, replicate)


def _chosen(one: Rare, counts: np.ndarray, random: np.random.Generator) -> Tensor:
    """So many of each replicate's draws, at random."""
    own = [np.flatnonzero(one.replicate.numpy() == number) for number in range(len(counts))]
    return torch.from_numpy(np.concatenate([random.permutation(all_)[:count] for all_, count in zip(own, counts, strict=True)]))
