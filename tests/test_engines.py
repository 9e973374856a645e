"""Engines without a cluster: who gets which chunk, what a worker does, and what is answered where nobody is."""

import random
import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.cli.catalogue import listing, names_of
from gevaldi.cli.main import app
from gevaldi.errors import SpecError, UnknownName
from gevaldi.runs.engines import engine, registry
from gevaldi.runs.engines._chunks import chunk_size, chunks
from gevaldi.runs.engines._cluster import check_answers
from gevaldi.runs.engines._spread import Done, Event, Joined, Left, Spread
from gevaldi.runs.engines._worker import Arrival, Job, Part, Trouble, Worker, versions
from gevaldi.runs.engines.base import EngineError, Workers
from gevaldi.runs.engines.local import Local
from gevaldi.runs.engines.ray import Ray, pickled
from gevaldi.runs.store import Run

QUICK: dict[str, Any] = {"samples": 9, "steps": 30, "batch_size": 4, "device": "cpu", "progress": False}


class Fickle:
    """A pool whose workers come, go, and answer when they like, also after they are gone."""

    def __init__(self, chance: random.Random, most: int) -> None:
        self.chance, self.most, self.hired = chance, most, 0
        self.has: dict[int, dict[int, Any]] = {}
        self.gone: list[tuple[int, int]] = []
        self.loads: list[int] = []

    def submit(self, worker: int, number: int, chunk: Any) -> None:
        self.has[worker][number] = chunk
        self.loads.append(len(self.has[worker]))

    def finished(self) -> Iterable[Event]:
        return [event for _ in range(self.chance.randint(1, 3)) for event in self._something()]

    def _something(self) -> Iterator[Event]:
        busy = [worker for worker, has in self.has.items() if has]
        if len(self.has) < self.most and (not self.has or self.chance.random() < 0.3):
            self.has[self.hired] = {}
            self.hired += 1
            yield Joined(self.hired - 1)
        elif self.gone and self.chance.random() < 0.2:
            yield Done(*self.gone.pop(), "too late")
        elif busy and self.chance.random() < 0.2:
            worker = self.chance.choice(busy)
            self.gone += [(worker, number) for number in self.has.pop(worker)]
            yield Left(worker, "lost")
        elif busy:
            worker = self.chance.choice(busy)
            number = self.chance.choice(list(self.has[worker]))
            yield Done(worker, number, self.has[worker].pop(number))


@given(st.integers(0, 60), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32))
def test_every_chunk_is_done_exactly_once_whoever_is_lost(count: int, workers: int, ahead: int, seed: int) -> None:
    pool, made, done = Fickle(random.Random(seed), workers), [0], list[int]()

    def made_when_asked_for() -> Iterator[int]:
        for chunk in range(count):
            made[0] += 1
            yield chunk

    spread = Spread(made_when_asked_for(), count, pool, workers, ahead, tries=10**9)
    for event in spread:
        if isinstance(event, Done):
            done.append(event.result)
        assert made[0] - len(done) <= 1 + sum(map(len, spread.carried.values())) + len(spread._back)  # none is kept
    assert sorted(done) == list(range(count))
    assert max(pool.loads, default=0) <= ahead
    assert (spread.again == 0) == (len(pool.loads) == count)


class Steady:
    """A pool of so many workers, each of which finishes what it was given first; all are asked in turn."""

    def __init__(self, workers: int) -> None:
        self.has: dict[int, list[int]] = {worker: [] for worker in range(workers)}
        self.events: list[Event] = [Joined(worker) for worker in self.has]

    def submit(self, worker: int, number: int, chunk: Any) -> None:
        self.has[worker].append(number)

    def finished(self) -> Iterable[Event]:
        events, self.events = self.events, []
        return events or [Done(worker, has.pop(0), None) for worker, has in self.has.items() if has]


@pytest.mark.parametrize("count", [3, 10, 11, 12, 40])
def test_as_many_rounds_are_made_as_chunks_and_workers_need(count: int) -> None:
    pool, rounds = Steady(4), 0
    spread = Spread(range(count), count, pool, 4)
    seen = list(spread)
    for worker in range(4):
        rounds = max(rounds, sum(isinstance(event, Done) and event.worker == worker for event in seen))
    assert rounds == -(-count // 4)  # nobody has two left where another is idle


def test_a_chunk_with_which_every_worker_is_lost_ends_the_run() -> None:
    class Deadly(Steady):
        def finished(self) -> Iterable[Event]:
            if self.events:
                return super().finished()
            worker = next(worker for worker, has in self.has.items() if has)
            self.has[worker + 1] = []
            del self.has[worker]
            return [Left(worker, "out of memory"), Joined(worker + 1)]

    with pytest.raises(EngineError, match=r"begun by 4 workers.*out of memory.*--batch-size"):
        list(Spread(range(3), 3, Deadly(1)))


@given(st.integers(0, 200), st.sets(st.integers(0, 199)), st.integers(1, 70))
def test_chunks_are_all_rows_that_lack_in_their_order(total: int, done: set[int], size: int) -> None:
    found = list(chunks(total, done, size))
    assert [index for chunk in found for index in chunk] == [index for index in range(total) if index not in done]
    assert all(len(chunk) == size for chunk in found[:-1])


@given(st.integers(1, 10**6), st.integers(1, 256), st.integers(0, 2000), st.sampled_from([1, 4, 8]))
def test_no_chunk_is_larger_than_a_batch_and_none_empty(missing: int, batch: int, workers: int, lanes: int) -> None:
    size = chunk_size(missing, batch, workers, lanes)
    assert 1 <= size <= batch
    assert size == batch or missing <= size * 3 * max(1, workers)  # smaller only where it gives all of them something


def test_engines_are_named_like_everything_else() -> None:
    assert list(registry) == ["local", "ray"] == names_of("engines")
    assert "a worker for each GPU" in listing("engines")
    assert engine() == Local() == engine("local")
    assert engine("ray,workers=4,threads=2") == Ray(workers=4, threads=2)
    assert engine(None, "10.0.0.1:6379") == Ray(address="10.0.0.1:6379") == engine("ray,address=10.0.0.1:6379", "10.0.0.1:6379")
    assert engine("ray,workers=2", "ray://head:10001") == Ray(address="ray://head:10001", workers=2)


@pytest.mark.parametrize(
    ("text", "address", "error", "answer"),
    [
        ("rya", None, UnknownName, "Did you mean 'ray'"),
        ("ray,worker=3", None, SpecError, "no option worker"),
        ("ray,workers=0", None, SpecError, "workers: Input should be greater"),
        ("local", "10.0.0.1:6379", SpecError, "has no address"),
        ("ray,address=a:1", "b:1", SpecError, "Two addresses"),
    ],
)
def test_an_engine_that_cannot_be_is_answered(text: str, address: str | None, error: type[Exception], answer: str) -> None:
    with pytest.raises(error, match=answer):
        engine(text, address)


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nobody_listens_is_answered(form: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineError, match=rf"No Ray cluster answers at {form.format(port)}: Connection refused.*ray start --head"):
        check_answers(form.format(port))


def test_an_address_where_something_else_listens_is_answered() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(EngineError, match="something else than Ray listens there"):
            check_answers(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_an_address_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.engines._cluster.SECONDS", 0.1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.raises(EngineError, match="timed out"):
            check_answers(f"127.0.0.1:{server.getsockname()[1]}")


@pytest.mark.parametrize("address", ["", ":6379", "http://host:1", "host:port"])
def test_what_is_no_address_is_answered(address: str) -> None:
    with pytest.raises(EngineError, match="HOST:PORT was expected"):
        check_answers(address)


def test_nothing_is_computed_where_no_cluster_answers(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No Ray cluster answers"):
        gevaldi.compare("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae", out=tmp_path / "run", engine=DEAD)
    assert not (tmp_path / "run").exists()


DEAD = "ray,address=127.0.0.1:1"


@pytest.mark.parametrize(
    "command",
    ["compare bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae", "demo", "experiment examples-digits"],
)
@pytest.mark.parametrize("options", ["--address 127.0.0.1:1", "--engine ray,address=127.0.0.1:1"])
def test_commands_take_an_engine_or_an_address(command: str, options: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*command.split(), *options.split(), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, EngineError)
    assert not (tmp_path / "out").exists()


def test_who_works_is_told_in_words() -> None:
    assert Workers(1, 1, 0).in_words() == "1 worker on 1 node"
    assert Workers(8, 2, 3).in_words() == "8 workers on 2 nodes, 3 chunks given again"
    assert Workers(0, 0, 0).in_words() == "waiting for workers"


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Run, pd.DataFrame]:
    """A run of the small models without its rows, and these rows as the local engine has made them."""
    done = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path / "run", **QUICK)
    rows = done.rows()
    for part in (done.run.folder / "samples").iterdir():
        part.unlink()
    (tmp_path / "run" / "token").touch()
    return done.run, rows


def job_of(run: Run, **changes: Any) -> Job:
    objects = {0: small_classifier(0), 1: small_classifier(1), 2: small_generator()}
    job = Job(run, (None, None, None), pickled(objects), None, "cpu", 4, 1, "token", str(Path.cwd()), (), versions())
    return replace(job, **changes)


def parts_of(worker: Worker, total: int, size: int) -> list[Any]:
    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(worker.work, chunks(total, set(), size)))


@pytest.mark.parametrize("size", [1, 4, 7])
def test_a_worker_makes_the_rows_of_the_local_engine_whatever_the_chunks(begun: tuple[Run, pd.DataFrame], size: int) -> None:
    run, expected = begun
    worker = Worker(job_of(run))
    assert isinstance(worker.ready(), Arrival)
    assert all(isinstance(part, Part) and part.content is None for part in parts_of(worker, run.total, size))
    pd.testing.assert_frame_equal(run.rows(), expected)


def test_a_worker_that_does_not_see_the_folder_sends_the_same_rows(begun: tuple[Run, pd.DataFrame]) -> None:
    run, expected = begun
    worker = Worker(job_of(run, token="of another folder"))
    assert isinstance(worker.ready(), Arrival)
    for part in parts_of(worker, run.total, 5):
        assert not list((run.folder / "samples").glob("*")) or part.content
        (run.folder / "samples" / part.name).write_bytes(part.content)
    pd.testing.assert_frame_equal(run.rows(), expected)


def test_a_worker_loads_its_networks_once(begun: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    monkeypatch.setattr("gevaldi.generators.load_generator", lambda given: loads.append(given) or given)
    worker = Worker(job_of(begun[0]))
    worker.ready()
    parts_of(worker, begun[0].total, 2)
    assert len(loads) == 1


def test_a_batch_is_kept_full_across_chunks(begun: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("gevaldi.runs.feed.asked", counted("gevaldi.runs.feed", "asked", sizes))
    worker = Worker(job_of(begun[0]))
    worker.ready()
    parts_of(worker, begun[0].total, 1)
    assert max(sizes) > 1  # chunks of one sample, and yet several are searched together


def counted(module: str, name: str, sizes: list[int]) -> Any:
    import importlib

    original = getattr(importlib.import_module(module), name)

    def wrapped(starts: Any, *rest: Any) -> Any:
        sizes.append(len(starts))
        return original(starts, *rest)

    return wrapped


def test_a_worker_with_other_weights_says_so(begun: tuple[Run, pd.DataFrame]) -> None:
    objects = pickled({0: small_classifier(5), 1: small_classifier(1), 2: small_generator()})
    trouble = Worker(job_of(begun[0], objects=objects)).ready()
    assert isinstance(trouble, Trouble)
    assert "is not the first that the run was begun with: other weights" in trouble.why
    assert socket.gethostname() in trouble.host


def test_a_worker_without_a_file_says_which_and_what_to_do(begun: tuple[Run, pd.DataFrame]) -> None:
    trouble = Worker(job_of(begun[0], names=("python:not_here.py:net", None, None))).ready()
    assert isinstance(trouble, Trouble)
    assert "There is no file 'not_here.py'" in trouble.why


def test_a_worker_of_another_version_says_so(begun: tuple[Run, pd.DataFrame]) -> None:
    trouble = Worker(job_of(begun[0], versions=versions() | {"torch": "1.0"})).ready()
    assert isinstance(trouble, Trouble)
    assert "1.0 where the run was begun" in trouble.why


def test_a_network_that_belongs_to_this_process_is_refused() -> None:
    net = small_classifier(0)
    net.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(SpecError, match=r"cannot be sent to workers.*python:module:factory"):
        pickled({0: net})
