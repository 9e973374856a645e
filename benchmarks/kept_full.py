"""What a batch that is kept full is worth, on the bundled pair at default stopping; and what a run costs beside bare evaluations.

The same starts are searched three times in turn: in batches that run until the slowest sample of each has finished, every step
computed for all of them (what the paper's procedure does, and any loop over a fixed batch); in batches that samples leave; and in
one that others join. All ways end with the same samples. The last figure is the time of the third way, everything included but the
making of rows, which has a thread of its own, against that of as many bare forward and backward passes in full batches.

    python benchmarks/kept_full.py
"""

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch

from gevaldi.batches import in_blocks
from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.objective import within
from gevaldi.runs.session import models_of
from gevaldi.runs.start import Start, starts
from gevaldi.runs.worker.scheduler import inputs
from gevaldi.runs.worker.search import search_all
from gevaldi.runs.worker.setup import Models, prepare_torch
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping
from gevaldi.spec import Spec

NAMES = {"first": "bundled:mnist-strided", "second": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"}
BATCH, BATCHES, ROUNDS = 64, 8, 3


def batches(spec: Spec) -> Iterator[list[Start]]:
    """The starts of a run in batches."""
    everyone = list(starts(spec, list(range(10))))
    return (everyone[i : i + BATCH] for i in range(0, len(everyone), BATCH))


def to_the_slowest(models: Models, spec: Spec) -> int:
    """Every step for the whole batch until its last sample has converged; returns the evaluations of samples."""
    counted = 0
    for batch in batches(spec):
        seeds = [start.seed for start in batch]
        supply = at_once(NewSamples(models.starts(seeds), *inputs(batch, models.device), seeds, range(len(batch))))
        evaluate = within(in_blocks([models.objective(0.0)], models.plan.block), models.generator.prior, 0.999)
        for_ever = Stopping(steps=spec.search.steps, gain=0.0, window=10**6)
        slowest = max(own_steps(models, spec, batch))
        for step in search(evaluate, supply, models.algorithm, for_ever):
            counted += len(step.batch.ids)
            if int(step.batch.steps[0]) == slowest:
                break
    return counted


def own_steps(models: Models, spec: Spec, batch: list[Start], known: dict[int, int] = {}) -> list[int]:  # noqa: B006
    """After how many steps each of a batch has converged; looked up, so that it is not part of what is timed."""
    if not known:
        for results in search_all(starts(spec, list(range(10))), models, spec, BATCH):
            known |= {ended.start.index: ended.exit.steps for ended in results.samples}
    return [known[start.index] for start in batch]


def leaving(models: Models, spec: Spec) -> None:
    """Batches that samples leave, one batch after the other."""
    for batch in batches(spec):
        for _ in search_all(batch, models, spec, BATCH):
            pass


def kept_full(models: Models, spec: Spec) -> None:
    """One batch that others join."""
    for _ in search_all(starts(spec, list(range(10))), models, spec, BATCH):
        pass


def bare(models: Models, times: int) -> None:
    """So many forward passes through the three networks and backward passes to the latent, in full batches."""
    z, condition = models.starts(range(BATCH)), torch.arange(BATCH) % 10
    for _ in range(times):
        latent = z.clone().requires_grad_()
        pictures = models.generator(latent, condition)
        log_p, log_q = models.first(pictures), models.second(pictures)
        torch.autograd.grad((log_p.exp() * (log_p - log_q)).sum(), latent)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    """Print the ratios."""
    spec = Spec(**NAMES, samples=BATCH * BATCHES // 2)
    networks = load_classifier(NAMES["first"]), load_classifier(NAMES["second"]), load_generator(NAMES["generator"])
    models = models_of(spec, *networks, torch.device("cpu"))
    with prepare_torch(models):
        steps = own_steps(models, spec, list(starts(spec, list(range(10)))))
        needed = sum(steps) + 2 * len(steps)  # with the evaluations of starts and ends
        found = []
        for _ in range(ROUNDS):
            slowest, left, full = (timed(lambda way=way: way(models, spec)) for way in (to_the_slowest, leaving, kept_full))
            found.append((slowest, left, full, timed(lambda: bare(models, round(needed / BATCH)))))
        counted = to_the_slowest(models, spec)
    print(f"{len(steps)} samples in batches of {BATCH}: {needed:,} evaluations are needed, {counted:,} where the slowest decides")
    ratios = {"to the slowest / kept full": (0, 2), "only left / kept full": (1, 2), "kept full / bare": (2, 3)}
    for name, (a, b) in ratios.items():
        each = [times[a] / times[b] for times in found]
        print(f"{name}: {median(each):.3f} ({', '.join(f'{ratio:.3f}' for ratio in each)})")


if __name__ == "__main__":
    main()
