"""Search without gradients: CMA-ES."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.search.algorithms.base import Algorithm

FULL = 100  # dimensions up to which the covariance is full; above, it is diagonal


@dataclass
class Population:
    """One sample's search.

    Attributes:
        strategy: proposes members, and learns from a whole generation of them.
        members: of the current generation with the values that it minimises, so far.
    """

    strategy: Any
    members: list[tuple[np.ndarray, float]] = field(default_factory=list)

    def next(self, z: np.ndarray, value: float) -> np.ndarray:
        """Learn the value of a member, and propose the next."""
        self.members.append((z, -value))
        if len(self.members) == self.strategy.population_size:
            self.strategy.tell(self.members)
            self.members = []
        return self.strategy.ask()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Populations:
    """The searches of several samples; None before their first step."""

    each: np.ndarray


class CmaEs(Algorithm):
    """Evolution of a normal distribution with the covariance of the latents that did best [Hansen 2001]. Needs no gradient.

    A step evaluates one member of a sample's population, of 4 + 3 ln(dimensions) members unless `population` says otherwise, and
    every full population moves the distribution. `sigma` is its first standard deviation around the start. Above 100 dimensions
    the covariance is diagonal [Ros 2008]. It uses all its steps: some hundred are the least that helps.
    """

    needs_gradient: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False

    sigma: float = Field(1.0, gt=0)
    population: int | None = Field(None, ge=4)

    def start(self, z: Float[Tensor, "batch ..."]) -> Populations:
        """Nothing yet: the distributions begin at the first step, at the starts."""
        return Populations(np.full(len(z), None))

    def step(self, now: Evaluation, memory: Populations, noise: Noise) -> tuple[Tensor, Populations]:
        """The next member of every sample's population."""
        z = now.z.flatten(1).cpu().double().numpy()
        each = np.full(len(z), None)
        proposals = np.empty_like(z)
        for i, value in enumerate(now.value.tolist()):
            if memory.each[i] is None:
                each[i] = Population(self._strategy(z[i], noise.seeds[i]))
                proposals[i] = each[i].strategy.ask()
            else:
                each[i] = memory.each[i]
                proposals[i] = each[i].next(z[i], value)
        return torch.from_numpy(proposals).to(now.z).view_as(now.z), Populations(each)

    def _strategy(self, start: np.ndarray, seed: int) -> Any:
        from cmaes import CMA, SepCMA

        kind = CMA if len(start) <= FULL else SepCMA
        return kind(start, self.sigma, seed=seed % 2**32, population_size=self.population)
