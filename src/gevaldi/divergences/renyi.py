"""The Rényi divergence."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims, log_sum_exp, relative_entropy


@claims()
def renyi(
    log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"], *, order: float = 0.5
) -> Float[Tensor, " batch"]:
    """Rényi divergence of order α, 1/(α-1) log Σ p^α q^(1-α), in nats; of order 1, its limit KL(p‖q).

    Grows with the order. At α = ½ it is symmetric (-2 log of the Bhattacharyya coefficient); below 1 it is infinite only where
    the two share no class, from 1 on where q excludes a class that p does not. Source: [Rényi 1961], [van Erven 2014].

    Raises:
        ValueError: the order is not a positive, finite number.
    """
    if not 0 < order < math.inf:
        raise ValueError(
            f"order={order} is invalid; the order of a Rényi divergence is a positive, finite number, for example 0.5 or 2."
        )
    if order == 1:
        return relative_entropy(log_p, log_q)
    p_possible, q_possible = log_p != -math.inf, log_q != -math.inf
    both = order * torch.where(p_possible, log_p, 0.0) + (1 - order) * torch.where(q_possible, log_q, 0.0)
    value = log_sum_exp(torch.where(p_possible & q_possible, both, -math.inf)) / (order - 1)
    excluded = (p_possible & ~q_possible).any(-1) & (order > 1)
    return torch.where(excluded, math.inf, value)
