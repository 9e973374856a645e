"""The total variation distance."""

from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims


@claims(unit="1", symmetric=True, bound=1.0)
def total_variation(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Total variation distance ½ Σ |p - q|, without unit: symmetric, from 0 to 1.

    The largest difference in probability that the two give to any set of classes. Its gradient vanishes where both are sure.
    """
    return 0.5 * (log_p.exp() - log_q.exp()).abs().sum(-1)
