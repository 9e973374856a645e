"""Engines without a cluster: who gets which chunk, what a worker does, and what is answered where nobody is."""

import pickle
import random
import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
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
from gevaldi.runs.engines._crew import Crew, Room, said
from gevaldi.runs.engines._job import Arrival, Job, Part, Trouble, versions
from gevaldi.runs.engines._spread import Done, Event, Joined, Left, Spread
from gevaldi.runs.engines._worker import Inflow, Worker
from gevaldi.runs.engines.base import EngineError, Task, Workers
from gevaldi.runs.engines.local import Local
from gevaldi.runs.engines.ray import Ray, Site, job_for, pickled
from gevaldi.runs.session import models_of, prepared
from gevaldi.runs.start import start_at
from gevaldi.runs.store import Run
from gevaldi.runs.worker import searched
from gevaldi.spec import Spec

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
        waiting = len(spread._back) + len(spread._suspects)
        assert made[0] - len(done) <= 1 + sum(map(len, spread.carried.values())) + waiting  # none is kept
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


class Losing(Steady):
    """Every worker that has begun chunk 0 is lost before it finishes it, some times over."""

    def __init__(self, times: int, with_its_node: bool) -> None:
        super().__init__(2)
        self.times, self.with_its_node = times, with_its_node
        self.beside: list[int] = []  # how many other chunks it had

    def finished(self) -> Iterable[Event]:
        if self.events or not self.times:
            return super().finished()
        worker = next((worker for worker, has in self.has.items() if has[:1] == [0]), None)
        if worker is None:
            return super().finished()
        self.times -= 1
        self.beside.append(len(self.has.pop(worker)) - 1)
        self.has[worker + 2] = []
        return [Left(worker, "lost", self.with_its_node), Joined(worker + 2)]


def test_a_chunk_that_was_lost_twice_is_given_to_a_worker_that_has_no_other() -> None:
    pool = Losing(3, with_its_node=False)
    done = [event.number for event in Spread(range(20), 20, pool, 2) if isinstance(event, Done)]
    assert sorted(done) == list(range(20))
    assert pool.beside[0] > 0
    assert pool.beside[2:] == [0]


def test_no_chunk_is_blamed_for_nodes_that_are_lost() -> None:
    done = [event for event in Spread(range(20), 20, Losing(12, with_its_node=True), 2) if isinstance(event, Done)]
    assert len(done) == 20


def test_a_round_without_news_is_told_so_that_somebody_can_say_who_is_waited_for() -> None:
    class Slow(Steady):
        def finished(self) -> Iterable[Event]:
            self.rounds = getattr(self, "rounds", 0) + 1
            return super().finished() if self.rounds > 2 else []

    assert list(Spread(range(1), 1, Slow(1)))[:3] == [None, None, Joined(0)]


class Machines:
    """What a crew needs of Ray: nodes that come and go, and actors that answer, each with its own, or never."""

    def __init__(self, *cores: int, answers: Any = lambda number: None) -> None:
        self.found = [{"NodeID": str(i), "Alive": True, "Resources": {"CPU": float(count)}} for i, count in enumerate(cores)]
        self.answers, self.hired, self.killed = answers, 0, 0

    def put(self, what: Any) -> Any:
        return what

    def nodes(self) -> list[dict[str, Any]]:
        return self.found

    def kill(self, actor: Any) -> None:
        self.killed += 1

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=self._hired))

    def _hired(self) -> Any:
        number, self.hired = self.hired, self.hired + 1

        def ready(job: Any = None) -> Any:
            answer = self.answers(number)
            future: Future[Any] = answer if isinstance(answer, Future) else Future()
            if isinstance(answer, Future):
                pass  # it is given later
            elif isinstance(answer, Exception):
                future.set_exception(answer)
            elif answer is not None:
                future.set_result(answer)
            return SimpleNamespace(future=lambda: future)

        return SimpleNamespace(ready=SimpleNamespace(remote=ready), work=SimpleNamespace(remote=lambda chunk: ready()))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crews that look and lose their patience at once."""
    for name, value in {"LOOK": -1.0, "WAIT": 0.001, "PATIENCE": -1.0}.items():
        monkeypatch.setattr(f"gevaldi.runs.engines._crew.{name}", value)


def crew_of(machines: Machines, room: Room, workers: int | None = None) -> Crew:
    return Crew(machines, job_without_networks(), room, workers)


def job_without_networks() -> Job:
    run = Run(Path(), {}, Spec(first="a", second="b", generator="c"), "")
    return Job(run, ("a", "b", "c"), b"", None, "cpu", 1, 1, "", "", (), {})


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("room", "takes"), [(Room(16, 0), "16 cores"), (Room(1, 1), "1 core and 1 GPU")])
@pytest.mark.parametrize("workers", [None, 4])
def test_workers_that_fit_on_no_node_are_not_waited_for(room: Room, takes: str, workers: int | None) -> None:
    with pytest.raises(
        EngineError, match=rf"No node of the cluster has room for a worker, which takes {takes}\. Its nodes have 8 "
    ):
        crew_of(Machines(8, 8), room, workers).finished()


@pytest.mark.usefixtures("hasty")
def test_workers_for_which_others_leave_no_room_are_told_of_and_waited_for() -> None:
    crew = crew_of(Machines(8), Room(4, 0), 2)
    assert not list(crew.finished())
    assert not list(crew.finished())
    assert len(crew.told) == 1
    assert crew.told[0].startswith("2 workers wait for room, or for what it loads. A worker takes 4 cores; the nodes have 8 cores")
    assert crew.at_work(0).in_words() == "waiting for workers"


@pytest.mark.usefixtures("hasty")
def test_nobody_is_waited_for_where_no_worker_can_work() -> None:
    crew = crew_of(
        Machines(1, 1, answers=lambda number: Trouble(f"host{number}", "There is no weights.safetensors.", "0")), Room(1, 0)
    )
    with pytest.raises(EngineError, match=r"^No worker can work\. The worker on host0 cannot work\. There is no weights.*finished"):
        list(Spread(range(3), 3, crew))


def test_a_worker_that_cannot_work_keeps_its_place_only_while_its_node_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.engines._crew.LOOK", -1.0)
    monkeypatch.setattr("gevaldi.runs.engines._crew.WAIT", 0.001)
    answers = [Arrival("0", "a"), Trouble("b", "no weights", "1"), Arrival("2", "c")]
    machines = Machines(1, 1, answers=lambda number: answers[number])
    crew = crew_of(machines, Room(1, 0))
    assert [type(event) for event in crew.finished()] == [Joined, Left]
    assert not list(crew.finished())
    assert machines.hired == 2
    machines.found[1]["Alive"] = False
    machines.found.append({"NodeID": "2", "Alive": True, "Resources": {"CPU": 1.0}})
    assert list(crew.finished()) == [Joined(2)]


def test_workers_go_on_to_the_next_job_but_for_those_who_could_not_do_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.engines._crew.LOOK", -1.0)
    monkeypatch.setattr("gevaldi.runs.engines._crew.WAIT", 0.001)
    late: Future[Any] = Future()
    answers = {
        0: [Arrival("0", "a")] * 2,
        1: [late, Arrival("1", "b")],
        2: [Trouble("c", "no weights", "2")],
        3: [Arrival("2", "c")],
    }
    machines = Machines(1, 1, 1, answers=lambda number: answers[number].pop(0))
    crew = crew_of(machines, Room(1, 0))
    assert [type(event) for event in crew.finished()] == [Joined, Left]
    crew.begin(job_without_networks())
    assert not crew.told
    assert crew.at_work(0).alive == 0
    assert machines.killed == 1
    assert list(crew.finished()) == [Joined(0), Joined(3)]
    late.set_result(Arrival("1", "b"))  # what the last job needed is loaded
    assert list(crew.finished()) == [Joined(1)]
    assert machines.hired == 4
    assert not any(answers.values())
    answers[0] = [RuntimeError("its process died")]
    answers[1] = [Arrival("1", "b")]
    answers[3] = [Arrival("2", "c")]
    answers[4] = [Arrival("0", "a")]
    crew.begin(job_without_networks())
    assert [type(event) for event in crew.finished()] == [Left, Joined, Joined]
    assert crew.told[0].endswith("was lost: RuntimeError: its process died. What it had not finished is given to others.")


@pytest.mark.parametrize(
    ("says", "gone"),
    [
        ("The actor died because its node has died.", True),
        ("The actor is temporarily unavailable: RpcError: RPC error: Socket closed rpc_code: 14.", True),
        ("Worker exit type: SYSTEM_ERROR", False),
    ],
)
def test_a_lost_worker_says_whether_its_node_is_lost(says: str, gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.engines._crew.WAIT", 0.001)
    answers: list[Any] = [Arrival("0", "a"), RuntimeError(says)]
    crew = crew_of(Machines(1, answers=lambda number: answers.pop(0)), Room(1, 0))
    list(crew.finished())
    crew.submit(0, 0, [1])
    assert [event.with_its_node for event in crew.finished() if isinstance(event, Left)] == [gone]


def test_what_a_worker_raised_is_told_without_rays_traceback() -> None:
    error = RuntimeError("ray::Worker.work() (pid=1, ip=10.0.0.1)\n  File x\nOSError: No space left")
    error.cause = OSError(28, "No space left on device")  # type: ignore[attr-defined]
    assert said(error) == "OSError: [Errno 28] No space left on device"


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
    assert "of a cluster, or of this machine, by Ray" in listing("engines")
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
    [
        "compare bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae",
        "demo",
        "experiment examples-digits",
        "sweep bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae",
    ],
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
    worker = Worker()
    assert isinstance(worker.ready(job_of(run)), Arrival)
    assert all(isinstance(part, Part) and part.content is None for part in parts_of(worker, run.total, size))
    pd.testing.assert_frame_equal(run.rows(), expected)


def test_a_worker_that_does_not_see_the_folder_sends_the_same_rows(begun: tuple[Run, pd.DataFrame]) -> None:
    run, expected = begun
    worker = Worker()
    assert isinstance(worker.ready(job_of(run, token="of another folder")), Arrival)
    for part in parts_of(worker, run.total, 5):
        assert not list((run.folder / "samples").glob("*")) or part.content
        (run.folder / "samples" / part.name).write_bytes(part.content)
    pd.testing.assert_frame_equal(run.rows(), expected)


def test_a_worker_loads_its_networks_once(begun: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    monkeypatch.setattr("gevaldi.generators.load_generator", lambda given: loads.append(given) or given)
    worker = Worker()
    worker.ready(job_of(begun[0]))
    parts_of(worker, begun[0].total, 2)
    assert len(loads) == 1


def test_a_worker_does_one_job_after_the_other_with_the_networks_that_it_has(
    begun: tuple[Run, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = {"a": small_classifier(0), "b": small_classifier(1), "c": small_classifier(2), "g": small_generator()}
    other = gevaldi.compare(networks["a"], networks["c"], networks["g"], out=tmp_path / "other", **QUICK)
    rows = other.rows()
    for part in (other.run.folder / "samples").iterdir():
        part.unlink()
    (other.run.folder / "token").touch()
    loaded: list[str] = []
    for load in ("classifiers.load_classifier", "generators.load_generator"):
        monkeypatch.setattr(f"gevaldi.{load}", lambda name: loaded.append(name) or networks[name])
    worker = Worker()
    for run, names, expected in ((begun[0], "abg", begun[1]), (other.run, "acg", rows)):
        assert isinstance(worker.ready(job_of(run, names=tuple(names), objects=pickled({}))), Arrival)
        parts_of(worker, run.total, 3)
        pd.testing.assert_frame_equal(run.rows(), expected)
    assert "".join(loaded) == "abgc"
    assert worker._shift
    assert not worker._shift._kept  # which would hold the memory of what is needed no more
    worker._shift.end()
    assert all(p.requires_grad for network in networks.values() for p in network.parameters())


def test_a_batch_that_runs_dry_takes_what_comes_before_its_next_step(begun: tuple[Run, pd.DataFrame]) -> None:
    run, inflow, searching = begun[0], Inflow(), list[int]()
    given = [start_at(index, run.spec, []) for index in range(4)]

    def watch(count: int, step: int) -> None:
        searching.append(count)
        if step == 3:  # long since there is none left to take, and the first still searches
            for start in given[1:]:
                inflow.put(start)

    models = models_of(run.spec, small_classifier(0), small_classifier(1), small_generator(), torch.device("cpu"), run)
    inflow.put(given[0])
    with prepared(models):
        rows = [row for harvest in searched(inflow, models, run.spec, 4, watch) for row in harvest.rows()]
    assert searching[:5] == [1, 1, 1, 1, 4]
    assert sorted(row["index"] for row in rows) == [0, 1, 2, 3]


def test_a_worker_computes_with_the_threads_of_its_room_and_not_those_of_the_run() -> None:
    assert Ray().threads is None
    record = {"execution": {"batch_size": 4, "threads": 16}}
    spec = Spec(first="a", second="b", generator="c")
    models = SimpleNamespace(device=torch.device("cpu"), hierarchy=None)
    task = Task(Run(Path(), record, spec, ""), models, ("a", "b", "c"), None, lambda searching, step: None)  # type: ignore[arg-type]
    assert job_for(Ray(), task, "token").threads == 1
    assert job_for(Ray(threads=3), task, "token").threads == 3


def test_rows_that_were_found_before_a_worker_broke_are_not_lost_and_the_reason_is_told(
    begun: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, expected = begun
    found, packing = threading.Event(), threading.Event()

    class Late:
        def __init__(self, harvest: Any) -> None:
            self.harvest = harvest

        def rows(self) -> list[Any]:
            assert packing.wait(20)
            return self.harvest.rows()  # type: ignore[no-any-return]

    def breaking(*given: Any) -> Iterator[Any]:
        yield from map(Late, searched(*given))
        found.set()
        raise OSError("the device fell off")

    monkeypatch.setattr("gevaldi.runs.worker.searched", breaking)
    worker = Worker()
    worker.ready(job_of(run))
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(worker.work, [0])
        assert found.wait(20)
        packing.set()
        assert isinstance(first.result(), Part)
    trouble = worker.work([1])
    assert isinstance(trouble, Trouble)
    assert "OSError: the device fell off" in trouble.why
    pd.testing.assert_frame_equal(run.rows(), expected[expected["index"] == 0].reset_index(drop=True))


def test_whatever_a_worker_cannot_do_is_an_answer_and_no_lost_worker(
    begun: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gevaldi.runs.engines._worker.part_of", full)
    worker = Worker()
    worker.ready(job_of(begun[0], token="of another folder"))
    trouble = worker.work([0])
    assert isinstance(trouble, Trouble)
    assert "No space left on device" in trouble.why


def test_nothing_is_written_beside_the_run_where_rows_are_sent(
    begun: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", lambda *given, **more: pytest.fail("a temporary folder"))
    worker = Worker()
    worker.ready(job_of(begun[0], token="of another folder"))
    assert isinstance(worker.work([0]), Part)


def test_a_worker_with_other_weights_says_so(begun: tuple[Run, pd.DataFrame]) -> None:
    objects = pickled({0: small_classifier(5), 1: small_classifier(1), 2: small_generator()})
    trouble = Worker().ready(job_of(begun[0], objects=objects))
    assert isinstance(trouble, Trouble)
    assert "is not the first that the run was begun with: other weights" in trouble.why
    assert socket.gethostname() in trouble.host


def test_a_worker_without_a_file_says_which_and_what_to_do(begun: tuple[Run, pd.DataFrame]) -> None:
    trouble = Worker().ready(job_of(begun[0], names=("python:not_here.py:net", None, None)))
    assert isinstance(trouble, Trouble)
    assert "There is no file 'not_here.py'" in trouble.why


def test_a_worker_of_another_version_says_so(begun: tuple[Run, pd.DataFrame]) -> None:
    trouble = Worker().ready(job_of(begun[0], versions=versions() | {"torch": "1.0"}))
    assert isinstance(trouble, Trouble)
    assert "1.0 where the run was begun" in trouble.why


def test_workers_on_gpus_go_after_each_run_and_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.engines._cluster.connected", lambda *given: nullcontext(Machines(1)))
    monkeypatch.setattr("gevaldi.runs.engines._cluster.still_answers", lambda ray: True)
    for device, stays in (("cpu", True), ("cuda", False)):
        site = Site(Ray())
        job = replace(job_without_networks(), device=device)
        crews = []
        for _ in range(2):
            with site._at_work(job) as crew:
                crews.append(crew)
        assert (crews[0] is crews[1]) == stays
        with pytest.raises(EngineError), site._at_work(job) as crew:
            raise EngineError("it went wrong")
        assert site._crew is None


class Unreadable:
    """What can be sent and not be read."""

    def __reduce__(self) -> Any:
        return int, ("nothing that is a number",)


def test_a_network_that_cannot_be_read_on_a_worker_says_why(begun: tuple[Run, pd.DataFrame]) -> None:
    trouble = Worker().ready(job_of(begun[0], objects=pickled({0: Unreadable()})))
    assert isinstance(trouble, Trouble)
    assert "cannot be made again here: ValueError" in trouble.why


def test_networks_are_sent_without_a_device_and_tied_weights_stay_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read on a machine that has no such device; `meta` stands for it, with ones where the numbers would be."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda found: torch.ones(found.shape, dtype=found.dtype))
    tied = torch.nn.Linear(3, 3, device="meta")
    sent = pickle.loads(pickled({0: tied, 1: tied.weight, 2: torch.zeros(2, device="meta")}))
    assert {sent[0].weight.device.type, sent[0].bias.device.type, sent[2].device.type} == {"cpu"}
    assert sent[1] is sent[0].weight
    assert isinstance(sent[1], torch.nn.Parameter)
    assert sent[1].requires_grad
    assert tied.weight.device.type == "meta"


def test_a_network_that_belongs_to_this_process_is_refused() -> None:
    net = small_classifier(0)
    net.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(SpecError, match=r"cannot be sent to workers.*python:module:factory"):
        pickled({0: net})
