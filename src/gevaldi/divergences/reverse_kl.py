"""The Kullback-Leibler divergence with its arguments exchanged."""

from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims, relative_entropy


@claims()
def reverse_kl(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Reverse Kullback-Leibler divergence KL(q‖p), in nats: what `kl` gives for the two classifiers in the other order."""
    return relative_entropy(log_q, log_p)
