"""What runs on a worker of a cluster: networks loaded once, a batch kept full from the chunks that come, rows written or sent."""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, Queue, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gevaldi.errors import GevaldiError, RunFolderError, described
from gevaldi.places import is_there, remove, write
from gevaldi.runs._part import part_of
from gevaldi.runs.engines._job import Arrival, Job, Part, Trouble, versions
from gevaldi.runs.schema import Row
from gevaldi.runs.start import Start
from gevaldi.runs.store import Run

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Generator
    from gevaldi.runs.worker.setup import Models

WAITING = 8  # harvests that may wait to become rows; more, and the search waits for them


@dataclass(frozen=True)
class _End:
    """Stands behind the last harvest: why there will be no other."""

    why: str


@dataclass
class _Chunk:
    """The rows of a chunk as they come, and who waits for all of them."""

    missing: int
    rows: list[Row] = field(default_factory=list)
    whole: "Future[list[Row]]" = field(default_factory=Future)


class Inflow(Iterator[Start]):
    """Starts as they are given to a worker. It ends where there is none at the moment, and goes on when there is another."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Start | None] = SimpleQueue()
        self._held: list[Start] = []

    def put(self, start: Start) -> None:
        """Another one."""
        self._queue.put(start)

    def close(self) -> None:
        """There will be no other."""
        self._queue.put(None)

    def wait(self) -> bool:
        """Until there is one, or there will be none any more, which is False."""
        start = self._queue.get()
        if start is not None:
            self._held.append(start)
        return start is not None

    def __next__(self) -> Start:
        if self._held:
            return self._held.pop()
        try:
            start = self._queue.get_nowait()
        except Empty:
            raise StopIteration from None
        if start is None:
            self.close()  # so that who waits hears of it too
            raise StopIteration
        return start


class Worker:
    """A process on some machine of a cluster. Its methods are called from threads of their own, so that chunks overlap.

    It can be given one job after the other; networks that have names, and that the next job needs too, are not loaded again.
    """

    def __init__(self) -> None:
        self._shift: Shift | None = None

    def ready(self, job: Job) -> Arrival | Trouble:
        """Take a job, the last one being finished: load the networks, and see that they are those that the run was begun with."""
        kept = self._shift.end() if self._shift else {}
        self._shift = Shift(job, kept)
        return self._shift.ready()

    def work(self, indices: Sequence[int]) -> Part | Trouble:
        """Compute the rows of these samples: written to the run's folder where this worker sees it, otherwise in the answer."""
        assert self._shift, "a worker is asked to be ready first"
        return self._shift.work(indices)


Loaded = dict[tuple[str, str, str], Any]
"""Networks by their kind, their name, and the folder from which names start that are relative."""


class Shift:
    """What a worker does for one job."""

    def __init__(self, job: Job, kept: Loaded) -> None:
        self._job, self._kept = job, kept
        self._networks: Loaded = {}
        self._threads: list[Thread] = []
        self._host = f"{socket.gethostname()} ({_address()})"
        self._inflow, self._harvests = Inflow(), Queue[Any](WAITING)
        self._chunks: dict[int, _Chunk] = {}  # by the numbers of the samples that are missing
        self._lock, self._broken = Lock(), ""
        self._conditions: list[int] = []
        self._writes = False
        self._stack = ExitStack()

    def ready(self) -> Arrival | Trouble:
        """Load the networks, and see that they are those that the run was begun with."""
        try:
            models = self._loaded()
            self._writes = self._sees_the_folder()
        except Exception as error:
            return self._trouble(error)
        self._threads = [
            Thread(target=self._search, args=(models,), name="gevaldi searches", daemon=True),
            Thread(target=self._gather, name="gevaldi makes rows", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return Arrival(_node(), self._host)

    def end(self) -> Loaded:
        """Give the networks back as they were, where nobody waits for rows any more; those that have names are for the next job."""
        self._inflow.close()
        for thread in self._threads:
            thread.join()
        self._stack.close()
        if self._job.run.record["execution"].get("compiled"):
            import torch

            torch.compiler.reset()  # of these networks nothing is left that would count against the next ones
        return self._networks

    def work(self, indices: Sequence[int]) -> Part | Trouble:
        """Compute the rows of these samples: written to the run's folder where this worker sees it, otherwise in the answer."""
        try:
            rows = self._rows(indices)
            if self._writes:
                try:
                    return Part(len(rows), self._job.run.append(rows).name, None)
                except RunFolderError:
                    self._writes = False  # the disk fails from here; it may not where the run was begun
            return Part(len(rows), *part_of(rows, self._job.run.origin))
        except Exception as error:
            return self._trouble(error)

    def _rows(self, indices: Sequence[int]) -> list[Row]:
        """The rows of these samples, when all are there.

        Raises:
            Broken: the search has ended.
        """
        from gevaldi.runs.start import start_at

        chunk = _Chunk(len(indices))
        with self._lock:
            if self._broken:
                raise Broken(self._broken)
            self._chunks |= dict.fromkeys(indices, chunk)
        for index in indices:
            self._inflow.put(start_at(index, self._job.run.spec, self._conditions))
        return chunk.whole.result()

    def _trouble(self, error: BaseException) -> Trouble:
        return Trouble(self._host, in_a_sentence(error), _node())

    def _loaded(self) -> "Models":
        import torch

        from gevaldi.runs.session import device_of, models_of
        from gevaldi.runs.start import chosen_conditions
        from gevaldi.runs.worker.setup import prepared

        job = self._job
        _check_versions(job.versions)
        torch.set_num_threads(job.threads)
        if Path(job.folder).is_dir():
            os.chdir(job.folder)
        sys.path += [entry for entry in job.path if entry not in sys.path and Path(entry).exists()]
        first, second, generator = self._three()
        models = models_of(job.run.spec, first, second, generator, device_of(job.device), job.run, job.taxonomy)
        models = replace(models, plan=replace(models.plan, threads=job.threads))
        self._stack.enter_context(prepared(models))
        check_same(models, job.run)
        self._conditions = chosen_conditions(job.run.spec, generator.conditions)
        return models

    def _three(self) -> tuple["Classifier", "Classifier", "Generator"]:
        """The networks, as they are loaded, or were for the job before."""
        from gevaldi.classifiers import load_classifier
        from gevaldi.generators import load_generator

        objects = _unpickled(self._job.objects)
        self._kept = {key: network for key, network in self._kept.items() if key[1] in self._job.names}  # the others go first

        def network(place: int, kind: str, load: Callable[[Any], Any]) -> Any:
            name = self._job.names[place]
            if name is None:
                return load(objects[place])
            key = (kind, name, self._job.folder)
            self._networks[key] = self._kept[key] if key in self._kept else load(name)
            return self._networks[key]

        three = (*(network(place, "classifier", load_classifier) for place in (0, 1)), network(2, "generator", load_generator))
        self._kept = {}
        return three

    def _sees_the_folder(self) -> bool:
        """Whether a file that the calling program left in the run's folder is there, and another can be written beside it."""
        folder = self._job.run.folder
        trial = folder / f".{uuid4().hex}.partial"
        try:
            if not is_there(folder / self._job.token):
                return False
            write(trial, b"")
            remove(trial)
        except (OSError, GevaldiError):  # as of a location that cannot be reached from here
            return False
        return True

    def _search(self, models: "Models") -> None:
        """Search until the job ends; a batch is filled from all chunks that are there."""
        from gevaldi.runs.worker.search import searched

        try:
            while self._inflow.wait():
                for harvest in searched(self._inflow, models, self._job.run.spec, self._job.batch_size):
                    self._harvests.put(harvest)
        except BaseException as error:
            self._harvests.put(_End(in_a_sentence(error)))  # behind what has been found, which is not lost
        else:
            self._harvests.put(_End("Its job has ended."))

    def _gather(self) -> None:
        """Make rows of what was found, beside the search, and end all waiting where either fails."""
        try:
            while True:
                found = self._harvests.get()
                if isinstance(found, _End):
                    self._break(found.why)
                    return
                for row in found.rows():
                    with self._lock:
                        chunk = self._chunks.pop(row["index"])
                    chunk.rows.append(row)
                    chunk.missing -= 1
                    if not chunk.missing:
                        chunk.whole.set_result(chunk.rows)
        except BaseException as error:
            self._break(in_a_sentence(error))

    def _break(self, why: str) -> None:
        with self._lock:
            self._broken = why
            waiting = {id(chunk): chunk for chunk in self._chunks.values()}
            self._chunks.clear()
        for chunk in waiting.values():
            chunk.whole.set_exception(Broken(why))


class Broken(GevaldiError):
    """A worker whose search has ended, and why."""


def in_a_sentence(error: BaseException) -> str:
    """An error as a user of a worker reads it."""
    return str(error) if isinstance(error, GevaldiError) else described(error)


def check_same(models: "Models", run: Run) -> None:
    """Refuse networks that are others than those of a run.

    Raises:
        RunFolderError: a weight, a setting, a label or the hierarchy is another here.
    """
    from gevaldi.fingerprints import describe, differing

    for who, found in describe(models.first, models.second, models.generator, run.spec).items():
        if other := differing(found, run.record["models"][who]):
            words = {"sha256": "other weights", "settings": "other settings", "files": "another source"}
            raise RunFolderError(
                f"{found['name']} is not the {who} that the run was begun with: {', '.join(words.get(key, key) for key in other)}. "
                "Rows of both would not belong together. Give every node the same files."
            )
    here, there = models.hierarchy.record() if models.hierarchy else {}, run.record.get("taxonomy") or {}
    if here.get("sha256") != there.get("sha256"):
        raise RunFolderError(f"The hierarchy of the classes is another here ({here.get('name')}) than where the run was begun.")


def _check_versions(expected: dict[str, str]) -> None:
    found = versions()
    if other := [name for name in expected if found[name] != expected[name]]:
        told = ", ".join(f"{name} {found[name]} here, {expected[name]} where the run was begun" for name in other)
        raise RunFolderError(f"{told}: rows of both would not belong together. Install the same version on every node.")


def _unpickled(objects: bytes) -> dict[int, Any]:
    import pickle

    try:
        found: dict[int, Any] = pickle.loads(objects)
    except (ImportError, AttributeError) as error:
        raise RunFolderError(
            f"The networks were given as objects, and what they are made of cannot be imported here: {error}. Put that module "
            "where this node finds it, or give the networks by name: python:module:factory."
        ) from error
    except Exception as error:  # whatever unpickling a user's networks may raise
        raise RunFolderError(
            f"The networks were given as objects, which cannot be made again here: {described(error)}. Give them by name: "
            "python:module:factory."
        ) from error
    return found


def _node() -> str:
    """What Ray calls this node; nothing outside of Ray."""
    import ray

    return str(ray.get_runtime_context().get_node_id()) if ray.is_initialized() else ""


def _address() -> str:
    """The address of this machine, as others see it, without asking anybody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
