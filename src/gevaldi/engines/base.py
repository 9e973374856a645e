"""The interface of engines, and the loop that they share."""

import math
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from gevaldi.errors import GevaldiError
from gevaldi.mass.stored import StoredDraws
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.writer import FinishedSamples, Writer
from gevaldi.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from gevaldi.progress import Bar
    from gevaldi.runs.worker.setup import Models


class EngineError(GevaldiError):
    """A cluster that does not answer or cannot compute."""


Task = Literal["samples", "draws"]


@dataclass(frozen=True)
class Job:
    """An open run, and the inputs of its rows.

    Attributes:
        run: its folder, and the record that says how to compute its rows.
        models: the networks, ready on this machine.
        sources: the three networks as the user passed them, names or objects, from which another machine loads them.
        batch_size: samples searched together.
        progress: receives every step of a search on this machine, and the state and the errors of a cluster.
        task: what the rows are: samples of a search, or blocks of draws without one.
    """

    run: Run
    models: "Models"
    sources: Sequence[Any]
    batch_size: int
    progress: "Bar"
    task: Task = "samples"


ComputeRows = Callable[[Job, Sequence[int]], "Generator[FinishedSamples, None, None]"]
"""Compute the rows of a job with these indices; yields them as they finish, and empty batches now and then.

Closing the generator stops the work.

Raises:
    EngineError: no worker can compute them.
"""


class Engine(Settings, ABC):
    """A place to compute; its settings are its fields. All engines compute the same rows."""

    @abstractmethod
    def open(self) -> AbstractContextManager[ComputeRows]:
        """Yields a function that computes rows. It is valid until the context exits; resources are reused between runs.

        Raises:
            MissingExtra: its package is not installed.
            EngineError: the cluster does not answer; checked before anything is loaded.
        """


def compute_missing(job: Job, compute: ComputeRows) -> None:
    """Compute the missing rows of a run and write them to its folder; only this process writes.

    Writes rows that finished before an error or Ctrl-C.

    Raises:
        EngineError: no worker can compute them.
        RunFolderError: the rows cannot be written.
    """
    done, total = job.run.done(), job.run.total
    job.progress.rows(len(done), total)
    missing = array("q", (index for index in range(total) if index not in done))  # 8 bytes per row, for up to 100 million rows
    if not missing:
        return
    with closing(compute(job, missing)) as results, Writer(job.run) as writer:
        for finished in results:
            writer.put(finished)
            job.progress.rows(len(done) + writer.written, total)
    job.progress.rows(len(done) + writer.written, total)


def compute_draws(job: Job, compute: ComputeRows, count: int) -> StoredDraws:
    """Compute the draws of a run that are missing among the first `count`, and write them to its folder.

    A block of draws is computed whole, so that there may be a few more. Writes blocks that finished before an error or Ctrl-C.

    Raises:
        EngineError: no worker can compute them.
        RunFolderError: they cannot be written, or earlier ones cannot be read.
    """
    from gevaldi.mass.draws import Drawing

    stored, block = StoredDraws.of(job.run), Drawing(job.models, job.run.spec).block
    there = set((stored.indices() // block).tolist())
    total = math.ceil(count / block)
    missing = [number for number in range(total) if number not in there]
    done = total - len(missing)
    job.progress.rows(done * block, total * block)
    if not missing:
        return stored
    with closing(compute(replace(job, task="draws", batch_size=1), missing)) as results:
        try:
            for finished in results:
                stored.put(blocks := finished.rows())
                done += len(blocks)
                job.progress.rows(done * block, total * block)
        finally:
            stored.flush()
    return stored
