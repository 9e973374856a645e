"""The engine of one machine."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from gevaldi.engines.base import ComputeRows, Engine, Job
from gevaldi.runs.store.writer import FinishedSamples


class Local(Engine):
    """This machine, in this process."""

    @contextmanager
    def open(self) -> Iterator[ComputeRows]:
        """Always available."""
        yield compute


def compute(job: Job, indices: Sequence[int]) -> Generator[FinishedSamples, None, None]:
    """Search in this process, in a full batch, or draw."""
    if job.task == "draws":
        from gevaldi.mass.draws import draw_blocks

        yield from draw_blocks(indices, job.models, job.run.spec)
        return
    from gevaldi.runs.start import chosen_conditions, start_at
    from gevaldi.runs.worker.search import search_all

    spec = job.run.spec
    conditions = chosen_conditions(spec, job.models.generator.conditions)
    starts = (start_at(index, spec, conditions) for index in indices)
    yield from search_all(starts, job.models, spec, job.batch_size, job.progress.step)
