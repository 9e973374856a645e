"""Ray actors as a pool of workers: hired as room is found for them, dismissed when they are lost."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from gevaldi.runs.engines._job import Arrival, Job, Trouble
from gevaldi.runs.engines._spread import Done, Event, Joined, Left
from gevaldi.runs.engines._worker import Worker
from gevaldi.runs.engines.base import EngineError, Workers

LOOK = 3.0  # seconds between two looks at what nodes there are
WAIT = 0.5  # seconds that are waited for something to happen
SPARE = 2  # workers that may be lost before they were ready until fewer are hired: there may be a node where none can begin
PATIENCE = 60.0  # seconds without anybody who can work, or any room for somebody, until that is an error or is told


@dataclass(frozen=True)
class Room:
    """What a worker takes of its node."""

    cores: int
    accelerators: int

    def fits(self, resources: dict[str, float]) -> int:
        """How many workers a node with these resources has room for."""
        if self.accelerators:
            return min(int(resources.get("GPU", 0)) // self.accelerators, int(resources.get("CPU", 0)) // self.cores)
        return int(resources.get("CPU", 0)) // self.cores


class Crew:
    """Workers on a Ray cluster.

    Ray finds room for them, moves what they need, and tells when one is lost. It is not asked to start a lost one again: where that
    one no longer fits anywhere, its chunks would wait for it. A new one is hired instead, and they go to whoever is there.

    A worker that cannot work, as where weights are missing on its node, keeps its place for as long as that node is there, so that
    no other is sent to it.
    """

    def __init__(self, ray: Any, job: Job, room: Room, workers: int | None, kind: type = Worker) -> None:
        self.arrived: dict[int, Arrival] = {}
        self.room = room
        self._ray, self._workers = ray, workers
        self._actors: dict[int, Any] = {}
        self._unfit: dict[int, Trouble] = {}
        self._behind: set[int] = set()  # workers that still load what the last job needed
        self._known: set[int] = set()  # workers that have done the last job
        self._pending: dict[Any, Any] = {}  # references, without which Ray forgets what they refer to
        self._heard: SimpleQueue[tuple[int, int | None, Any]] = SimpleQueue()
        self._numbers = count()
        self.begin(job)
        options = {"num_cpus": room.cores, "num_gpus": room.accelerators, "max_concurrency": 8, "scheduling_strategy": "SPREAD"}
        self._kind = ray.remote(kind).options(max_restarts=0, **options)

    def begin(self, job: Job) -> None:
        """Take a job, when nothing is left to do of the last one. Workers go on to it, but for those who could not do that one."""
        self.told: list[str] = []  # what a user should hear once
        self._job: Any = None  # the last one leaves the store before this one is there
        self._job = self._ray.put(job)
        self._stillborn: list[str] = []  # why workers were lost before they were ready
        self._looked, self._idle_since = -LOOK, time.monotonic()
        self._changed = time.monotonic()  # when somebody last came or went
        self._dismiss(self._unfit)
        self._unfit.clear()
        self._behind, self._known = self._actors.keys() - self.arrived.keys(), set(self.arrived)
        for worker in self.arrived:
            self._ask_to_be_ready(worker)
        self.arrived.clear()

    def capacity(self) -> int:
        """How many workers there is room for, or as many as were asked for."""
        return self._workers or self._fitting()

    def _fitting(self) -> int:
        """How many workers all nodes would have room for, if nobody else were there."""
        return sum(self.room.fits(node["Resources"]) for node in self._nodes())

    def _nodes(self) -> list[Any]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def at_work(self, again: int) -> Workers:
        """Who works now, where so many chunks were given again."""
        return Workers(len(self.arrived), len({arrival.node for arrival in self.arrived.values()}), again)

    def submit(self, worker: int, number: int, chunk: list[int]) -> None:
        """Give a worker a chunk; it answers when the rows are done."""
        self._ask(worker, number, self._actors[worker].work, chunk)

    def finished(self) -> Iterable[Event]:
        """What has happened since, after a wait of half a second at most.

        Raises:
            EngineError: there is nobody who could work, and no room for anybody.
        """
        if time.monotonic() - self._looked > LOOK:
            self._hire()
            self._looked = time.monotonic()
        return [event for heard in self._news() for event in self._read(*heard)]

    def dismiss(self) -> None:
        """Tell all workers to stop, whatever they are doing."""
        self._dismiss([*self._actors])
        self._pending.clear()

    def _dismiss(self, workers: Iterable[int]) -> None:
        for worker in workers:
            with suppress(Exception):  # of a cluster that is gone
                self._ray.kill(self._actors.pop(worker))

    def _ask_to_be_ready(self, worker: int) -> None:
        self._ask(worker, None, self._actors[worker].ready, self._job)

    def _ask(self, worker: int, number: int | None, method: Any, *arguments: Any) -> None:
        reference = method.remote(*arguments)
        future = reference.future()
        self._pending[worker, number] = reference
        future.add_done_callback(lambda done: self._heard.put((worker, number, done)))

    def _news(self) -> Iterator[tuple[int, int | None, Any]]:
        with suppress(Empty):
            yield self._heard.get(timeout=WAIT)
            while True:
                yield self._heard.get_nowait()

    def _read(self, worker: int, number: int | None, future: Any) -> Iterator[Event]:
        self._pending.pop((worker, number), None)
        if worker not in self._actors:
            return
        error = future.exception()
        answer = None if error else future.result()
        if error is not None:
            yield self._lost(worker, error, number is None)
        elif worker in self._behind:
            self._behind.discard(worker)
            self._ask_to_be_ready(worker)
        elif isinstance(answer, Trouble):
            yield self._refused(worker, answer)
        elif isinstance(answer, Arrival):
            self.arrived[worker] = answer
            self._stillborn.clear()
            self._changed = time.monotonic()
            yield Joined(worker)
        elif number is not None:
            yield Done(worker, number, answer)

    def _lost(self, worker: int, error: BaseException, unready: bool) -> Left:
        why = said(error)
        gone, actor = self.arrived.pop(worker, None), self._actors.pop(worker)
        self._behind.discard(worker)
        host = gone.host if gone else _host_of(actor)
        with suppress(Exception):
            self._ray.kill(actor)
        self._idle_since = self._changed = time.monotonic()
        if unready and worker not in self._unfit and worker not in self._known:
            self._stillborn.append(f"The worker on {host} could not begin: {why}.")
            self._tell(self._stillborn[-1])
        else:
            self._tell(f"The worker on {host} was lost: {why}. What it had not finished is given to others.")
        self._unfit.pop(worker, None)
        return Left(worker, why, _is_of_a_node(error) or (gone is not None and not self._is_there(gone.node)))

    def _refused(self, worker: int, trouble: Trouble) -> Left:
        self.arrived.pop(worker, None)
        self._idle_since = self._changed = time.monotonic()
        self._unfit[worker] = trouble
        self._tell(trouble.in_words())
        return Left(worker, trouble.in_words())

    def _is_there(self, node: str) -> bool:
        """Whether a node is alive, or is not known by its name."""
        return not node or any(each["NodeID"] == node for each in self._nodes())

    def _let_go(self) -> None:
        """Forget workers that cannot work and whose nodes are gone, so that others are hired for nodes that have joined."""
        for worker in [worker for worker, trouble in self._unfit.items() if not self._is_there(trouble.node)]:
            del self._unfit[worker]
            self._dismiss([worker])

    def _tell(self, text: str) -> None:
        if text not in self.told and len(self.told) < 20:
            self.told.append(text)

    def _hire(self) -> None:
        self._let_go()
        wanted = self.capacity() - max(0, len(self._stillborn) - SPARE)
        while len(self._actors) < wanted:
            worker = next(self._numbers)
            self._actors[worker] = self._kind.remote()
            self._ask_to_be_ready(worker)
        self._wait()
        self._despair()

    def _wait(self) -> None:
        """Tell once if workers do not come."""
        waiting = len(self._actors) - len(self.arrived) - len(self._unfit)
        if waiting > 0 and self._fitting() and time.monotonic() - self._changed > PATIENCE:
            who = f"{waiting} workers wait" if waiting > 1 else "1 worker waits"
            self._tell(
                f"{who} for room, or for what it loads. A worker takes {self._takes()}; the nodes have {self._offered()}, of which "
                "others may hold some."
            )

    def _despair(self) -> None:
        """Raise where nobody can work, at once if all were asked, or later where somebody may still come."""
        if self.arrived:
            self._idle_since = time.monotonic()
            return
        troubles = list(dict.fromkeys([*(trouble.in_words() for trouble in self._unfit.values()), *self._stillborn]))
        late = time.monotonic() - self._idle_since > PATIENCE
        if troubles and (late or len(self._unfit) == len(self._actors)):
            raise EngineError(" ".join(["No worker can work.", *troubles[:3], "What was finished before is safe."]))
        if late and not self._fitting():
            raise EngineError(
                f"No node of the cluster has room for a worker, which takes {self._takes()}. Its nodes have "
                f"{self._offered()}. Ask for less: --engine ray,threads=1, or another device."
            )

    def _takes(self) -> str:
        return f"{self.room.cores} core{'s' * (self.room.cores > 1)}" + (
            f" and {self.room.accelerators} GPU" if self.room.accelerators else ""
        )

    def _offered(self) -> str:
        nodes = [node["Resources"] for node in self._nodes()]
        return "; ".join(f"{node.get('CPU', 0):g} cores, {node.get('GPU', 0):g} GPUs" for node in nodes[:5]) or "nothing"


def _host_of(actor: Any) -> str:
    """Where an actor was begun that never said so itself; only Ray's inner table knows."""
    with suppress(Exception):
        from ray._private.state import actors

        return str(actors(actor._actor_id.hex())["Address"]["IPAddress"]) or "some node"
    return "some node"


def _is_of_a_node(error: BaseException) -> bool:
    """Whether Ray says that a worker was lost because its node was.

    Of a process that dies, its node tells at once; of a node that is cut off, Ray knows for some seconds only that it is silent.
    """
    words = ("node has died", "node has been terminated", "temporarily unavailable")
    return bool(getattr(error, "preempted", False)) or any(text in str(error) for text in words)


def said(error: BaseException) -> str:
    """What Ray says of a lost worker, in a sentence and without its traceback."""
    if isinstance(cause := getattr(error, "cause", None), BaseException):
        return f"{type(cause).__name__}: {cause}".rstrip(".")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    missing = next((line for line in lines if line.startswith("ModuleNotFoundError") or "No module named" in line), None)
    if missing:
        return f"{missing.rpartition('rror: ')[2]} (install gevaldi, of the same version, on every node)"
    return f"{type(error).__name__}: {lines[0] if lines else 'no word'}".rstrip(".")
