"""MAP-Elites: many different disagreements at once, the most divergent one for each pair of top classes [Mouret 2015]."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from gevaldi.priors.base import Prior
from gevaldi.settings import Settings


@dataclass(frozen=True)
class Answers:
    """What both classifiers say of the pictures of some latents.

    Attributes:
        z: the latents, within the prior.
        first: the top class of the first classifier.
        second: that of the second.
        value: the divergence; an answer that is not a number enters no archive.
    """

    z: Float[Tensor, "batch ..."]
    first: Int[Tensor, " batch"]
    second: Int[Tensor, " batch"]
    value: Float[Tensor, " batch"]


@dataclass(frozen=True)
class Elite:
    """The most divergent latent so far among those with its pair of top classes."""

    z: Float[Tensor, "..."]
    condition: int
    value: float


Archive = dict[tuple[int, int], Elite]
"""The elite of each pair of top classes that was found, the first classifier's and the second's; equal ones are stepping stones."""

Query = Callable[[int, Float[Tensor, "batch ..."], Int[Tensor, " batch"]], Answers]
"""Answers to the latents of a generation, by its number, and to their conditions."""


class MapElites(Settings):
    """How an archive grows: the first generations are draws; every later latent is that of a random elite, moved at random.

    A moved latent keeps the condition of its elite. The figures behind the defaults are in `benchmarks/README.md`.
    """

    population: int = Field(32, ge=1, description="latents of a generation")
    draws: int = Field(64, ge=1, description="draws from the prior before the first elite is moved")
    step: float = Field(0.6, gt=0, description="standard deviation of a move, in those of the prior")

    def grow(self, query: Query, prior: Prior, conditions: Sequence[int], seed: int) -> Iterator[Archive]:
        """Yields the archive after every generation, for ever. It is a function of the seed and the answers.

        Args:
            query: what both classifiers answer.
            prior: of the latents.
            conditions: of the generator, that draws take in turn; [0] if it has none.
            seed: determines draws and moves.
        """
        archive: Archive = {}
        for number in itertools.count():
            latents, condition = self._generation(archive, number, prior, conditions, seed)
            add(archive, query(number, latents, condition), condition)
            yield archive

    def _generation(
        self, archive: Archive, number: int, prior: Prior, conditions: Sequence[int], seed: int
    ) -> tuple[Float[Tensor, "batch ..."], Int[Tensor, " batch"]]:
        random = np.random.default_rng([seed, number])
        draws = prior.sample([int(one) for one in random.integers(2**62, size=self.population)])
        if number * self.population < self.draws or not archive:
            turns = np.arange(number * self.population, (number + 1) * self.population) % len(conditions)
            return draws, torch.tensor(conditions)[turns]
        elites = list(archive.values())
        chosen = [elites[i] for i in random.integers(len(elites), size=self.population)]
        z = torch.stack([elite.z for elite in chosen])
        moves = torch.from_numpy(random.standard_normal(tuple(z.shape))).to(z)
        return z + self.step * draws.std().to(z) * moves, torch.tensor([elite.condition for elite in chosen])


def add(archive: Archive, answers: Answers, condition: Int[Tensor, " batch"]) -> None:
    """Replace the elites that these answers surpass, and begin the pairs that are new."""
    columns = (answers.first.tolist(), answers.second.tolist(), answers.value.tolist(), condition.tolist())
    for i, (first, second, value, own) in enumerate(zip(*columns, strict=True)):
        best = archive.get((first, second))
        if value > (best.value if best else -np.inf):
            archive[first, second] = Elite(answers.z[i].cpu(), own, value)
