"""Ascent by Adam."""

import math
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
    """Ascent by Adam [Kingma 2015], with a learning rate that decays geometrically.

    A step moves every coordinate by at most about the learning rate, whatever the size of the gradient: long steps first, to
    find where the classifiers part, short ones later, to settle there. The paper's Adam is `learning_rate=0.01, decay=1`.
    """

    learning_rate: float = Field(0.5, gt=0)
    decay: float = Field(0.98, gt=0, le=1)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)

    def start(self, evaluate: Evaluate, z: Float[Tensor, "batch ..."]) -> AdamState:
        """Means of zero."""
        return AdamState(evaluate(z), torch.zeros_like(z), torch.zeros_like(z), 0)

    def step(self, evaluate: Evaluate, state: SearchState, noise: Noise) -> AdamState:
        """z + lr · decay^(t-1) · m̂ / (√v̂ + ε), with the means corrected for their start at zero."""
        assert isinstance(state, AdamState)
        gradient, t = state.evaluation.gradient, state.steps + 1
        m = state.m.lerp(gradient, 1 - self.beta1)
        v = state.v.lerp(gradient.square(), 1 - self.beta2)
        # The corrections of m and v are numbers, not tensors, so they go into the rate: two small kernels a step less.
        correction = math.sqrt(1 - self.beta2**t)
        rate = self.learning_rate * self.decay**state.steps * correction / (1 - self.beta1**t)
        z = state.evaluation.z.addcdiv(m, v.sqrt() + self.epsilon * correction, value=rate)
        return AdamState(evaluate(z), m, v, t)
