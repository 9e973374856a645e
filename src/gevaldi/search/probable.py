"""The most probable disagreement near some latents."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.objective import Evaluate, Evaluation
from gevaldi.search.algorithms.adam import Adam
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.algorithms.cma_es import CmaEs
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping

STEPS, STEPS_WITHOUT_GRADIENT = 60, 1000  # of each search; `benchmarks/README.md` has the figures


class SecondSearch(NamedTuple):
    """How the most probable disagreement is searched."""

    algorithm: Algorithm
    stopping: Stopping


def second_search(has_gradient: bool) -> SecondSearch:
    """Adam, or CMA-ES where there are no gradients; from where the classifiers differ already, so with a small spread."""
    algorithm, steps = (Adam(decay=0.93), STEPS) if has_gradient else (CmaEs(sigma=0.3), STEPS_WITHOUT_GRADIENT)
    return SecondSearch(algorithm, Stopping(steps=steps, window=steps + 1))  # gains say nothing while it crosses the border


def most_probable(
    evaluate: Evaluate,
    z: Float[Tensor, "batch ..."],
    condition: Int[Tensor, " batch"],
    swapped: Bool[Tensor, " batch"] | None = None,
    has_gradient: bool = True,
    seeds: Sequence[int] | None = None,
) -> Evaluation:
    """Search for the most probable disagreement from each latent, and return the evaluations of the best latents.

    The end of a search differs by the margin (`differs`, `MostProbable`) if its start does, and its log p(z) is no lower.

    Args:
        evaluate: a `MostProbable`, perhaps in blocks (`in_blocks`) or projected into the prior (`within`).
        z: any number of latents to start from: ends of searches, draws, or others.
        condition: the generator's condition of each.
        swapped: whether the second classifier is p₁; None if it never is.
        has_gradient: whether evaluations have a gradient.
        seeds: of the samples, since a search without gradients draws; None for their places in the batch.
    """
    swapped = torch.zeros_like(condition, dtype=torch.bool) if swapped is None else swapped
    best, ids = z.clone(), range(len(z))
    for step in search(evaluate, at_once(NewSamples(z, condition, swapped, seeds or ids, ids)), *second_search(has_gradient)):
        leaving = list(step.leaving)
        best[step.batch.ids[leaving]] = step.batch.best[leaving]
    return evaluate(best, condition, swapped)


def differs(there: Evaluation) -> Bool[Tensor, " batch"]:
    """Whether the two top classes differ."""
    return there.log_p.argmax(1) != there.log_q.argmax(1)
