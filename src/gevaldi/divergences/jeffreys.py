"""The Jeffreys divergence."""

from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims, relative_entropy


@claims(symmetric=True)
def jeffreys(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Jeffreys divergence KL(p‖q) + KL(q‖p), in nats: symmetric, not bounded. Source: [Jeffreys 1946]."""
    return relative_entropy(log_p, log_q) + relative_entropy(log_q, log_p)
