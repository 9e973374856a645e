"""What a search maximises: equation 3 of the paper, or the probability of a disagreement."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.disagreement import disagreement_level
from gevaldi.divergences.base import Divergence
from gevaldi.models import Classifier, Generator, Pictures
from gevaldi.priors.base import Prior, per_sample

NOT_FEASIBLE = -1e6  # a value below every log p(z), and finite, so that a search goes on


@dataclass(frozen=True)
class Evaluation:
    """An objective at some latents, everything per sample.

    Attributes:
        z: the latents that all the rest belongs to.
        pictures: g(z), in [0, 1].
        log_p: log p₁(y|g(z)).
        log_q: log p₂(y|g(z)).
        divergence: D[p₁‖p₂].
        value: what the search maximises: D + λ log p(z), or log p(z) of a disagreement.
        gradient: of the value with respect to z, or another direction of ascent; zero if the objective has none.
    """

    z: Float[Tensor, "batch ..."]
    pictures: Pictures
    log_p: Float[Tensor, "batch classes"]
    log_q: Float[Tensor, "batch classes"]
    divergence: Float[Tensor, " batch"]
    value: Float[Tensor, " batch"]
    gradient: Float[Tensor, "batch ..."]


Evaluate = Callable[[Float[Tensor, "batch ..."], Int[Tensor, " batch"], Bool[Tensor, " batch"]], Evaluation]
"""Evaluates latents, given each sample's condition and whether its classifiers are swapped."""


@dataclass(frozen=True)
class Objective:
    """argmax_z D[p₁(y|g(z)) ‖ p₂(y|g(z))] + λ log p(z), for each sample by itself.

    λ (`prior_weight`) weighs a sample's own log p(z) and gradients are taken per sample, so the result of a sample does not
    depend on the others in its batch; a mean over the batch would make λ depend on the batch size. Without gradient, where no
    search needs it or a classifier has none, it is zero and there is no backward pass.
    """

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    prior_weight: float
    has_gradient: bool = True

    def __call__(
        self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], swapped: Bool[Tensor, " batch"] | None = None
    ) -> Evaluation:
        """One forward pass through the three networks, and one backward pass to z.

        The classifiers are the other way round for samples that are `swapped`, so that both orders share a batch.
        """
        with torch.set_grad_enabled(self.has_gradient):
            z = z.detach().requires_grad_(self.has_gradient)
            x, log_p, log_q = self.predictions(z, condition, swapped)
            divergence = self.divergence(log_p, log_q)
            value = divergence + self.prior_weight * self.generator.prior.log_prob(z) if self.prior_weight else divergence
            (gradient,) = torch.autograd.grad(value.sum(), z) if self.has_gradient else (torch.zeros_like(z),)
        return Evaluation(*(tensor.detach() for tensor in (z, x, log_p, log_q, divergence, value, gradient)))

    def predictions(
        self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], swapped: Bool[Tensor, " batch"] | None
    ) -> tuple[Pictures, Float[Tensor, "batch classes"], Float[Tensor, "batch classes"]]:
        """g(z), log p₁(y|g(z)) and log p₂(y|g(z))."""
        x = self.generator(z, condition).to(z.dtype)
        return x, *in_order(self.first(x).to(z.dtype), self.second(x).to(z.dtype), swapped)


@dataclass(frozen=True)
class MostProbable:
    """argmax_z log p(z) subject to level(p₁(y|g(z)), p₂(y|g(z))) ≥ margin: the most probable disagreement.

    Of all latents on which the top classes differ, it is the one that the generator is most likely to draw: the dual of equation 3,
    and the design point of reliability engineering [Hasofer 1974]. The value of a latent is log p(z) if its `disagreement_level` is
    at least `margin`; otherwise it is the level, shifted below all log p(z), so that a search that never reaches the margin ends
    where it came nearest. A search ascends log p(z), and the level too where it is below the margin, each along a direction of
    length one: at a solution ∇log p(z) = -μ ∇level, so a weight above 1 balances them, whatever their units.
    """

    objective: Objective
    margin: float
    weight: float = 2.0

    def __call__(
        self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], swapped: Bool[Tensor, " batch"] | None = None
    ) -> Evaluation:
        """One forward pass through the three networks, and one backward pass to z if the objective has a gradient."""
        with torch.set_grad_enabled(self.objective.has_gradient):
            z = z.detach().requires_grad_(self.objective.has_gradient)
            x, log_p, log_q = self.objective.predictions(z, condition, swapped)
            level, log_prior = disagreement_level(log_p, log_q), self.objective.generator.prior.log_prob(z)
            below = ~(level >= self.margin)  # also where a prediction is not a number
            gradient = torch.zeros_like(z)
            if self.objective.has_gradient:
                gradient = direction(log_prior, z) + self.weight * per_sample(below, z) * direction(level, z)
        value = torch.where(below, NOT_FEASIBLE + level, log_prior)
        divergence = self.objective.divergence(log_p, log_q)
        return Evaluation(*(tensor.detach() for tensor in (z, x, log_p, log_q, divergence, value, gradient)))


def direction(values: Float[Tensor, " batch"], z: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """The gradient of each sample's value with respect to its latent, at length one; zero where there is none."""
    (gradient,) = torch.autograd.grad(values.sum() + 0 * z.sum(), z)  # a uniform prior does not depend on z
    length = torch.linalg.vector_norm(gradient.flatten(1), dim=1).clamp_min(torch.finfo(z.dtype).tiny)
    return gradient / per_sample(length, z)


def in_order(first: Tensor, second: Tensor, swapped: Bool[Tensor, " batch"] | None) -> tuple[Tensor, Tensor]:
    """The predictions of p₁ and p₂, which are those of the second and the first classifier where a sample is swapped."""
    if swapped is None:
        return first, second
    return torch.where(swapped[:, None], second, first), torch.where(swapped[:, None], first, second)


def within(evaluate: Evaluate, prior: Prior, mass: float | None) -> Evaluate:
    """The same objective, with latents first projected into the region that holds `mass` of the prior; unchanged without one.

    The evaluation belongs to the projected latent, so every search algorithm stays inside without knowing about it.
    """
    return evaluate if mass is None else lambda z, *sample: evaluate(prior.project(z, mass), *sample)
