"""The engine of a cluster, by Ray's tasks [Moritz 2018]."""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import Field

from gevaldi.engines.base import ComputeRows, Engine, EngineError, Job
from gevaldi.errors import SpecError
from gevaldi.execution.threads import usable_cores
from gevaldi.runs.store.schema import Row

if TYPE_CHECKING:
    from gevaldi.engines._cluster import Cluster
    from gevaldi.engines._task import Setup, Trouble

BATCHES = 4  # most batches of a chunk
TRIES = 4  # processes that may die with a chunk
WAIT = 0.5  # seconds to wait for a chunk to finish
LOOK = 1.0  # seconds between two looks at the nodes
LONGEST_SILENCE = 60.0  # seconds without a result until a notice, or without a node with room until an error


class Ray(Engine):
    """All cores or GPUs of a cluster, or of this machine, through Ray, with one worker for each.

    Computes the rows of the engine local, whatever the number of workers. A lost worker costs only its unfinished rows; nodes that
    join later are used.

    The address is HOST:6379 on a node of the cluster, ray://HOST:10001 from elsewhere, or auto. By default it is RAY_ADDRESS, or
    else a cluster of this machine alone, which ends with the work. By default Ray starts as many workers as fit, with 1 thread
    each. The device is the run's (same), cpu or cuda. With logs, shows the output of workers.
    """

    address: str | None = Field(None)
    workers: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1)
    device: Literal["same", "cpu", "cuda"] = Field("same")
    logs: bool = Field(False)

    @contextmanager
    def open(self) -> Iterator[ComputeRows]:
        """Check that Ray is installed and the address answers; the first run connects to it."""
        from gevaldi.engines._cluster import address_of, check_answers, import_ray

        import_ray(self.logs)
        check_answers(address_of(self.address))
        with closing(Connection(self)) as connection:
            yield connection.compute


class Connection:
    """An engine's connection to its cluster, from the first run that needs it until it is closed."""

    def __init__(self, engine: Ray) -> None:
        self._engine, self._stack = engine, ExitStack()
        self._cluster: Cluster | None = None
        self._largest = 0  # bytes of networks for which the cluster's store has room

    def close(self) -> None:
        """End the connection."""
        self._cluster = None
        self._stack.close()

    def compute(self, job: Job, indices: Sequence[int]) -> "Generator[Rows, None, None]":
        """Send the indices in chunks to tasks, and yield the rows that they return."""
        setup = setup_of(self._engine, job)
        if self._cluster is None or len(setup.objects) > self._largest or not self._cluster.answers():
            self.close()
            self._connect(setup)
        assert self._cluster
        with closing(Tasks(self._cluster, setup, self._engine.workers, indices, job)) as tasks:
            try:
                yield from tasks.results()
            except ConnectionError as error:  # from a ray:// client whose server is gone
                raise tasks.connection_lost() from error

    def _connect(self, setup: "Setup") -> None:
        from gevaldi.engines._cluster import OBJECT_STORE, connect

        engine = self._engine
        cores = max(usable_cores(), (engine.workers or 0) * setup.threads)
        self._cluster = self._stack.enter_context(connect(engine.address, cores, len(setup.objects), engine.logs))
        self._largest = max(OBJECT_STORE // 2, len(setup.objects))


def setup_of(engine: Ray, job: Job) -> "Setup":
    """The setup of tasks for a job.

    Raises:
        SpecError: Ray's nodes lack the job's device, or a network cannot be sent.
    """
    from gevaldi.engines._task import Setup, pickle_networks, versions

    device = job.models.device.type if engine.device == "same" else engine.device
    if device not in ("cpu", "cuda"):
        raise SpecError(f"The engine ray computes on cpu and cuda, not on {device}. Use --device cpu, or the engine local.")
    hierarchy = job.models.hierarchy
    return Setup(
        run=job.run,
        names=tuple(source if isinstance(source, str) else None for source in job.sources),
        objects=pickle_networks({place: source for place, source in enumerate(job.sources) if not isinstance(source, str)}),
        taxonomy=hierarchy.whole if hierarchy and job.run.spec.names_own_taxonomy else None,
        device=device,
        batch_size=job.batch_size,
        threads=engine.threads,
        folder=str(Path.cwd()),
        path=tuple(sys.path),
        versions=versions(),
        task=job.task,
    )


@dataclass(frozen=True)
class Rows:
    """The rows of a finished chunk; none if no chunk has finished for a while."""

    content: Sequence[Row] = ()

    def rows(self) -> list[Row]:
        """The rows."""
        return list(self.content)


def chunks(indices: Sequence[int], batch_size: int, workers: Callable[[], int]) -> Iterator[list[int]]:
    """The indices of missing rows, in equal chunks for the number of workers at the start of each round.

    A chunk has several batches if there are enough rows for all workers, since its batch runs empty at its end.
    """
    begin = 0
    while begin < len(indices):
        count = workers()
        share = math.ceil((len(indices) - begin) / count)
        size = math.ceil(share / math.ceil(share / (BATCHES * batch_size)))
        for first in range(begin, begin + count * size, size):
            yield list(indices[first : first + size])
        begin += count * size


@dataclass(frozen=True)
class Chunk:
    """A chunk in a task, and the number of processes that have died with it."""

    indices: list[int]
    deaths: int = 0


class Tasks:
    """The tasks of one run on a cluster: as many at a time as fit.

    A chunk whose task is lost is computed again. A node that cannot compute, for example because weights are missing, gets no
    further tasks.
    """

    def __init__(self, cluster: "Cluster", setup: "Setup", workers: int | None, indices: Sequence[int], job: Job) -> None:
        from gevaldi.engines._task import compute_chunk

        self._cluster, self._ray, self._workers, self._job = cluster, cluster.ray, workers, job
        self._chunks = (Chunk(chunk) for chunk in chunks(indices, setup.batch_size, self._slots) if chunk)
        self._takes = {"num_cpus": setup.threads, "num_gpus": int(setup.device == "cuda")}
        # By default Ray ends a GPU task's process, with its networks, after the task (max_calls=1)
        self._task = self._ray.remote(**self._takes, max_calls=0, max_retries=0)(compute_chunk)
        self._key, self._setup = uuid4().hex, self._ray.put(setup)
        self._running: dict[Any, Chunk] = {}
        self._again: deque[Chunk] = deque()
        self._refused: dict[str, Trouble] = {}  # why nodes get no further tasks
        self._nodes: list[Any] = []
        self._retried, self._notified = 0, set[str]()
        self._looked, self._since = -math.inf, time.monotonic()  # times of the last look at nodes, and of the last result

    def close(self) -> None:
        """Cancel all tasks."""
        for reference in self._running:
            with suppress(Exception):  # the cluster may be gone
                self._ray.cancel(reference, force=True)
        self._running.clear()

    def results(self) -> Generator[Rows, None, None]:
        """The rows, chunk by chunk.

        Raises:
            EngineError: the cluster is gone or cannot compute.
        """
        while True:
            if time.monotonic() - self._looked > LOOK:
                self._look()
            self._submit()
            if not self._running:
                return
            ready, _ = self._ray.wait([*self._running], num_returns=1, timeout=WAIT)
            rows = [row for reference in ready for row in self._fetch(reference)]
            self._submit()  # so that no worker is idle while these rows are written
            yield Rows(rows)

    def connection_lost(self) -> EngineError:
        """The error for a cluster that is gone."""
        self._running.clear()
        return EngineError(
            "The connection to the Ray cluster is lost: its head node, or the node of this program, no longer answers. Finished "
            f"rows are safe. When the cluster is back, resume with: gevaldi resume {self._job.run.folder}"
        )

    def _look(self) -> None:
        if not self._cluster.answers():
            raise self.connection_lost()
        self._nodes = [node for node in self._ray.nodes() if node["Alive"]]
        self._looked = time.monotonic()
        self._check_progress()
        nodes, tasks = len(self._usable()), self._slots()
        text = f"{tasks} worker{'s' * (tasks > 1)} on {nodes} node{'s' * (nodes > 1)}" if nodes else "waiting for workers"
        self._job.progress.working(text + (f", {self._retried} chunk{'s' * (self._retried > 1)} again" if self._retried else ""))

    def _usable(self) -> list[Any]:
        """The nodes that have room for a task, and that have not reported that they cannot run one."""
        return [node for node in self._nodes if self._room(node) and node["NodeID"] not in self._refused]

    def _room(self, node: Any) -> int:
        """The number of tasks that fit on an otherwise idle node."""
        wanted = {"CPU": self._takes["num_cpus"], "GPU": self._takes["num_gpus"]}
        return min(int(node["Resources"].get(name, 0)) // count for name, count in wanted.items() if count)

    def _check_progress(self) -> None:
        """Raise an error if no node can compute; report if there was no result for a while."""
        usable, late = self._usable(), time.monotonic() - self._since > LONGEST_SILENCE
        if self._refused and not usable:
            words = dict.fromkeys(trouble.in_words() for trouble in self._refused.values())
            raise EngineError(" ".join(["No worker can run.", *list(words)[:3], "Finished rows are safe."]))
        if late and not usable:
            raise EngineError(
                f"No node of the cluster has room for a worker, which needs {self._needs()}. Its nodes have {self._offers()}. "
                "Request less: --engine ray,threads=1, or another device."
            )
        if late:
            self._notify(
                f"No chunk has finished for a while: workers wait for room, load networks, or search. A worker needs "
                f"{self._needs()}; the nodes have {self._offers()}, some of which other programs may use."
            )

    def _submit(self) -> None:
        while len(self._running) < self._slots():
            chunk = self._again.popleft() if self._again else next(self._chunks, None)
            if chunk is None:
                return
            task = self._task.options(scheduling_strategy=self._strategy())
            self._running[task.remote(self._key, [self._setup], chunk.indices)] = chunk

    def _slots(self) -> int:
        """The number of tasks at a time; at least one, from which an autoscaling cluster learns what it lacks."""
        return self._workers or max(1, sum(map(self._room, self._usable())))

    def _strategy(self) -> Any:
        if not self._refused:
            return "SPREAD"
        from ray.util.scheduling_strategies import NodeLabelSchedulingStrategy, NotIn

        return NodeLabelSchedulingStrategy(hard={"ray.io/node-id": NotIn(*self._refused)})

    def _fetch(self, reference: Any) -> list[Row]:
        """The rows of a finished task; none if it failed, in which case its chunk is computed again."""
        from ray.exceptions import RayError, RayTaskError

        from gevaldi.engines._task import Trouble

        chunk = self._running.pop(reference)
        try:
            result = self._ray.get(reference)
        except RayTaskError as error:  # the task could not start, for example because gevaldi is not installed
            node = next((node["NodeID"] for node in self._nodes if node["NodeManagerAddress"] == error.ip), "")
            result = Trouble(error.ip, node, reason_of(error) + ".")
        except RayError as error:
            self._lose(chunk, error)
            return []
        if isinstance(result, Trouble):
            self._refused[result.node] = result
            self._notify(result.in_words())
            self._again.append(chunk)
            self._looked = -math.inf
            return []
        self._since = time.monotonic()
        return list(result)

    def _lose(self, chunk: Chunk, error: Exception) -> None:
        """Queue a chunk again, unless too many processes have died with it; a lost node does not count."""
        from ray.exceptions import OutOfMemoryError, WorkerCrashedError

        why = reason_of(error)
        deaths = chunk.deaths + isinstance(error, WorkerCrashedError | OutOfMemoryError)
        if deaths == TRIES:
            raise EngineError(
                f"{TRIES} workers started the same samples, and all of them were lost ({why}). Is a worker's memory too small "
                "for the networks and this batch? Try a smaller --batch-size or fewer workers. Finished rows are safe."
            )
        self._again.append(Chunk(chunk.indices, deaths))
        self._retried += 1
        self._notify(f"A worker was lost: {why}. Its unfinished rows are computed again.")

    def _notify(self, text: str) -> None:
        if text not in self._notified and len(self._notified) < 20:
            self._notified.add(text)
            self._job.progress.notice(text)

    def _needs(self) -> str:
        cores, gpus = self._takes["num_cpus"], self._takes["num_gpus"]
        return f"{cores} core{'s' * (cores > 1)}" + (f" and {gpus} GPU" if gpus else "")

    def _offers(self) -> str:
        nodes = [node["Resources"] for node in self._nodes]
        return "; ".join(f"{node.get('CPU', 0):g} cores, {node.get('GPU', 0):g} GPUs" for node in nodes[:5]) or "nothing"


def reason_of(error: BaseException) -> str:
    """Ray's reason for losing a worker, in one sentence without the traceback."""
    if isinstance(cause := getattr(error, "cause", None), BaseException):
        return f"{type(cause).__name__}: {cause}".rstrip(".")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    missing = next((line for line in lines if line.startswith("ModuleNotFoundError") or "No module named" in line), None)
    if missing:
        return f"{missing.rpartition('rror: ')[2]} (install gevaldi, of the same version, on every node)"
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}".rstrip(".")
