"""The difference in the log-odds of two classes."""

from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims


@claims(non_negative=False)
def log_odds(
    log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"], *, this: int, that: int
) -> Float[Tensor, " batch"]:
    """Difference in log-odds, log p(this)/p(that) - log q(this)/q(that), in nats: "the first says *this*, the second *that*".

    Not a divergence in the strict sense: negative where the two lean the other way, zero whenever their odds of these two classes
    agree. Linear in the logits, so it never saturates, and other classes do not enter.

    Raises:
        ValueError: `this` or `that` is not the index of a class, or both are the same.
    """
    classes = log_p.shape[-1]
    if not (isinstance(this, int) and isinstance(that, int)) or this == that or not (0 <= this < classes and 0 <= that < classes):
        raise ValueError(
            f"this={this}, that={that} is invalid; log-odds compares two different classes with indices 0 to {classes - 1}."
        )
    return (log_p[..., this] - log_p[..., that]) - (log_q[..., this] - log_q[..., that])
