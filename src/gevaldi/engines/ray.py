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

BATCHES = 4  # that a chunk has at most
TRIES = 4  # processes that may die with a chunk
WAIT = 0.5  # seconds that are waited for a chunk to finish
LOOK = 1.0  # seconds between two looks at what nodes there are
LONGEST_SILENCE = 60.0  # seconds without any result until a user is told, or without any node that has room until that is an error


class Ray(Engine):
    """All cores or GPUs of a cluster, or of this machine, by Ray, with a worker for each.

    The rows are those of the engine local, whatever the number of workers. A worker that is lost costs what it had not finished;
    nodes that join later are used.

    The address is HOST:6379 on a node of the cluster, ray://HOST:10001 from elsewhere, or auto; by default it is what RAY_ADDRESS
    says, and without that a cluster of this machine alone, which ends with the work. By default there are as many workers as there
    is room for, with 1 thread each. The device is that of the run (same), cpu or cuda. With logs, what workers print is shown.
    """

    address: str | None = Field(None)
    workers: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1)
    device: Literal["same", "cpu", "cuda"] = Field("same")
    logs: bool = Field(False)

    @contextmanager
    def open(self) -> Iterator[ComputeRows]:
        """Ray is installed, and something answers at the address; the first run connects to it."""
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
        """The numbers of the rows, in chunks, to tasks, which return the rows."""
        setup = setup_of(self._engine, job)
        if self._cluster is None or len(setup.objects) > self._largest or not self._cluster.answers():
            self.close()
            self._connect(setup)
        assert self._cluster
        with closing(Tasks(self._cluster, setup, self._engine.workers, indices, job)) as tasks:
            try:
                yield from tasks.results()
            except ConnectionError as error:  # of a ray:// client whose server is gone
                raise tasks.connection_lost() from error

    def _connect(self, setup: "Setup") -> None:
        from gevaldi.engines._cluster import OBJECT_STORE, connect

        engine = self._engine
        cores = max(usable_cores(), (engine.workers or 0) * setup.threads)
        self._cluster = self._stack.enter_context(connect(engine.address, cores, len(setup.objects), engine.logs))
        self._largest = max(OBJECT_STORE // 2, len(setup.objects))


def setup_of(engine: Ray, job: Job) -> "Setup":
    """What tasks need for a job.

    Raises:
        SpecError: the job's device is none that Ray's nodes have, or a network cannot be sent.
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
    )


@dataclass(frozen=True)
class Rows:
    """The rows of a chunk that has finished; none where nothing has for a while."""

    content: Sequence[Row] = ()

    def rows(self) -> list[Row]:
        """They are there."""
        return list(self.content)


def chunks(indices: Sequence[int], batch_size: int, workers: Callable[[], int]) -> Iterator[list[int]]:
    """The numbers of the rows that a run lacks, in equal chunks for as many workers as there are when a round of chunks begins.

    At the end of a chunk its batch runs empty, so that it has several batches, where there are enough rows for all workers.
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
    """A chunk in a task, and how many processes have died with it."""

    indices: list[int]
    deaths: int = 0


class Tasks:
    """The tasks of one run on a cluster: as many at a time as there is room for.

    A chunk whose task is lost is computed again. A node on which nothing can be computed, as where weights are missing, gets no
    further task.
    """

    def __init__(self, cluster: "Cluster", setup: "Setup", workers: int | None, indices: Sequence[int], job: Job) -> None:
        from gevaldi.engines._task import compute_chunk

        self._cluster, self._ray, self._workers, self._job = cluster, cluster.ray, workers, job
        self._chunks = (Chunk(chunk) for chunk in chunks(indices, setup.batch_size, self._slots) if chunk)
        self._takes = {"num_cpus": setup.threads, "num_gpus": int(setup.device == "cuda")}
        # Ray would end the process of a GPU's task with it (max_calls=1), and the networks in it
        self._task = self._ray.remote(**self._takes, max_calls=0, max_retries=0)(compute_chunk)
        self._key, self._setup = uuid4().hex, self._ray.put(setup)
        self._running: dict[Any, Chunk] = {}
        self._again: deque[Chunk] = deque()
        self._refused: dict[str, Trouble] = {}  # why nodes get no further task
        self._nodes: list[Any] = []
        self._retried, self._told = 0, set[str]()
        self._looked, self._since = -math.inf, time.monotonic()  # when nodes were looked at, and when the last result came

    def close(self) -> None:
        """Stop all tasks, whatever they are doing."""
        for reference in self._running:
            with suppress(Exception):  # of a cluster that is gone
                self._ray.cancel(reference, force=True)
        self._running.clear()

    def results(self) -> Generator[Rows, None, None]:
        """The rows, chunk by chunk.

        Raises:
            EngineError: the cluster is gone, or nothing can be computed on it.
        """
        while True:
            if time.monotonic() - self._looked > LOOK:
                self._look()
            self._submit()
            if not self._running:
                return
            ready, _ = self._ray.wait([*self._running], num_returns=1, timeout=WAIT)
            rows = [row for reference in ready for row in self._fetch(reference)]
            self._submit()  # so that nobody is idle while these rows are written
            yield Rows(rows)

    def connection_lost(self) -> EngineError:
        """What there is to say where the cluster is gone."""
        self._running.clear()
        return EngineError(
            "The connection to the Ray cluster is lost: its head node, or the node that this program is on, does not answer any "
            f"more. What was finished is safe. When the cluster is there again, go on with: gevaldi resume {self._job.run.folder}"
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
        """The nodes that have room for a task, and on which none has said that it cannot work."""
        return [node for node in self._nodes if self._room(node) and node["NodeID"] not in self._refused]

    def _room(self, node: Any) -> int:
        """How many tasks a node has room for, if nobody else uses it."""
        wanted = {"CPU": self._takes["num_cpus"], "GPU": self._takes["num_gpus"]}
        return min(int(node["Resources"].get(name, 0)) // count for name, count in wanted.items() if count)

    def _check_progress(self) -> None:
        """Raise where nothing can be computed; tell where nothing has come for a while."""
        usable, late = self._usable(), time.monotonic() - self._since > LONGEST_SILENCE
        if self._refused and not usable:
            words = dict.fromkeys(trouble.in_words() for trouble in self._refused.values())
            raise EngineError(" ".join(["No worker can work.", *list(words)[:3], "Finished rows are safe."]))
        if late and not usable:
            raise EngineError(
                f"No node of the cluster has room for a worker, which takes {self._needs()}. Its nodes have {self._offers()}. "
                "Ask for less: --engine ray,threads=1, or another device."
            )
        if late:
            self._tell(
                f"No chunk has finished for a while: workers wait for room, load networks, or search. A worker takes "
                f"{self._needs()}; the nodes have {self._offers()}, of which others may hold some."
            )

    def _submit(self) -> None:
        while len(self._running) < self._slots():
            chunk = self._again.popleft() if self._again else next(self._chunks, None)
            if chunk is None:
                return
            task = self._task.options(scheduling_strategy=self._strategy())
            self._running[task.remote(self._key, [self._setup], chunk.indices)] = chunk

    def _slots(self) -> int:
        """How many tasks there are at a time; one at least, by which a cluster that grows hears what it lacks."""
        return self._workers or max(1, sum(map(self._room, self._usable())))

    def _strategy(self) -> Any:
        if not self._refused:
            return "SPREAD"
        from ray.util.scheduling_strategies import NodeLabelSchedulingStrategy, NotIn

        return NodeLabelSchedulingStrategy(hard={"ray.io/node-id": NotIn(*self._refused)})

    def _fetch(self, reference: Any) -> list[Row]:
        """The rows of a task that has ended; none where it has failed, and its chunk is computed again."""
        from ray.exceptions import RayError, RayTaskError

        from gevaldi.engines._task import Trouble

        chunk = self._running.pop(reference)
        try:
            result = self._ray.get(reference)
        except RayTaskError as error:  # the task could not begin, as where gevaldi is not installed
            node = next((node["NodeID"] for node in self._nodes if node["NodeManagerAddress"] == error.ip), "")
            result = Trouble(error.ip, node, reason_of(error) + ".")
        except RayError as error:
            self._lose(chunk, error)
            return []
        if isinstance(result, Trouble):
            self._refused[result.node] = result
            self._tell(result.in_words())
            self._again.append(chunk)
            self._looked = -math.inf
            return []
        self._since = time.monotonic()
        return list(result)

    def _lose(self, chunk: Chunk, error: Exception) -> None:
        """Compute a chunk again, unless too many processes have died with it; for a node that is gone no chunk is to blame."""
        from ray.exceptions import OutOfMemoryError, WorkerCrashedError

        why = reason_of(error)
        deaths = chunk.deaths + isinstance(error, WorkerCrashedError | OutOfMemoryError)
        if deaths == TRIES:
            raise EngineError(
                f"Some samples were begun by {TRIES} workers, and each of these was lost ({why}). Is a worker's memory too small "
                "for the networks and this batch? Try a smaller --batch-size or fewer workers. What was finished is safe."
            )
        self._again.append(Chunk(chunk.indices, deaths))
        self._retried += 1
        self._tell(f"A worker was lost: {why}. What it had not finished is computed again.")

    def _tell(self, text: str) -> None:
        if text not in self._told and len(self._told) < 20:
            self._told.add(text)
            self._job.progress.notice(text)

    def _needs(self) -> str:
        cores, gpus = self._takes["num_cpus"], self._takes["num_gpus"]
        return f"{cores} core{'s' * (cores > 1)}" + (f" and {gpus} GPU" if gpus else "")

    def _offers(self) -> str:
        nodes = [node["Resources"] for node in self._nodes]
        return "; ".join(f"{node.get('CPU', 0):g} cores, {node.get('GPU', 0):g} GPUs" for node in nodes[:5]) or "nothing"


def reason_of(error: BaseException) -> str:
    """What Ray says of a lost worker, in a sentence and without its traceback."""
    if isinstance(cause := getattr(error, "cause", None), BaseException):
        return f"{type(cause).__name__}: {cause}".rstrip(".")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    missing = next((line for line in lines if line.startswith("ModuleNotFoundError") or "No module named" in line), None)
    if missing:
        return f"{missing.rpartition('rror: ')[2]} (install gevaldi, of the same version, on every node)"
    return f"{type(error).__name__}: {lines[0] if lines else 'no word'}".rstrip(".")
