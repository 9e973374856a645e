"""Two workers of one thread each against one worker of one thread: the same run of the bundled pair by the engine ray.

Both have computed a small run before, so that their processes are there. One and two take turns.

    python benchmarks/workers.py [SAMPLES [ROUNDS]]
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.engines import engine
from gevaldi.engines.base import Job, compute_missing
from gevaldi.generators import load_generator
from gevaldi.progress import Bar
from gevaldi.runs.session import models_of, open_run
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.spec import Spec

NAMES = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
BATCH = 64


def seconds(workers: int, samples: int, ready: Any) -> float:
    """From the first chunk to the last row on disk."""
    with tempfile.TemporaryDirectory() as folder, engine(f"ray,workers={workers}").open() as compute:
        for count in (8 * workers, samples):
            run = open_run(Path(folder) / str(count), spec_of(count), ready, "benchmarks/workers.py")
            begin = time.perf_counter()
            compute_missing(Job(run, ready, NAMES, BATCH, Bar(False)), compute)
        return time.perf_counter() - begin


def spec_of(samples: int) -> Spec:
    """A run of the bundled pair."""
    return Spec(first=NAMES[0], second=NAMES[1], generator=NAMES[2], samples=samples, audited=50, taxonomy="mnist-digits")


def main(samples: int, rounds: int) -> None:
    """Print the times, and the median of their ratios."""
    torch.set_num_threads(1)
    given = load_classifier(NAMES[0]), load_classifier(NAMES[1]), load_generator(NAMES[2])
    ready, ratios = models_of(spec_of(samples), *given, torch.device("cpu")), []
    with prepare_torch(ready):
        for turn in range(rounds):
            found = {workers: seconds(workers, samples, ready) for workers in ((1, 2) if turn % 2 else (2, 1))}
            ratios.append(found[1] / found[2])
            print(f"one worker {found[1]:.1f} s, two {found[2]:.1f} s: {ratios[-1]:.2f} x", flush=True)
    print(f"{2 * samples:,} searches in batches of {BATCH}: two workers are {median(ratios):.2f} x one, median of {rounds}")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]), *(1024, 3)[len(sys.argv) - 1 :])
