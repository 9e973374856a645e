"""One step of the search against a bare forward pass and input gradient of the same three networks, at batch 64.

Pairs of one bare evaluation and one step of a running search, in turn, in one process; the ratio is the median over pairs.

    python benchmarks/step_cost.py
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.objective import within
from gevaldi.runs.session import models_of
from gevaldi.runs.start import starts
from gevaldi.runs.worker.recorder import PathRecorder, Trajectory
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping
from gevaldi.spec import Spec

BATCH, PAIRS = 64, 300


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    """Print the ratio."""
    names = {"first": "bundled:mnist-strided", "second": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"}
    first, second, generator = load_classifier(names["first"]), load_classifier(names["second"]), load_generator(names["generator"])
    models = models_of(Spec(**names), first, second, generator, torch.device("cpu"))
    z, condition = models.starts(range(BATCH)), torch.arange(BATCH) % 10

    def bare() -> torch.Tensor:
        latent = z.clone().requires_grad_()
        pictures = generator(latent, condition)
        log_p, log_q = first(pictures), second(pictures)
        return torch.autograd.grad((log_p.exp() * (log_p - log_q)).sum(), latent)[0]

    ratios, times = [], []
    with prepare_torch(models):
        evaluate = within(models.objective(0.0), generator.prior, 0.999)
        stopping = Stopping(steps=PAIRS + 20, window=10**6)
        supply = at_once(NewSamples.forward(z, condition, range(BATCH)))
        steps = search(evaluate, supply, models.algorithm, stopping)
        run = Spec(**names, samples=BATCH, orders="forward")
        trajectories = {start.index: Trajectory(start) for start in starts(run, list(range(10)))}
        recorder = PathRecorder(models, trajectories)
        for _ in range(20):
            recorder.record(next(steps))
            bare()
        for pair in range(PAIRS):
            if pair % 2:  # each goes first as often as the other
                step, alone = _timed(lambda: recorder.record(next(steps))), _timed(bare)
            else:
                alone, step = _timed(bare), _timed(lambda: recorder.record(next(steps)))
            ratios.append(step / alone)
            times.append(alone)
    print(f"{models.plan.dtype}: bare {1e3 * median(times):.2f} ms, median of {PAIRS} pairs at batch {BATCH}")
    print(f"step / bare = {median(ratios):.3f}")


if __name__ == "__main__":
    main()
