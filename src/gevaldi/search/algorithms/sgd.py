"""Ascent by plain gradient steps with momentum."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.search.algorithms.base import Algorithm


@dataclass(frozen=True)
class Velocity:
    """The velocity with which the latents move."""

    v: Float[Tensor, "batch ..."]


class SGD(Algorithm):
    """Gradient ascent with momentum, known as SGD although nothing here is stochastic [Polyak 1964].

    A step is proportional to the gradient, so the learning rate must suit the divergence: KL can have gradients of 100 nats.
    """

    learning_rate: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)

    def start(self, z: Float[Tensor, "batch ..."]) -> Velocity:
        """At rest."""
        return Velocity(torch.zeros_like(z))

    def step(self, now: Evaluation, memory: Velocity, noise: Noise) -> tuple[Tensor, Velocity]:
        """v ← μ v + ∇; z ← z + lr · v."""
        v = self.momentum * memory.v + now.gradient
        return now.z + self.learning_rate * v, Velocity(v)
