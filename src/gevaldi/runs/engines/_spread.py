"""Chunks of work to workers that come and go: who gets what next, and what is given again. It knows nothing of clusters."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from gevaldi.runs.engines.base import EngineError

Chunk = TypeVar("Chunk")
Given = TypeVar("Given", contravariant=True)

AHEAD = 3  # chunks that a worker has at most: of the first the last samples are searched while those of the others join
TRIES = 4  # workers that may be lost with a chunk at the head of what they had
SUSPECT = 2  # lost so often, a chunk is given to workers that have no other, so that it alone is to blame


@dataclass(frozen=True)
class Joined:
    """A worker is ready."""

    worker: int


@dataclass(frozen=True)
class Left:
    """A worker is lost, or cannot work; so is all that it had not finished.

    Where its whole node is gone, as nodes are that are lent for as long as nobody else wants them, no chunk is to blame.
    """

    worker: int
    why: str
    with_its_node: bool = False


@dataclass(frozen=True)
class Done:
    """A worker has finished a chunk."""

    worker: int
    number: int
    result: Any


Event = Joined | Left | Done


@runtime_checkable
class Pool(Protocol[Given]):
    """Workers, wherever they are."""

    def submit(self, worker: int, number: int, chunk: Given) -> None:
        """Give a worker a chunk; returns at once, and raises nothing if the worker is lost."""

    def finished(self) -> Iterable[Event]:
        """What has happened since; waits a while for something to happen.

        Raises:
            EngineError: nobody can work, or ever will.
        """


class Spread(Generic[Chunk]):
    """Chunks, each done once, by the workers of a pool.

    A worker has up to `ahead` chunks, so that it never waits for the next; near the end one, so that no chunk waits behind another
    where somebody is idle. Chunks are made when they are given, and forgotten when they are done.

    Attributes:
        again: how many chunks were given again.
        carried: what each living worker has, by the chunks' numbers.
    """

    def __init__(
        self, chunks: Iterable[Chunk], count: int, pool: Pool[Chunk], expected: int = 1, ahead: int = AHEAD, tries: int = TRIES
    ) -> None:
        self.again = 0
        self.carried: dict[int, dict[int, Chunk]] = {}
        self._fresh, self._left = enumerate(chunks), count
        self._pool, self._expected, self._ahead, self._tries = pool, expected, ahead, tries
        self._back = deque(islice(self._fresh, 1))  # chunks that are given before fresh ones
        self._suspects: deque[tuple[int, Chunk]] = deque()  # chunks that are given alone
        self._lost: dict[int, int] = {}  # how often each was
        self._roomy: dict[int, None] = {}  # workers that have fewer than `ahead`
        self._out = 0

    def __iter__(self) -> Iterator[Event | None]:
        """All that happens, until every chunk is done; None where nothing has happened for a while.

        Raises:
            EngineError: the pool has nobody who could work, or a chunk was lost with one worker after the other.
        """
        while self._back or self._suspects or self._out:
            quiet = True
            for event in self._pool.finished():
                if self._happened(event):
                    quiet = False
                    yield event
            if quiet:
                yield None
            self._give()

    def _happened(self, event: Event) -> bool:
        """Whether it is news: a chunk that was given to somebody else meanwhile is none."""
        if isinstance(event, Joined):
            self.carried[event.worker] = {}
            self._roomy[event.worker] = None
            return True
        if isinstance(event, Left):
            return self._took_back(event)
        if event.number not in self.carried.get(event.worker, ()):
            return False
        del self.carried[event.worker][event.number]
        self._lost.pop(event.number, None)
        self._out -= 1
        self._roomy[event.worker] = None
        return True

    def _took_back(self, event: Left) -> bool:
        lost = self.carried.pop(event.worker, {})
        self._roomy.pop(event.worker, None)
        self._out -= len(lost)
        self._left += len(lost)
        self.again += len(lost)
        for number in islice(lost, 0 if event.with_its_node else 1):  # those behind it are hardly to blame
            self._lost[number] = self._lost.get(number, 0) + 1
            if self._lost[number] == self._tries:
                raise EngineError(
                    f"Some samples were begun by {self._tries} workers, and each of these was lost ({event.why}). Is a worker's "
                    "memory too small for the networks and this batch? Try a smaller --batch-size or fewer workers. What was "
                    "finished is safe."
                )
        for number, chunk in lost.items():
            (self._suspects if self._lost.get(number, 0) >= SUSPECT else self._back).append((number, chunk))
        return True

    def _give(self) -> None:
        if self._suspects:
            for worker in [worker for worker in self._roomy if not self.carried[worker]][: len(self._suspects)]:
                self._hand(worker, *self._suspects.popleft())
                del self._roomy[worker]
        for load in range(self._ahead):
            if not self._back:
                return
            for worker in [worker for worker in self._roomy if len(self.carried[worker]) == load]:
                if load and self._left <= max(self._expected, len(self.carried)):
                    return
                self._hand(worker, *self._back.popleft())
                if not self._back:
                    self._back.extend(islice(self._fresh, 1))
                if len(self.carried[worker]) >= self._ahead:
                    del self._roomy[worker]
                if not self._back:
                    return

    def _hand(self, worker: int, number: int, chunk: Chunk) -> None:
        self._left -= 1
        self._out += 1
        self.carried[worker][number] = chunk
        self._pool.submit(worker, number, chunk)
