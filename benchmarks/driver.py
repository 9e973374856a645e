"""What a chunk costs the program that gives the work out, with 1,000 workers whose chunks cost nothing.

All of the driver runs but Ray itself, in whose place stands one whose workers have always finished already: chunks are made, given,
answered and counted, and the memory of the process is read on the way. Then 50,000 chunks go to two real workers of Ray, which do
nothing with them; that has Ray's own cost per call in it.

    python benchmarks/driver.py
"""

import time
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from gevaldi.runs.engines._chunks import chunks
from gevaldi.runs.engines._cluster import connected
from gevaldi.runs.engines._crew import Crew, Room
from gevaldi.runs.engines._job import Arrival, Part
from gevaldi.runs.engines._spread import Spread
from gevaldi.runs.engines.base import Filled
from gevaldi.runs.engines.ray import kept
from gevaldi.runs.indices import Indices
from gevaldi.runs.store import Run
from gevaldi.spec import Spec

WORKERS, CHUNKS, REAL, SIZE = 1000, 200_000, 50_000, 64


class Idle:
    """A worker that has finished whatever it is given."""

    def ready(self, job: Any) -> Arrival:
        """At once."""
        return Arrival("node", "host")

    def work(self, indices: list[int]) -> Part:
        """Nothing, as if the rows were on disk."""
        return Part(len(indices), "part", None)


def answered(method: Any) -> Any:
    """A method of an actor whose answers are there at once, called as Ray has it."""

    def remote(*arguments: Any) -> Any:
        future: Future[Any] = Future()
        future.set_result(method(*arguments))
        return SimpleNamespace(future=lambda: future)

    return SimpleNamespace(remote=remote)


class NoRay:
    """What a crew needs of Ray, in this process."""

    def __init__(self, workers: int) -> None:
        self._nodes = [{"NodeID": "node", "Alive": True, "Resources": {"CPU": float(workers)}}]

    def put(self, what: Any) -> Any:
        """Nowhere."""
        return what

    def nodes(self) -> list[dict[str, Any]]:
        """One, which is large."""
        return self._nodes

    def kill(self, actor: Any) -> None:
        """Nobody is there."""

    def remote(self, kind: type) -> Any:
        """A class whose objects are actors."""

        def made() -> Any:
            worker = kind()
            return SimpleNamespace(ready=answered(worker.ready), work=answered(worker.work))

        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=made))


def measured(ray: Any, workers: int, count: int) -> None:
    """Print milliseconds a chunk, and what the memory grew by from the tenth to the last part of the chunks."""
    spec = Spec(first="a", second="b", generator="c", samples=count * SIZE, orders="forward")
    run, process = Run(Path(), {}, spec), psutil.Process()
    crew = Crew(ray, None, Room(1, 0), workers, Idle)  # type: ignore[arg-type]
    spread = Spread(chunks(run.total, Indices(run.total), SIZE), count, crew, workers)
    early, rows, begin = 0, 0, time.perf_counter()
    for rows in kept(spread, run):
        Filled(rows, run.total, crew.at_work(spread.again), tuple(crew.told))
        if not early and rows > run.total / 10:
            early = process.memory_info().rss
    seconds = time.perf_counter() - begin
    assert rows == run.total
    grown = (process.memory_info().rss - early) / 2**20
    print(f"{workers} workers, {count:,} chunks: {1e3 * seconds / count:.3f} ms a chunk, {grown:+.1f} MiB from a tenth to the end")
    crew.dismiss()


def main() -> None:
    """Print both."""
    measured(NoRay(WORKERS), WORKERS, CHUNKS)
    with connected(None, 2, 0, False) as ray:
        measured(ray, 2, REAL)


if __name__ == "__main__":
    main()
