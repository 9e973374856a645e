"""Ascent by Adam."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.search.algorithms.base import Algorithm


@dataclass(frozen=True)
class Means:
    """Adam's running means of the gradient (m) and of its square (v)."""

    m: Float[Tensor, "batch ..."]
    v: Float[Tensor, "batch ..."]


class Adam(Algorithm):
    """Ascent by Adam [Kingma 2015], with a learning rate that decays geometrically.

    A step moves every coordinate by at most about the learning rate, whatever the size of the gradient: long steps first, to
    find where the classifiers differ, and short ones later, to settle there. The paper's Adam is `learning_rate=0.01, decay=1`.
    """

    learning_rate: float = Field(0.5, gt=0)
    decay: float = Field(0.98, gt=0, le=1)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)

    def start(self, z: Float[Tensor, "batch ..."]) -> Means:
        """Means of zero."""
        return Means(torch.zeros_like(z), torch.zeros_like(z))

    def step(self, now: Evaluation, memory: Means, noise: Noise) -> tuple[Tensor, Means]:
        """z + lr · decay^(t-1) · m̂ / (√v̂ + ε), with the means corrected for their start at zero."""
        m = memory.m.lerp(now.gradient, 1 - self.beta1)
        v = memory.v.lerp(now.gradient.square(), 1 - self.beta2)
        t = np.array(noise.steps)
        # The corrections of m and v depend on t alone, so the host folds them into the rate, which saves small kernels.
        correction = np.sqrt(1 - self.beta2**t)
        rate = self.learning_rate * self.decay ** (t - 1) * correction / (1 - self.beta1**t)
        rate, floor = torch.from_numpy(np.stack([rate, self.epsilon * correction])).to(now.z).view(2, -1, *[1] * (m.dim() - 1))
        return now.z.addcdiv(rate * m, v.sqrt() + floor), Means(m, v)
