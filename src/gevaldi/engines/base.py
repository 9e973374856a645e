"""What every engine must do, and the loop above all of them."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.errors import GevaldiError
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.writer import FinishedSamples, Writer
from gevaldi.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from gevaldi.progress import Bar
    from gevaldi.runs.worker.setup import Models


class EngineError(GevaldiError):
    """A cluster that does not answer, or on which nothing can be computed."""


@dataclass(frozen=True)
class Job:
    """A run that is open, and what its rows are computed from.

    Attributes:
        run: its folder, and the record that says how its rows are computed.
        models: the networks, ready on this machine.
        sources: the three networks as the user passed them, names or objects, from which another machine loads them.
        batch_size: samples searched together.
        progress: hears of every step where the search is on this machine, of what a cluster does, and of what went wrong there.
    """

    run: Run
    models: "Models"
    sources: Sequence[Any]
    batch_size: int
    progress: "Bar"


ComputeRows = Callable[[Job, Sequence[int]], "Generator[FinishedSamples, None, None]"]
"""Compute the rows of a job with these indices; yields them in the order of their finishing, and nothing now and then.

Closing the generator stops the work.

Raises:
    EngineError: there is nobody who could compute them.
"""


class Engine(Settings, ABC):
    """A place to compute in; its settings are its fields. The rows are the same in every one of them."""

    @abstractmethod
    def open(self) -> AbstractContextManager[ComputeRows]:
        """Yields a function that computes rows. It is valid until the context exits; resources are reused between runs.

        Raises:
            MissingExtra: its package is not installed.
            EngineError: nobody answers, which is checked before anything is loaded.
        """


def compute_missing(job: Job, compute: ComputeRows) -> None:
    """Compute the rows that a run still lacks and write them to its folder, as only this process does.

    Rows that finished before an error or Ctrl-C are written.

    Raises:
        EngineError: nobody can compute them.
        RunFolderError: they cannot be written.
    """
    done, total = job.run.done(), job.run.total
    job.progress.rows(len(done), total)
    missing = array("q", (index for index in range(total) if index not in done))  # 8 bytes a row, of which there may be 100 million
    if not missing:
        return
    with closing(compute(job, missing)) as results, Writer(job.run) as writer:
        for finished in results:
            writer.put(finished)
            job.progress.rows(len(done) + writer.written, total)
    job.progress.rows(len(done) + writer.written, total)
