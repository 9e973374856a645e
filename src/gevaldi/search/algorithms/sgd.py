"""Ascent by plain gradient steps with momentum."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, Evaluation
from gevaldi.search.algorithms.base import Algorithm, SearchState


@dataclass(frozen=True)
class SGDState:
    """The velocity with which the latents move."""

    evaluation: Evaluation
    velocity: Float[Tensor, "batch ..."]


class SGD(Algorithm):
    """Gradient ascent with momentum, which the field calls SGD though nothing here is stochastic [Polyak 1964].

    A step is proportional to the gradient, so the learning rate must suit the divergence: KL can have gradients of 100 nats.
    """

    learning_rate: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)

    def start(self, evaluate: Evaluate, z: Float[Tensor, "batch ..."]) -> SGDState:
        """At rest."""
        return SGDState(evaluate(z), torch.zeros_like(z))

    def step(self, evaluate: Evaluate, state: SearchState, noise: Noise) -> SGDState:
        """v ← μ v + ∇; z ← z + lr · v."""
        assert isinstance(state, SGDState)
        velocity = self.momentum * state.velocity + state.evaluation.gradient
        return SGDState(evaluate(state.evaluation.z + self.learning_rate * velocity), velocity)
