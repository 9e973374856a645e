"""Default settings against the paper's procedure: wall time to the mean divergence that the procedure ends with.

The procedure, as Appendix A and its public description have it: Adam at 1e-2 on all 64 samples together, at least 1,000
iterations, then until the mean of the last 50 mean divergences exceeds the mean of the 50 that ended 100 iterations earlier by
less than 1 %. Same networks, same starts, same λ. Both sides run in this process, one after the other, with as many threads.

    python benchmarks/paper_procedure.py
"""

import time
from functools import partial
from statistics import mean

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.contract import settled
from gevaldi.divergences import divergence
from gevaldi.generators import load_generator
from gevaldi.objective import Evaluation, Objective, within
from gevaldi.search import registry
from gevaldi.search.loop import Stopping, search

SAMPLES, CPU = 64, torch.device("cpu")


def paper(objective: Objective, z: torch.Tensor, condition: torch.Tensor, mass: float | None) -> tuple[Evaluation, int]:
    """The paper's procedure, written out, on the same objective; `mass` confines it as our search is confined."""
    evaluate = objective.given(condition)
    evaluate = within(evaluate, objective.generator.prior, mass) if mass else evaluate
    m, v, history, step = torch.zeros_like(z), torch.zeros_like(z), [], 0
    now = evaluate(z)
    while True:
        step += 1
        m, v = 0.9 * m + 0.1 * now.gradient, 0.999 * v + 0.001 * now.gradient**2
        now = evaluate(now.z + 1e-2 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        history.append(now.divergence.mean().item())
        if step >= 1000 and mean(history[-50:]) < 1.01 * mean(history[-150:-100]):
            return now, step


def ours(
    objective: Objective, z: torch.Tensor, condition: torch.Tensor, mass: float | None
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The search at default settings: final divergences, typicalities, evaluations a sample."""
    end, typical, evaluations = torch.zeros(len(z)), torch.zeros(len(z)), 0
    for step in search(objective, z, condition, range(len(z)), registry.build("adam"), Stopping(), mass):
        end[step.places], typical[step.places] = step.evaluation.divergence, objective.generator.prior.typicality(step.evaluation.z)
        evaluations += len(step.places)
    return end, typical, evaluations // len(z)


def main() -> None:
    """Print the table."""
    first, second = load_classifier("bundled:mnist-strided"), load_classifier("bundled:mnist-pooled")
    generator = load_generator("bundled:mnist-vae")
    z, condition = generator.prior.sample(range(SAMPLES)), torch.arange(SAMPLES) % 10
    make = partial(Objective, first, second, generator, divergence("kl"))
    print("| λ | confined to 99.9 % | procedure | mean KL | inside 99.9 % | evaluations a sample | seconds |")
    print("|---|---|---|---|---|---|---|")
    with settled(first, second, generator, device=CPU):
        for weight, mass in ((0.0, 0.999), (0.0, None), (0.001, 0.999)):
            objective = make(weight)
            objective(z, condition)  # warm up
            begin = time.perf_counter()
            end, steps = paper(objective, z, condition, mass)
            took = time.perf_counter() - begin
            inside = (generator.prior.typicality(end.z) <= 0.999).float().mean().item()
            print(
                f"| {weight} | {bool(mass)} | paper | {end.divergence.mean():.3f} | {inside:.0%} | {steps + 1} | {took:.1f} |",
                flush=True,
            )
            begin = time.perf_counter()
            reached, typical, evaluations = ours(objective, z, condition, mass)
            fast = time.perf_counter() - begin
            inside = (typical <= 0.999).float().mean().item()
            cost = f"{evaluations} | {fast:.1f} ({took / fast:.1f} x less)"
            print(f"| {weight} | {bool(mass)} | gevaldi | {reached.mean():.3f} | {inside:.0%} | {cost} |", flush=True)


if __name__ == "__main__":
    main()
