"""The squared Hellinger distance."""

from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims


@claims(unit="1", symmetric=True, bound=1.0)
def squared_hellinger(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Squared Hellinger distance ½ Σ (√p - √q)², without unit: symmetric, from 0 to 1. Source: [Hellinger 1909].

    Written as a sum of squares and not as 1 - Σ √(pq), which would lose all digits where p and q are close.
    """
    return 0.5 * ((0.5 * log_p).exp() - (0.5 * log_q).exp()).square().sum(-1)
