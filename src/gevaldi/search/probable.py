"""The most probable disagreement near some latents."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gevaldi.objective import Evaluate, Evaluation
from gevaldi.search.algorithms.adam import Adam
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping

ALGORITHM = Adam(decay=0.93)
STEPS = 60  # of each search; `benchmarks/README.md` has the figures
STOPPING = Stopping(steps=STEPS, window=STEPS + 1)  # gains say nothing while a search crosses the border again and again


def most_probable(
    evaluate: Evaluate,
    z: Float[Tensor, "batch ..."],
    condition: Int[Tensor, " batch"],
    swapped: Bool[Tensor, " batch"] | None = None,
) -> Evaluation:
    """Search for the most probable disagreement from each latent, and return the evaluations of the best latents.

    The end of a search differs by the margin (`differs`, `MostProbable`) if its start does, and its log p(z) is no lower.

    Args:
        evaluate: a `MostProbable`, perhaps in blocks (`in_blocks`) or projected into the prior (`within`).
        z: any number of latents to start from: ends of searches, draws, or others.
        condition: the generator's condition of each.
        swapped: whether the second classifier is p₁; None if it never is.
    """
    swapped = torch.zeros_like(condition, dtype=torch.bool) if swapped is None else swapped
    best, ids = z.clone(), range(len(z))
    for step in search(evaluate, at_once(NewSamples(z, condition, swapped, ids, ids)), ALGORITHM, STOPPING):
        leaving = list(step.leaving)
        best[step.batch.ids[leaving]] = step.batch.best[leaving]
    return evaluate(best, condition, swapped)


def differs(there: Evaluation) -> Bool[Tensor, " batch"]:
    """Whether the two top classes differ."""
    return there.log_p.argmax(1) != there.log_q.argmax(1)
