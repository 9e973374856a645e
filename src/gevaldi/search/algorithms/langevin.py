"""Langevin dynamics: samples from the objective instead of its maxima."""

import math
from typing import ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.search.algorithms.base import Algorithm


class Langevin(Algorithm):
    """Unadjusted Langevin dynamics: draws z from the density exp(U/T) / const with U = D + λ log p(z) [Roberts 1996].

    Returns many different samples instead of one maximum each. At prior weight λ and temperature T = λ the density is
    p(z) exp(D/λ): the prior tilted towards disagreement. The step size adds a bias of its own order.
    """

    converges: ClassVar[bool] = False

    step_size: float = Field(0.01, gt=0)
    temperature: float = Field(0.1, ge=0)

    def start(self, z: Float[Tensor, "batch ..."]) -> None:
        """None: a sampler needs no memory besides its latents."""

    def step(self, now: Evaluation, memory: None, noise: Noise) -> tuple[Tensor, None]:
        """z + η ∇U + √(2ηT) ξ, with ξ standard normal."""
        kick = math.sqrt(2 * self.step_size * self.temperature) * noise.normal(tuple(now.z.shape[1:])).to(now.z)
        return now.z + self.step_size * now.gradient + kick, None
