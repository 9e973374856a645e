"""Shared by all divergences: their type, their traits, and sums over classes that survive probability zero."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

Divergence = Callable[[Float[Tensor, "batch classes"], Float[Tensor, "batch classes"]], Float[Tensor, " batch"]]
"""`(log_p, log_q) -> (batch,)`: log-probabilities of two classifiers in, one number per sample out."""


@dataclass(frozen=True)
class Traits:
    """The declared properties of a divergence; tests check them for every one.

    Attributes:
        unit: the unit of the value.
        symmetric: D[p‖q] = D[q‖p].
        non_negative: never below zero, and zero only at p = q.
        bound: no value is above it.
    """

    unit: str = "nats"
    symmetric: bool = False
    non_negative: bool = True
    bound: float = math.inf


Function = TypeVar("Function", bound=Callable[..., Any])


def claims(**claimed: Any) -> Callable[[Function], Function]:
    """Attach `Traits` to a divergence."""

    def attach(function: Function) -> Function:
        function.traits = Traits(**claimed)  # type: ignore[attr-defined]
        return function

    return attach


def expectation(log_p: Float[Tensor, "*batch classes"], values: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch"]:
    """Σ_y p(y) v(y), where a class of probability zero adds nothing, to the value or to the gradient, whatever its v.

    "Possible" is written as != -∞ and not as > -∞, so that NaN stays NaN instead of passing for an excluded class.
    """
    possible = log_p != -math.inf
    p = torch.where(possible, log_p, 0.0).exp()
    return torch.where(possible, p * torch.where(possible, values, 0.0), 0.0).sum(-1)


def relative_entropy(log_p: Float[Tensor, "*batch classes"], log_q: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch"]:
    """Σ_y p (log p - log q), in nats. Where q excludes a class that p does not, it is infinite, with gradient zero."""
    p_zero, q_zero = log_p == -math.inf, log_q == -math.inf
    ratio = log_p.masked_fill(p_zero, 0.0) - log_q.masked_fill(q_zero, 0.0)  # finite, so that 0 · ratio is 0, and its gradient too
    return (log_p.exp() * ratio).sum(-1).masked_fill((q_zero & ~p_zero).any(-1), math.inf)


def log_sum_exp(terms: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch"]:
    """Log Σ exp over classes; where all terms are -∞ the result is, with gradient zero (`torch.logsumexp` gives NaN)."""
    empty = (terms == -math.inf).all(-1)
    return torch.where(empty, -math.inf, torch.where(empty.unsqueeze(-1), 0.0, terms).logsumexp(-1))
