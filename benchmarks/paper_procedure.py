"""Default settings against the paper's procedure: wall time to the mean divergence that the procedure ends with.

The procedure, as Appendix A and its public description have it: Adam at 1e-2 on all 64 samples together, at least 1,000
iterations, then until the mean of the last 50 mean divergences exceeds the mean of the 50 that ended 100 iterations earlier by
less than 1 %. Same networks, same starts, same λ. Both sides run in this process, one after the other, with as many threads.
`confined` is GeValDi's projection into the prior's 99.9 % region, which the paper does not have; it is given to both or to none.

    python benchmarks/paper_procedure.py
"""

import time
from dataclasses import dataclass
from itertools import product
from statistics import mean

import torch

from gevaldi.batches import in_blocks
from gevaldi.classifiers import load_classifier
from gevaldi.contract import on_device
from gevaldi.divergences import divergence
from gevaldi.execution.plan import BLOCK
from gevaldi.generators import load_generator
from gevaldi.objective import Evaluation, Objective, within
from gevaldi.runs.session import models_of
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.search import registry
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping
from gevaldi.spec import Spec

SAMPLES, BATCHES, CPU = 64, 2, torch.device("cpu")
STARTS = 10_000  # the default settings were chosen on starts 0 to 255


def paper(objective: Objective, z: torch.Tensor, condition: torch.Tensor, mass: float | None) -> tuple[Evaluation, int]:
    """The paper's procedure, written out, on the same objective; `mass` confines it as our search is confined."""
    in_prior, forward = within(objective, objective.generator.prior, mass), torch.zeros_like(condition, dtype=torch.bool)

    def evaluate(latents: torch.Tensor) -> Evaluation:
        return in_prior(latents, condition, forward)

    m, v, history, step = torch.zeros_like(z), torch.zeros_like(z), [], 0
    now = evaluate(z)
    while True:
        step += 1
        m, v = 0.9 * m + 0.1 * now.gradient, 0.999 * v + 0.001 * now.gradient**2
        now = evaluate(now.z + 1e-2 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        history.append(now.divergence.mean().item())
        if step >= 1000 and mean(history[-50:]) < 1.01 * mean(history[-150:-100]):
            return now, step


@dataclass(frozen=True)
class Outcome:
    """What GeValDi's search came to: mean divergence, share inside the 99.9 % region, evaluations a sample, seconds in all, and
    seconds until the mean divergence was that of the procedure (None if it never was)."""

    mean: float
    inside: float
    evaluations: float
    seconds: float
    seconds_to_goal: float | None


def ours(objective: Objective, z: torch.Tensor, condition: torch.Tensor, mass: float | None, goal: float) -> Outcome:
    """The search at default settings."""
    begin, reached = time.perf_counter(), None
    end, typical, evaluations = torch.zeros_like(z[:, 0]), torch.zeros_like(z[:, 0]), 0
    supply = at_once(NewSamples.forward(z, condition, range(len(z))))
    evaluate = within(in_blocks([objective], BLOCK), objective.generator.prior, mass)
    for step in search(evaluate, supply, registry.build("adam"), Stopping()):
        end[step.batch.ids], typical[step.batch.ids] = (
            step.evaluation.divergence,
            objective.generator.prior.typicality(step.evaluation.z),
        )
        evaluations += len(step.batch.ids)
        if reached is None and end.mean().item() >= goal:
            reached = time.perf_counter() - begin
    inside = (typical <= 0.999).float().mean().item()
    return Outcome(end.mean().item(), inside, evaluations / len(z), time.perf_counter() - begin, reached)


def main() -> None:
    """Print the table."""
    names = {"first": "bundled:mnist-strided", "second": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"}
    first, second, generator = load_classifier(names["first"]), load_classifier(names["second"]), load_generator(names["generator"])
    models, condition = models_of(Spec(**names), first, second, generator, CPU), torch.arange(SAMPLES) % 10
    print(
        "| λ | confined | order | batch | paper: KL | inside | s | GeValDi: KL | inside | s | s to that KL | evaluations a sample |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for (weight, mass), order in product(((0.0, 0.999), (0.001, 0.999), (0.01, 0.999), (0.0, None)), ("forward", "reverse")):
        pair = (first, second) if order == "forward" else (second, first)
        objective = Objective(*pair, generator, divergence("kl"), weight)
        for batch in range(BATCHES):
            z = generator.prior.sample(range(STARTS + SAMPLES * batch, STARTS + SAMPLES * (batch + 1)))
            with on_device(first, second, generator, device=CPU):
                objective(z, condition)  # warm up
                begin = time.perf_counter()
                end, steps = paper(objective, z, condition, mass)
                took, goal = time.perf_counter() - begin, end.divergence.mean().item()
            inside = (generator.prior.typicality(end.z) <= 0.999).float().mean().item()
            with prepare_torch(models):
                found = ours(objective, z.to(models.plan.dtype), condition, mass, goal)
            quick = found.seconds_to_goal
            cells = [weight, "yes" if mass else "no", order, batch + 1, f"{goal:.3f}", f"{inside:.0%}", f"{took:.1f}"]
            cells += [f"{found.mean:.3f}", f"{found.inside:.0%}", f"{found.seconds:.1f} ({took / found.seconds:.1f} x less)"]
            cells += [f"{quick:.1f} ({took / quick:.1f} x less)" if quick else "not reached"]
            cells += [f"{found.evaluations:.0f} against {steps + 1}"]
            print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
