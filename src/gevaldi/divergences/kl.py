"""The Kullback-Leibler divergence."""

from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims, relative_entropy


@claims()
def kl(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Kullback-Leibler divergence KL(p‖q) = Σ p log(p/q), in nats.

    Not symmetric: a search with it finds pictures that the first is sure of and the second rules out. Not bounded: above 100 nats
    on real networks. Source: [Kullback 1951].
    """
    return relative_entropy(log_p, log_q)
