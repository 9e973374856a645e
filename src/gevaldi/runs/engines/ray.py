"""The engine of a cluster, by Ray [Moritz 2018]."""

import io
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import Field

from gevaldi.errors import SpecError, described
from gevaldi.execution.threads import usable_cores
from gevaldi.places import remove
from gevaldi.runs.engines._job import Job, Part, versions
from gevaldi.runs.engines._spread import Done, Event
from gevaldi.runs.engines.base import Engine, Fill, Filled, Task
from gevaldi.runs.store import Run, write_in_run

if TYPE_CHECKING:
    import torch

    from gevaldi.runs.engines._crew import Crew


class Ray(Engine):
    """All cores or GPUs of a cluster, or of this machine, by Ray, with a worker for each.

    The rows are those of the engine local, whatever the number of workers. A worker that is lost costs what it had not finished;
    nodes that join later are used.

    The address is HOST:6379 on a node of the cluster, ray://HOST:10001 from elsewhere, or auto; by default it is what RAY_ADDRESS
    says, and without that a cluster of this machine alone, which ends with the work. There are as many workers as there is room
    for, if it is not said; each has 1 thread if it is not said. The device is that of the run (same), cpu or cuda. With logs, what
    workers print is shown.
    """

    address: str | None = Field(None)
    workers: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    device: Literal["same", "cpu", "cuda"] = Field("same")
    logs: bool = Field(False)

    @contextmanager
    def opened(self) -> Iterator[Fill]:
        """Ray is installed, and something answers at the address; the first run connects to it, and hires workers."""
        from gevaldi.runs.engines._cluster import asked, check_answers, imported

        imported(self.logs)
        check_answers(asked(self.address))
        with closing(Site(self)) as site:
            yield site.fill


class Site:
    """Where an engine computes its runs: the connection and the workers, from the first run that needs them until it is closed."""

    def __init__(self, engine: Ray) -> None:
        self._engine, self._connection = engine, ExitStack()
        self._ray: Any = None
        self._largest = 0  # bytes of networks for which the store has room
        self._crew: Crew | None = None

    def close(self) -> None:
        """Let the workers go, and end the connection."""
        self._let_go()
        self._ray = None
        self._connection.close()

    def fill(self, task: Task) -> Generator[Filled, None, None]:
        """The numbers of the rows, in chunks, to actors, which make the rows."""
        from gevaldi.runs.engines._chunks import chunk_size, chunks
        from gevaldi.runs.engines._spread import Spread

        done, total = task.run.done(), task.run.total
        missing = total - len(done)
        yield Filled(total - missing, total)
        if not missing:
            return
        with visible(task.run) as token:
            job = job_for(self._engine, task, token)
            with self._at_work(job) as crew:
                size = chunk_size(missing, job.batch_size, crew.capacity(), task.models.plan.block or 1)
                spread = Spread(chunks(total, done, size), -(-missing // size), crew, crew.capacity())
                for now in kept(spread, task.run):
                    yield Filled(total - missing + now, total, crew.at_work(spread.again), tuple(crew.told))

    @contextmanager
    def _at_work(self, job: Job) -> "Iterator[Crew]":
        """Workers for a job: those of the job before, if all went well there, all is still there, and they have the room for it.

        Those on GPUs go after each job, because the next one is measured there before it begins.
        """
        from gevaldi.runs.engines._cluster import still_answers
        from gevaldi.runs.engines._crew import Crew, Room

        room = Room(job.threads, int(job.device == "cuda"))
        try:
            if self._ray is None or len(job.objects) > self._largest or not still_answers(self._ray):
                self.close()
                self._connect(job)
            if self._crew and self._crew.room == room:
                self._crew.begin(job)
            else:
                self._let_go()
                self._crew = Crew(self._ray, job, room, self._engine.workers)
            yield self._crew
            if room.accelerators:
                self._let_go()
        except BaseException:
            self.close()
            raise

    def _let_go(self) -> None:
        if self._crew:
            self._crew.dismiss()
        self._crew = None

    def _connect(self, job: Job) -> None:
        from gevaldi.runs.engines._cluster import OBJECT_STORE, connected

        asked = self._engine
        cores = max(usable_cores(), (asked.workers or 0) * job.threads)
        self._ray = self._connection.enter_context(connected(asked.address, cores, len(job.objects), asked.logs))
        self._largest = max(OBJECT_STORE // 2, len(job.objects))


def job_for(engine: Ray, task: Task, token: str) -> Job:
    """What workers are told."""
    record, spec = task.run.record["execution"], task.run.spec
    device = task.models.device.type if engine.device == "same" else engine.device
    if device not in ("cpu", "cuda"):
        raise SpecError(f"The engine ray computes on cpu and cuda, not on {device}. Use --device cpu, or the engine local.")
    own = spec.names_own_taxonomy and task.models.hierarchy
    folder = task.run.folder
    return Job(
        run=replace(task.run, folder=folder.resolve() if isinstance(folder, Path) else folder),
        names=tuple(model if isinstance(model, str) else None for model in task.given),
        objects=pickled({place: model for place, model in enumerate(task.given) if not isinstance(model, str)}),
        taxonomy=task.models.hierarchy.whole if own and task.models.hierarchy else None,
        device=device,
        batch_size=task.batch_size or record["batch_size"],
        threads=engine.threads or 1,  # and not those that were fastest for one process alone
        token=token,
        folder=str(Path.cwd()),
        path=tuple(sys.path),
        versions=versions(),
    )


def kept(spread: Iterable[Event | None], run: Run) -> Iterator[int]:
    """Write what workers could not write themselves; yields how many rows are on disk, whenever something has happened or nothing
    has for a while.
    """
    count = 0
    for event in spread:
        if isinstance(event, Done):
            part: Part = event.result
            if part.content is not None:
                write_in_run(run.folder / "samples" / part.name, part.content)
            count += part.count
        yield count


@contextmanager
def visible(run: Run) -> Iterator[str]:
    """The name of a file in a run's folder, by which workers find out whether they see the folder."""
    name = f".{uuid4().hex}.partial"  # as of unfinished files, so that one that a kill leaves is tidied up
    write_in_run(run.folder / name, b"")
    try:
        yield name
    finally:
        with suppress(OSError):
            remove(run.folder / name)


def pickled(objects: dict[int, Any]) -> bytes:
    """Networks that are objects of this program, as workers read them: on the processor, wherever they are here.

    Raises:
        SpecError: one holds something that belongs to this process alone.
    """
    import torch
    from ray import cloudpickle

    class OnTheProcessor(cloudpickle.Pickler):
        def reducer_override(self, found: Any) -> Any:
            if isinstance(found, torch.Tensor) and found.device.type != "cpu":
                return here(found).__reduce_ex__(4)
            return super().reducer_override(found)

    sink = io.BytesIO()
    try:
        OnTheProcessor(sink).dump(objects)
    except Exception as error:
        raise SpecError(
            f"A network that was given as an object cannot be sent to workers. {described(error)}. Give it by name, "
            "python:module:factory, or use the engine local."
        ) from error
    return sink.getvalue()


def here(found: "torch.Tensor") -> "torch.Tensor":
    """A tensor, or a parameter as one, on the processor."""
    import torch

    copied = found.detach().cpu()
    return torch.nn.Parameter(copied, found.requires_grad) if isinstance(found, torch.nn.Parameter) else copied
