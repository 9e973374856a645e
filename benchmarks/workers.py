"""Two workers of one thread each against one worker of one thread: the same run of the bundled pair by the engine ray.

The clock runs from when all workers have loaded their networks to the last row on disk. One and two take turns.

    python benchmarks/workers.py [SAMPLES [ROUNDS]]
"""

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.runs.engines._chunks import chunk_size, chunks
from gevaldi.runs.engines._cluster import connected
from gevaldi.runs.engines._crew import Crew, Room
from gevaldi.runs.engines._spread import Event, Joined, Spread
from gevaldi.runs.engines.base import Task
from gevaldi.runs.engines.ray import Ray, job_for, kept, visible
from gevaldi.runs.session import models_of, open_run, prepared
from gevaldi.spec import Spec

NAMES = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
BATCH = 64


class Together:
    """A crew whose workers are said to be ready when all of them are."""

    def __init__(self, crew: Crew, workers: int) -> None:
        self.crew, self.workers, self.begin = crew, workers, 0.0
        self._ready: list[Event] = []

    def submit(self, worker: int, number: int, chunk: list[int]) -> None:
        """As the crew does."""
        self.crew.submit(worker, number, chunk)

    def finished(self) -> Iterable[Event]:
        """As of the crew, from when all are there."""
        events = list(self.crew.finished())
        if self.begin:
            return events
        self._ready += [event for event in events if isinstance(event, Joined)]
        if len(self._ready) < self.workers:
            return []
        self.begin = time.perf_counter()
        return self._ready


def seconds(ray: Any, workers: int, spec: Spec, ready: Any) -> float:
    """From when the workers are ready to the last row."""
    with tempfile.TemporaryDirectory() as folder:
        run = open_run(Path(folder) / "run", spec, ready, BATCH, "benchmarks/workers.py")
        task = Task(run, ready, NAMES, BATCH, lambda searching, step: None)
        with visible(run) as token:
            job = job_for(Ray(threads=1), task, token)
            crew = Crew(ray, job, Room(1, 0), workers)
            pool = Together(crew, workers)
            size = chunk_size(run.total, BATCH, workers, ready.rounding.lanes)
            try:
                for _ in kept(Spread(chunks(run.total, (), size), -(-run.total // size), pool, workers), run):
                    pass
                return time.perf_counter() - pool.begin
            finally:
                crew.dismiss()


def main(samples: int, rounds: int) -> None:
    """Print the times, and the median of their ratios."""
    torch.set_num_threads(1)
    spec = Spec(first=NAMES[0], second=NAMES[1], generator=NAMES[2], samples=samples, audited=50, taxonomy="mnist-digits")
    given = load_classifier(NAMES[0]), load_classifier(NAMES[1]), load_generator(NAMES[2])
    ready, ratios = models_of(spec, *given, torch.device("cpu")), []
    with prepared(ready), connected(None, 2, 0, False) as ray:
        for turn in range(rounds):
            found = {workers: seconds(ray, workers, spec, ready) for workers in ((1, 2) if turn % 2 else (2, 1))}
            ratios.append(found[1] / found[2])
            print(f"one worker {found[1]:.1f} s, two {found[2]:.1f} s: {ratios[-1]:.2f} x", flush=True)
    print(f"{2 * samples:,} searches in batches of {BATCH}: two workers are {median(ratios):.2f} x one, median of {rounds}")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]), *(1024, 3)[len(sys.argv) - 1 :])
