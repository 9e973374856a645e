"""The Jensen-Shannon divergence, of two classifiers and of any number."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import claims, log_sum_exp, relative_entropy


@claims(symmetric=True, bound=math.log(2))
def jensen_shannon(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Jensen-Shannon divergence ½ KL(p‖m) + ½ KL(q‖m) with m = ½(p + q), in nats: symmetric, at most log 2 [Lin 1991].

    Bounded, hence flat where the two are sure of different classes: there a search has nothing to gain.
    """
    return jensen_shannon_of_set(torch.stack([log_p, log_q]))


def jensen_shannon_of_set(log_ps: Float[Tensor, "classifiers batch classes"]) -> Float[Tensor, " batch"]:
    """Jensen-Shannon divergence of N classifiers, the mean of KL(pᵢ‖m) with m their mean, in nats: 0 to log N.

    Does not depend on their order. Equals the mutual information of the prediction and the classifier that made it [Lin 1991].
    """
    log_m = log_sum_exp(log_ps.movedim(0, -1)) - math.log(len(log_ps))
    return relative_entropy(log_ps, log_m.expand_as(log_ps)).mean(0)
