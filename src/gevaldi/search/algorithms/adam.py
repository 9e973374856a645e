"""Ascent by Adam."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, Evaluation
from gevaldi.search.algorithms.base import Algorithm, SearchState


@dataclass(frozen=True)
class AdamState:
    """Adam's running means of the gradient (m) and of its square (v)."""

    evaluation: Evaluation
    m: Float[Tensor, "batch ..."]
    v: Float[Tensor, "batch ..."]
    steps: int


class Adam(Algorithm):
    """Ascent by Adam, as the paper does it [Kingma 2015]; the paper's kind of learning rate is 0.01.

    A step moves every coordinate by at most about the learning rate, whatever the size of the gradient.
    """

    learning_rate: float = Field(0.2, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)

    def start(self, evaluate: Evaluate, z: Float[Tensor, "batch ..."]) -> AdamState:
        """Means of zero."""
        return AdamState(evaluate(z), torch.zeros_like(z), torch.zeros_like(z), 0)

    def step(self, evaluate: Evaluate, state: SearchState, noise: Noise) -> AdamState:
        """z + lr · m̂ / (√v̂ + ε), with the means corrected for their start at zero."""
        assert isinstance(state, AdamState)
        gradient, t = state.evaluation.gradient, state.steps + 1
        m = self.beta1 * state.m + (1 - self.beta1) * gradient
        v = self.beta2 * state.v + (1 - self.beta2) * gradient.square()
        m_hat, v_hat = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
        z = state.evaluation.z + self.learning_rate * m_hat / (v_hat.sqrt() + self.epsilon)
        return AdamState(evaluate(z), m, v, t)
