"""Search with a part of the gradient: ascent with an estimate of the rest, then CMA-ES."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.batches import select
from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.priors.base import per_sample
from gevaldi.search.algorithms.adam import Adam, Means
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.algorithms.cma_es import CmaEs, Populations


@dataclass(frozen=True)
class Ascent:
    """What a sample knows after its last step.

    Attributes:
        z: the latent that was evaluated last.
        value: its value.
        gradient: the known part of the gradient there.
        rest: the estimate of the other part.
        means: Adam's.
        best: the best latent so far.
        best_value: its value.
        populations: of the evolution, once it has begun.
    """

    z: Float[Tensor, "batch ..."]
    value: Float[Tensor, " batch"]
    gradient: Float[Tensor, "batch ..."]
    rest: Float[Tensor, "batch ..."]
    means: Means
    best: Float[Tensor, "batch ..."]
    best_value: Float[Tensor, " batch"]
    populations: Populations


class Hybrid(Algorithm):
    """Ascent by what there is of a gradient and an estimate of the rest, then CMA-ES from the best latent.

    If one of the classifiers is a black box, the gradient lacks its part. Every step shows how much of the change in the objective
    the known part leaves unexplained, which corrects an estimate of the missing part along the step (a secant [Broyden 1965]).
    Adam ascends the sum, with some noise that keeps the steps from lying in a plane. After `ascent` steps CMA-ES goes on.
    """

    needs_both: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False

    ascent: int = Field(60, ge=2)
    learning_rate: float = Field(0.5, gt=0)
    decay: float = Field(0.98, gt=0, le=1)
    noise: float = Field(0.1, ge=0)
    sigma: float = Field(0.7, gt=0)

    def start(self, z: Float[Tensor, "batch ..."]) -> Ascent:
        """Nothing is known yet."""
        zeros, none = torch.zeros_like(z), z.new_full((len(z),), -torch.inf)
        return Ascent(z, none, zeros, zeros, self._adam.start(z), z, none, CmaEs().start(z))

    def step(self, now: Evaluation, memory: Ascent, noise: Noise) -> tuple[Tensor, Ascent]:
        """The next latent of the ascent, or the next member of the population."""
        steps = torch.tensor(noise.steps, device=now.z.device)
        rest = memory.rest + correction(now, memory)
        z, means = self._adam.step(replace(now, gradient=now.gradient + rest), memory.means, noise)
        kick = noise.normal(tuple(now.z.shape[1:])).to(now.z)
        z = z + per_sample(self.noise * self.decay ** steps.to(now.z), now.z) * kick
        better = now.value > memory.best_value
        best, best_value = torch.where(per_sample(better, now.z), now.z, memory.best), now.value.maximum(memory.best_value)
        late = (steps >= self.ascent).nonzero().flatten()
        populations = memory.populations
        if len(late):
            begins = per_sample(steps == self.ascent, now.z)
            some = select(replace(now, z=torch.where(begins, best, now.z)), late)
            members, changed = CmaEs(sigma=self.sigma).step(
                some, select(populations, late), Noise([noise.seeds[i] for i in late.tolist()])
            )
            each = np.copy(populations.each)
            each[late.cpu().numpy()] = changed.each
            z, populations = z.index_copy(0, late, members), Populations(each)
        return z, Ascent(now.z, now.value, now.gradient, rest, means, best, best_value, populations)

    @property
    def _adam(self) -> Adam:
        return Adam(learning_rate=self.learning_rate, decay=self.decay, beta2=0.99)


def correction(now: Evaluation, memory: Ascent) -> Float[Tensor, "batch ..."]:
    """What the last step says of the missing part of the gradient: (Δvalue - (known + estimate) · Δz) Δz / |Δz|².

    The known part is the mean of both ends, which is exact for a quadratic. Zero before the first step, and where none was taken.
    """
    moved = now.z - memory.z
    known = 0.5 * (now.gradient + memory.gradient) + memory.rest
    unexplained = now.value - memory.value - (known * moved).flatten(1).sum(1)
    square = moved.flatten(1).square().sum(1)
    share = torch.where((square > 0) & memory.value.isfinite(), unexplained / square, 0)
    return per_sample(share, now.z) * moved
