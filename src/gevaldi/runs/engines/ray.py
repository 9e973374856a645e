"""The engine of a cluster, by Ray [Moritz 2018]."""

import io
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import Field, PrivateAttr

from gevaldi.errors import SpecError, described
from gevaldi.places import remove
from gevaldi.runs.engines._spread import Done, Event
from gevaldi.runs.engines._worker import Job, Part, versions
from gevaldi.runs.engines.base import Engine, Filled, Task
from gevaldi.runs.store import Run, write_in_run
from gevaldi.runs.threads import usable_cores

if TYPE_CHECKING:
    import torch

    from gevaldi.runs.engines._crew import Crew, Room


@dataclass
class Kept:
    """What an engine keeps from one run to the next: the connection, until the stack is closed, and the workers."""

    until: ExitStack | None = None
    crew: "Crew | None" = None

    def dismiss(self) -> None:
        """Let the workers go."""
        if self.crew:
            self.crew.dismiss()
        self.crew = None


class Ray(Engine):
    """All cores or GPUs of a cluster, or of this machine, by Ray, with a worker for each.

    The rows are those of the engine local, whatever the number of workers. A worker that is lost costs what it had not finished;
    nodes that join later are used.

    The address is HOST:6379 on a node of the cluster, ray://HOST:10001 from elsewhere, or auto; by default it is what RAY_ADDRESS
    says, and without that a cluster of this machine alone, which ends with the run. There are as many workers as there is room
    for, if it is not said; each has 1 thread if it is not said. The device is that of the run (same), cpu or cuda. With logs, what
    workers print is shown.
    """

    address: str | None = Field(None)
    workers: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    device: Literal["same", "cpu", "cuda"] = Field("same")
    logs: bool = Field(False)
    _kept: Kept | None = PrivateAttr(None)

    def check(self) -> None:
        """Ray is installed, and something answers at the address."""
        from gevaldi.runs.engines._cluster import asked, check_answers, imported

        imported(self.logs)
        check_answers(asked(self.address))

    @contextmanager
    def shared(self) -> "Iterator[Ray]":
        """The same, whose connection and workers are kept from the first of its runs to the end."""
        with ExitStack() as stack:
            shared = self.model_copy()
            shared._kept = Kept(stack)
            try:
                yield shared
            finally:
                shared._kept.dismiss()

    def fill(self, task: Task) -> Generator[Filled, None, None]:
        """The numbers of the rows, in chunks, to actors, which make the rows."""
        from gevaldi.runs.engines._chunks import chunk_size, chunks
        from gevaldi.runs.engines._cluster import connected
        from gevaldi.runs.engines._crew import Room
        from gevaldi.runs.engines._spread import Spread

        done, total = task.run.done(), task.run.total
        missing = total - len(done)
        yield Filled(total - missing, total)
        if not missing:
            return
        with visible(task.run) as token:
            job = self._job(task, token)
            room = Room(job.threads, int(job.device == "cuda"))
            cores = max(usable_cores(), (self.workers or 0) * job.threads)
            until = self._kept.until if self._kept else None
            with connected(self.address, cores, len(job.objects), self.logs, until) as ray, self._crew(ray, job, room) as crew:
                size = chunk_size(missing, job.batch_size, crew.capacity(), task.models.rounding.lanes)
                spread = Spread(chunks(total, done, size), -(-missing // size), crew, crew.capacity())
                for now in kept(spread, task.run):
                    yield Filled(total - missing + now, total, crew.at_work(spread.again), tuple(crew.told))

    @contextmanager
    def _crew(self, ray: Any, job: Job, room: "Room") -> "Iterator[Crew]":
        """Workers for a job. Where the engine is shared, those of the job before; they stay if all goes well."""
        from gevaldi.runs.engines._crew import Crew

        shared, stays = self._kept or Kept(), False
        if shared.crew and shared.crew.room == room:
            shared.crew.begin(job)
        else:
            shared.dismiss()
            shared.crew = Crew(ray, job, room, self.workers)
        try:
            yield shared.crew
            stays = self._kept is not None
        finally:
            if not stays:
                shared.dismiss()

    def _job(self, task: Task, token: str) -> Job:
        """What the workers are told."""
        record, spec = task.run.record["execution"], task.run.spec
        device = task.models.device.type if self.device == "same" else self.device
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
            threads=self.threads or 1,  # and not those that were fastest for one process alone
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
