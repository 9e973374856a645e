"""Equation 3 of the paper: what a maximally different sample maximises."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.divergences.base import Divergence
from gevaldi.errors import SpecError
from gevaldi.models import Classifier, Generator, Pictures
from gevaldi.priors.base import Prior


@dataclass(frozen=True)
class Evaluation:
    """The objective at some latents, everything per sample.

    Attributes:
        z: the latents that all the rest belongs to.
        pictures: g(z), in [0, 1].
        log_p: what the first classifier says of them, log p₁(y|g(z)).
        log_q: what the second says.
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


Evaluate = Callable[[Float[Tensor, "batch ..."]], Evaluation]


@dataclass(frozen=True)
class Objective:
    """argmax_z D[p₁(y|g(z)) ‖ p₂(y|g(z))] + λ log p(z), for each sample by itself.

    λ (`prior_weight`) weighs a sample's own log p(z) and gradients are taken per sample, so the result of a sample does not
    depend on the others in its batch; a mean over the batch would make λ depend on the batch size.

    Attributes:
        mixed: the numbers that convolutions and matrix products are computed in, where they are not those of the latents; what
            leaves a network, and all that is made of it, is in the latents' numbers.
    """

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    prior_weight: float
    mixed: torch.dtype | None = None

    def given(self, condition: Int[Tensor, " batch"], lanes: int = 1, exchanged: Bool[Tensor, " batch"] | None = None) -> Evaluate:
        """The objective as a function of the latents alone, for samples of these conditions.

        Batches are padded to a multiple of `lanes` with copies of their last sample, which nobody gets to see.
        """
        count, missing = len(condition), -len(condition) % lanes
        if missing == 0:
            return lambda z: self(z, condition, exchanged)
        asked = _padded(condition, missing), None if exchanged is None else _padded(exchanged, missing)
        return lambda z: select(self(_padded(z, missing), *asked), slice(count))

    def __call__(
        self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"], exchanged: Bool[Tensor, " batch"] | None = None
    ) -> Evaluation:
        """One forward pass through the three networks and one backward pass to z.

        For samples that are `exchanged` the second classifier is p₁ and the first p₂, so that both orders share a batch.
        """
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            with torch.autocast(z.device.type, self.mixed) if self.mixed else nullcontext():
                x = self.generator(z, condition).to(z.dtype)
                log_p, log_q = self.first(x).to(z.dtype), self.second(x).to(z.dtype)
            if exchanged is not None:
                log_p, log_q = torch.where(exchanged[:, None], log_q, log_p), torch.where(exchanged[:, None], log_p, log_q)
            divergence = self.divergence(log_p, log_q)
            value = divergence + self.prior_weight * self.generator.prior.log_prob(z) if self.prior_weight else divergence
            (gradient,) = torch.autograd.grad(value.sum(), z)
        x, log_p, log_q, divergence, value = (tensor.detach() for tensor in (x, log_p, log_q, divergence, value))
        return Evaluation(z.detach(), x, log_p, log_q, divergence, value, gradient)


def within(evaluate: Evaluate, prior: Prior, mass: float) -> Evaluate:
    """The same objective, with latents first projected into the region that holds `mass` of the prior.

    The evaluation then belongs to the projected latent, so that every search algorithm stays inside without knowing of it.
    """
    return lambda z: evaluate(prior.project(z, mass))


def _padded(values: Tensor, missing: int) -> Tensor:
    return torch.cat([values, values[-1:].expand(missing, *values.shape[1:])])


State = TypeVar("State")


def joined(states: Sequence[State]) -> State:
    """Dataclasses about different samples as one, in their order: tensors are put together, at any depth.

    Raises:
        SpecError: there is something in them that belongs to no sample, as a count of steps would.
    """
    one = states[0]
    if isinstance(one, Tensor):
        return torch.cat(states) if len(states) > 1 else one  # type: ignore[arg-type,return-value]
    if hasattr(one, "__dataclass_fields__"):
        return type(one)(**{name: joined([getattr(state, name) for state in states]) for name in one.__dataclass_fields__})
    if one is None:
        return one
    raise SpecError(
        f"A {type(one).__name__} is remembered of samples that search together; a dataclass of tensors with samples in the first "
        "dimension was expected, because samples join and leave one by one. Which step each takes stands in `noise.steps`."
    )


def select(state: State, keep: Bool[Tensor, " batch"] | Int[Tensor, " kept"] | slice) -> State:
    """The same dataclass with only some of the samples: every tensor is indexed by its first dimension, at any depth."""
    if isinstance(state, Tensor):
        return state[keep]  # type: ignore[return-value]
    if hasattr(state, "__dataclass_fields__"):
        return type(state)(**{name: select(getattr(state, name), keep) for name in state.__dataclass_fields__})
    return state
