"""Engines without a cluster: which chunks there are, what a task does, and what is answered where nothing can be computed."""

import pickle
import socket
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError
from typer.testing import CliRunner

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.cli.catalogue import listing, names_of
from gevaldi.cli.main import app
from gevaldi.engines import engine, registry
from gevaldi.engines._cluster import Cluster, check_answers
from gevaldi.engines._task import Process, Setup, Trouble, pickle_networks, versions
from gevaldi.engines.base import EngineError, Job
from gevaldi.engines.local import Local
from gevaldi.engines.ray import Ray, Tasks, chunks, reason_of, setup_of
from gevaldi.errors import GevaldiError, RunFolderError, SpecError, UnknownName
from gevaldi.progress import Bar
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec

SEARCH: dict[str, Any] = {"steps": 10, "goal": "most divergent"}
QUICK: dict[str, Any] = {**SEARCH, "samples": 9, "audited": 20, "batch_size": 4, "device": "cpu", "progress": False}


@given(st.integers(0, 3000), st.integers(1, 70), st.lists(st.integers(1, 40), min_size=1))
def test_chunks_are_all_rows_in_their_order_of_at_most_four_batches_and_in_rounds_of_equal_ones(
    total: int, batch_size: int, workers: list[int]
) -> None:
    left = iter(workers)
    found = list(chunks(range(total), batch_size, lambda: next(left, workers[-1])))
    assert [index for chunk in found for index in chunk] == list(range(total))
    assert max(map(len, found), default=0) <= 4 * batch_size


@given(st.integers(1, 3000), st.integers(1, 70), st.integers(1, 40))
def test_every_worker_has_as_many_chunks_as_the_others_or_one_less(total: int, batch_size: int, workers: int) -> None:
    count = sum(1 for chunk in chunks(range(total), batch_size, lambda: workers) if chunk)
    assert count <= workers or -(-count // workers) == -(-total // (4 * batch_size * workers))


class Fake:
    """What tasks need of Ray: nodes that come and go, and results that are there at once; `results` has one for each try."""

    def __init__(self, *cores: int, results: Any = lambda tried, indices: indices) -> None:
        self.found = [
            {"NodeID": str(i), "Alive": True, "NodeManagerAddress": f"10.0.0.{i}", "Resources": {"CPU": float(count)}}
            for i, count in enumerate(cores)
        ]
        self.results, self.chunks, self.strategies = results, list[list[int]](), list[Any]()

    def put(self, what: Any) -> Any:
        return what

    def nodes(self) -> list[dict[str, Any]]:
        return self.found

    def cancel(self, reference: int, force: bool) -> None:
        pass

    def remote(self, **options: Any) -> Any:
        return lambda function: self

    def options(self, scheduling_strategy: Any) -> Any:
        self.strategies.append(scheduling_strategy)
        return SimpleNamespace(remote=self._submit)

    def _submit(self, key: str, setup: list[Any], indices: list[int]) -> int:
        self.chunks.append(indices)
        return len(self.chunks) - 1

    def wait(self, references: list[int], num_returns: int, timeout: float) -> Any:
        return references[:1], references[1:]

    def get(self, reference: int) -> Any:
        result = self.results(reference, self.chunks[reference])
        if isinstance(result, Exception):
            raise result
        return [{"index": index} for index in result] if isinstance(result, list) else result


def computed(
    fake: Fake, total: int = 6, threads: int = 1, workers: int | None = None, device: str = "cpu", lifelines: Any = ()
) -> tuple[list[int], list[str]]:
    """The indices of all rows that tasks return, and what a user is told."""
    notices: list[str] = []
    progress = Bar(False)
    progress.notice = notices.append  # type: ignore[method-assign]
    run = Run(Path("folder"), {}, Spec(first="a", second="b", generator="c"), "")
    setup = Setup(run, (), b"", None, device, 1, threads, "", (), {})
    job = Job(run, None, (), 1, progress)  # type: ignore[arg-type]
    with closing(Tasks(Cluster(fake, lifelines), setup, workers, range(total), job)) as tasks:
        return [row["index"] for rows in tasks.results() for row in rows.rows()], notices


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at once, and no patience."""
    for name, value in {"LOOK": -1.0, "LONGEST_SILENCE": -1.0}.items():
        monkeypatch.setattr(f"gevaldi.engines.ray.{name}", value)


@given(st.integers(0, 60), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2**32))
def test_every_row_is_computed_and_returned_exactly_once_whichever_nodes_are_lost(total: int, cores: list[int], seed: int) -> None:
    fails = torch.rand(1000, generator=torch.Generator().manual_seed(seed)) < 0.3
    cluster = Fake(*cores, results=lambda tried, indices: NodeDiedError("its node died") if fails[tried % 1000] else indices)
    rows, notices = computed(cluster, total)
    assert sorted(rows) == list(range(total))
    assert bool(notices) == bool(len(cluster.chunks) and fails[: len(cluster.chunks)].any())


@pytest.mark.parametrize("error", [WorkerCrashedError(), OutOfMemoryError("too much")])
def test_a_chunk_with_which_every_worker_is_lost_ends_the_run(error: Exception) -> None:
    with pytest.raises(EngineError, match=r"4 workers started the same samples.*--batch-size"):
        computed(Fake(1, results=lambda tried, indices: error if 3 in indices else indices))


def test_no_chunk_is_blamed_for_nodes_that_are_lost() -> None:
    rows, _ = computed(Fake(1, results=lambda tried, indices: NodeDiedError("its node died") if tried < 12 else indices))
    assert sorted(rows) == list(range(6))


def test_a_node_that_cannot_work_gets_no_further_task_and_one_that_joins_does() -> None:
    cluster = Fake(1, 1)

    def results(tried: int, indices: list[int]) -> Any:
        if tried == 0:
            cluster.found.append(cluster.found[0] | {"NodeID": "2"})
            return Trouble("b", "1", "no weights")
        return indices

    cluster.results = results
    rows, notices = computed(cluster)
    assert sorted(rows) == list(range(6))
    assert notices == ["The worker on b cannot run. no weights"]
    assert cluster.strategies[:2] == ["SPREAD"] * 2
    assert {tuple(strategy.hard[0].operator.values) for strategy in cluster.strategies[2:]} == {("1",)}


def test_nobody_is_waited_for_where_no_node_can_work() -> None:
    cluster = Fake(1, 1, results=lambda tried, indices: Trouble(f"host{tried}", str(tried), "There is no weights.safetensors."))
    with pytest.raises(EngineError, match=r"^No worker can run\. The worker on host0 cannot run\. There is no weights.*Finished"):
        computed(cluster)


def test_a_node_without_gevaldi_is_told() -> None:
    error = RayTaskError("f", "x\nModuleNotFoundError: No module named 'gevaldi'", None, ip="10.0.0.0")
    with pytest.raises(EngineError, match=r"on 10\.0\.0\.0 cannot run.*No module named 'gevaldi' \(install gevaldi, of the same"):
        computed(Fake(1, results=lambda tried, indices: error))


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("threads", "device", "takes"), [(16, "cpu", "16 cores"), (1, "cuda", "1 core and 1 GPU")])
@pytest.mark.parametrize("workers", [None, 4])
def test_workers_that_fit_on_no_node_are_not_waited_for(threads: int, device: str, takes: str, workers: int | None) -> None:
    with pytest.raises(
        EngineError, match=rf"No node of the cluster has room for a worker, which needs {takes}\. Its nodes have 8 "
    ):
        computed(Fake(8, 8), threads=threads, device=device, workers=workers)


@pytest.mark.usefixtures("hasty")
def test_that_nothing_comes_is_told_once_with_what_a_worker_takes() -> None:
    _, notices = computed(Fake(8), threads=4)
    assert len(notices) == 1
    assert "A worker needs 4 cores; the nodes have 8 cores" in notices[0]


@pytest.mark.usefixtures("hasty")
def test_a_cluster_that_is_gone_ends_the_run_with_how_to_go_on() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = free.getsockname()
    with pytest.raises(EngineError, match=r"Finished rows are safe\..*gevaldi resume folder"):
        computed(Fake(1), lifelines=(gone,))


def test_what_a_worker_raised_is_told_without_rays_traceback() -> None:
    error = RuntimeError("ray::compute_chunk() (pid=1, ip=10.0.0.1)\n  File x\nOSError: No space left")
    error.cause = OSError(28, "No space left on device")  # type: ignore[attr-defined]
    assert reason_of(error) == "OSError: [Errno 28] No space left on device"


def test_engines_are_named_like_everything_else() -> None:
    assert list(registry) == ["local", "ray"] == names_of("engines")
    assert "of a cluster, or of this machine, through Ray" in listing("engines")
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
        ("local", "10.0.0.1:6379", SpecError, "takes no address"),
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


@pytest.mark.parametrize("address", ["", ":6379", "http://host:1", "host:port"])
def test_what_is_no_address_is_answered(address: str) -> None:
    with pytest.raises(EngineError, match=r"is not an address of a Ray cluster\. Give HOST:PORT"):
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


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Run, pd.DataFrame]:
    """A run of the small models without its rows, and these rows as the local engine has made them."""
    return emptied(gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path / "run", **QUICK))


def emptied(done: gevaldi.Comparison) -> tuple[Run, pd.DataFrame]:
    rows = done.rows()
    for part in (done.run.folder / "samples").iterdir():
        part.unlink()
    return done.run, rows


def setup_for(run: Run, **changes: Any) -> Setup:
    objects = {0: small_classifier(0), 1: small_classifier(1), 2: small_generator()}
    setup = Setup(run, (None, None, None), pickle_networks(objects), None, "cpu", 4, 1, str(Path.cwd()), (), versions())
    return replace(setup, **changes)


def rows_by(process: Process, setup: Setup, run: Run, *parts: Sequence[int]) -> pd.DataFrame:
    """The rows of some samples, each part of them by a task, written as this process writes them."""
    for indices in parts:
        run.append(process.rows(str(run.folder), lambda: setup, indices))
    return run.rows()


@pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.slow), 4, 7, 18])
def test_a_task_returns_the_rows_of_the_local_engine_whatever_the_chunks(begun: tuple[Run, pd.DataFrame], size: int) -> None:
    run, expected = begun
    parts = [range(i, min(i + size, run.total)) for i in range(0, run.total, size)]
    pd.testing.assert_frame_equal(rows_by(Process(), setup_for(run), run, *parts), expected)


def test_a_process_loads_only_what_it_has_not_and_keeps_only_what_the_next_run_needs(
    begun: tuple[Run, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = {"a": small_classifier(0), "b": small_classifier(1), "c": small_classifier(2), "g": small_generator()}
    other = emptied(gevaldi.compare(networks["a"], networks["c"], networks["g"], out=tmp_path / "other", **QUICK))
    loaded: list[str] = []
    for load in ("classifiers.load_classifier", "generators.load_generator"):
        monkeypatch.setattr(f"gevaldi.{load}", lambda name: loaded.append(name) or networks[name])
    process = Process()
    for (run, expected), names in ((begun, "abg"), (other, "acg")):
        setup = setup_for(run, names=tuple(names), objects=pickle_networks({}))
        pd.testing.assert_frame_equal(rows_by(process, setup, run, range(9), range(9, 18)), expected)
    assert "".join(loaded) == "abgc"
    assert {name for _, name, _ in process._networks} == set("acg")  # the memory of the other is free


def test_a_task_computes_with_the_threads_that_are_reserved_for_it_and_not_those_of_the_run() -> None:
    record = {"execution": {"batch_size": 4, "threads": 16}}
    models = SimpleNamespace(device=torch.device("cpu"), hierarchy=None)
    run = Run(Path(), record, Spec(first="a", second="b", generator="c"), "")
    job = Job(run, models, ("a", "b", "c"), 4, None)  # type: ignore[arg-type]
    assert setup_of(Ray(), job).threads == 1
    assert setup_of(Ray(threads=3), job).threads == 3


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"objects": {0: small_classifier(5)}}, "is not the first that the run was started with: other weights"),
        ({"names": ("python:not_here.py:net", None, None)}, "There is no file 'not_here.py'"),
        ({"versions": versions() | {"torch": "1.0"}}, r"1\.0 where the run was started"),
    ],
)
def test_a_node_with_other_networks_or_versions_says_so(
    begun: tuple[Run, pd.DataFrame], changes: dict[str, Any], answer: str
) -> None:
    if "objects" in changes:
        changes = {"objects": pickle_networks({1: small_classifier(1), 2: small_generator()} | changes["objects"])}
    with pytest.raises(GevaldiError, match=answer):
        Process().rows("key", lambda: setup_for(begun[0], **changes), [0])


class Unreadable:
    """What can be sent and not be read."""

    def __reduce__(self) -> Any:
        return int, ("nothing that is a number",)


def test_a_network_that_cannot_be_read_on_a_worker_says_why(begun: tuple[Run, pd.DataFrame]) -> None:
    with pytest.raises(RunFolderError, match="cannot be unpickled here: ValueError"):
        Process().rows("key", lambda: setup_for(begun[0], objects=pickle_networks({0: Unreadable()})), [0])


def test_networks_are_sent_without_a_device_and_tied_weights_stay_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read on a machine that has no such device; `meta` stands for it, with ones where the numbers would be."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda found: torch.ones(found.shape, dtype=found.dtype))
    tied = torch.nn.Linear(3, 3, device="meta")
    sent = pickle.loads(pickle_networks({0: tied, 1: tied.weight, 2: torch.zeros(2, device="meta")}))
    assert {sent[0].weight.device.type, sent[0].bias.device.type, sent[2].device.type} == {"cpu"}
    assert sent[1] is sent[0].weight
    assert isinstance(sent[1], torch.nn.Parameter)
    assert sent[1].requires_grad
    assert tied.weight.device.type == "meta"


def test_a_network_that_belongs_to_this_process_is_refused() -> None:
    net = small_classifier(0)
    net.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(SpecError, match=r"cannot be sent to workers.*python:module:factory"):
        pickle_networks({0: net})
