"""Whether two classifiers differ, as a level function that is continuous across the border between agreement and disagreement."""

import torch
from jaxtyping import Float
from torch import Tensor


def disagreement_level(log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """How far the two are from agreeing, in nats: positive where their top classes differ, negative where they are the same.

    With different top classes a and b it is min(log pₐ - log p_b, log q_b - log qₐ). With the same top class a it is
    -min(log pₐ - max_{k≠a} log pₖ, log qₐ - max_{k≠a} log qₖ). On the border, where one of the two hesitates between two classes,
    both are zero, so that a search or a sampler can cross it.
    """
    a, b = log_p.argmax(1, keepdim=True), log_q.argmax(1, keepdim=True)
    apart = torch.minimum(log_p.gather(1, a) - log_p.gather(1, b), log_q.gather(1, b) - log_q.gather(1, a)).squeeze(1)
    together = torch.minimum(lead(log_p), lead(log_q))
    return torch.where((a != b).squeeze(1), apart, -together)


def lead(log_p: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """How far the top class is ahead of the second one, in nats."""
    top = log_p.topk(2, dim=1).values
    return top[:, 0] - top[:, 1]
