"""One step of the search against a bare forward pass and input gradient of the same three networks, at batch 64.

Pairs of one bare evaluation and one step of a running search, in turn, in one process; the ratio is the median over pairs.

    python benchmarks/step_cost.py
"""

import time
from statistics import median

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.contract import settled
from gevaldi.divergences import divergence
from gevaldi.generators import load_generator
from gevaldi.objective import Objective
from gevaldi.runs.worker import Traces
from gevaldi.search import registry
from gevaldi.search.loop import Stopping, search

BATCH, PAIRS = 64, 300


def main() -> None:
    """Print the ratio."""
    first, second = load_classifier("bundled:mnist-strided"), load_classifier("bundled:mnist-pooled")
    generator = load_generator("bundled:mnist-vae")
    z, condition = generator.prior.sample(range(BATCH)), torch.arange(BATCH) % 10

    def bare() -> torch.Tensor:
        latent = z.clone().requires_grad_()
        pictures = generator(latent, condition)
        log_p, log_q = first(pictures), second(pictures)
        return torch.autograd.grad((log_p.exp() * (log_p - log_q)).sum(), latent)[0]

    ratios, times = [], []
    with settled(first, second, generator, device=torch.device("cpu")):
        objective = Objective(first, second, generator, divergence("kl"), 0.0)
        steps = search(
            objective, z, condition, range(BATCH), registry.build("adam"), Stopping(steps=PAIRS + 20, window=10**6), 0.999
        )
        traces = Traces()
        for _ in range(20):
            traces.follow(next(steps))
            bare()
        for _ in range(PAIRS):
            begin = time.perf_counter()
            bare()
            middle = time.perf_counter()
            traces.follow(next(steps))
            end = time.perf_counter()
            ratios.append((end - middle) / (middle - begin))
            times.append(middle - begin)
    print(f"bare {1e3 * median(times):.2f} ms, step / bare = {median(ratios):.3f} (median of {PAIRS} pairs, batch {BATCH})")


if __name__ == "__main__":
    main()
