"""Equation 3 of the paper: what a maximally different sample maximises."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.divergences.base import Divergence
from gevaldi.models import Classifier, Generator, Pictures
from gevaldi.priors.base import Prior


@dataclass(frozen=True)
class Evaluation:
    """The objective at some latents, everything per sample.

    Attributes:
        z: the latents that all the rest belongs to.
        pictures: g(z), in [0, 1].
        log_p: log p₁(y|g(z)).
        log_q: log p₂(y|g(z)).
        divergence: D[p₁‖p₂].
        value: D + λ log p(z).
        gradient: of the value with respect to z.
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
    depend on the others in its batch; a mean over the batch would make λ depend on the batch size.
    """

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    prior_weight: float

    def __call__(
        self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], swapped: Bool[Tensor, " batch"] | None = None
    ) -> Evaluation:
        """One forward pass through the three networks, and one backward pass to z.

        The classifiers are the other way round for samples that are `swapped`, so that both orders share a batch.
        """
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            x = self.generator(z, condition).to(z.dtype)
            log_p, log_q = in_order(self.first(x).to(z.dtype), self.second(x).to(z.dtype), swapped)
            divergence = self.divergence(log_p, log_q)
            value = divergence + self.prior_weight * self.generator.prior.log_prob(z) if self.prior_weight else divergence
            (gradient,) = torch.autograd.grad(value.sum(), z)
        return Evaluation(*(tensor.detach() for tensor in (z, x, log_p, log_q, divergence, value, gradient)))


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
