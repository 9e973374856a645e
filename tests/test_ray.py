"""The engine ray on clusters of this machine: the same rows, whoever is lost on the way."""

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import gevaldi
from gevaldi.comparison import execute
from gevaldi.compute import Compute
from gevaldi.engines import engine
from gevaldi.engines._cluster import connect
from gevaldi.engines.base import EngineError
from gevaldi.mass.stored import StoredDraws
from gevaldi.runs.store.run import Run
from gevaldi.spec import spec_from
from small import small_classifier, small_generator
from started import STARTED, compare_small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of Ray's own pipes
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SEARCH: dict[str, Any] = {"steps": 60, "gain": 0.0, "goal": "most divergent"}
SETTINGS: dict[str, Any] = {**SEARCH, "samples": 60, "batch_size": 4, "device": "cpu", "progress": False}
FACTORIES = """
import os
from small import small_classifier, small_generator

def first():
    if "LACKS" in os.environ:
        raise FileNotFoundError("weights.safetensors")
    return small_classifier(0)

def second(): return small_classifier(1)
def generator(): return small_generator()
"""


@pytest.fixture(scope="module", autouse=True)
def unchecked() -> Iterator[None]:
    """Types are checked in this process alone, because others would take seconds to begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEVALDI_TESTS_UNCHECKED", "1")
        patch.setenv("RAY_prestart_worker_first_driver", "0")  # a process for every core, before anybody knows what is computed
        patch.setenv("RAY_enable_worker_prestart", "0")
        yield


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each; the first cannot be lost, because this program is on it."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        started.add_node(num_cpus=1)
        yield started
    finally:
        disconnect()
        started.shutdown()


def disconnect() -> None:
    import ray

    ray.shutdown()


@pytest.fixture
def connected(cluster: Any) -> Any:
    """The same, which this program stays in from test to test, since other workers would take seconds to begin."""
    import ray

    if not ray.is_initialized():
        ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    return cluster


@pytest.fixture
def alone() -> None:
    """This program is in no cluster."""
    disconnect()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return compared(tmp_path_factory.mktemp("local") / "run").rows()


def compared(out: Any, engine: str | None = None) -> gevaldi.Comparison:
    return gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=out, engine=engine, **SETTINGS)


def at(cluster: Any, options: str = "") -> str:
    return f"ray,address={cluster.address}{options}"


def driver_with_some_rows(folder: Path, engine: str) -> Any:
    """A program of its own that compares the same on a cluster and has written some rows."""
    driver = STARTED.Process(target=compare_small, args=(folder, engine, SETTINGS, Path(f"{folder}.said"), dict(os.environ)))
    driver.start()
    while not list(folder.glob("samples/part-*")):
        assert driver.is_alive(), output(folder)
        time.sleep(0.02)
    return driver


def output(folder: Path) -> str:
    return Path(f"{folder}.said").read_text()


def when_some_rows_are_there(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[int]:
    """Act once, when the first rows are on disk but not all; how many there were is noted."""
    acted: list[int] = []

    def rows(bar: Any, done: int, total: int) -> None:
        if 0 < done < total and not acted:
            acted.append(done)
            act()

    monkeypatch.setattr("gevaldi.progress.Bar.rows", rows)
    return acted


def workers() -> list[psutil.Process]:
    """The processes that compute chunks on this program's clusters, whose nodes are its children."""
    return [process for process in psutil.Process().children(recursive=True) if "ray::compute_chunk" in title(process)]


def kill_a_worker() -> None:
    next(found for _ in range(500) if (found := workers()))[0].kill()  # whose process may be beginning still


def title(process: psutil.Process) -> str:
    with suppress(psutil.Error):  # it has ended meanwhile
        return " ".join(process.cmdline())
    return ""


def test_the_rows_are_those_of_the_local_engine_on_two_nodes(
    connected: Any, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("gevaldi.progress.Bar.working", lambda bar, side: seen.append(side))
    pd.testing.assert_frame_equal(compared(tmp_path / "run", at(connected, ",workers=2")).rows(), expected)
    assert set(seen) == {"2 workers on 2 nodes"}
    assert not list(tmp_path.rglob("*.partial"))


def test_the_draws_of_a_mass_are_those_of_the_local_engine_though_a_worker_is_killed(
    connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = compared(tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    local = pair.mass("divergence > 40", 8_000, progress=False)
    acted = when_some_rows_are_there(monkeypatch, kill_a_worker)
    other = gevaldi.Comparison(Run.open(tmp_path / "other"), pair.models)
    assert other.mass("divergence > 40", 8_000, engine=at(connected, ",workers=2"), progress=False) == local
    assert acted
    here, there = (StoredDraws.of(one.run).table().to_pandas() for one in (pair, other))
    pd.testing.assert_frame_equal(there, here, check_exact=True)


def test_a_worker_that_is_killed_costs_only_what_it_had_not_finished(
    connected: Any, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    monkeypatch.setattr("gevaldi.progress.Bar.notice", lambda bar, text: notices.append(text))
    acted = when_some_rows_are_there(monkeypatch, kill_a_worker)
    pd.testing.assert_frame_equal(compared(tmp_path / "run", at(connected)).rows(), expected)
    assert acted
    assert any("was lost" in text for text in notices)


def named(folder: Path) -> list[str]:
    (folder / "nets.py").write_text(FACTORIES)
    return [f"python:{folder / 'nets.py'}:{name}" for name in ("first", "second", "generator")]


def test_a_node_without_the_weights_is_told_and_the_others_do_the_work(
    connected: Any, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = connected.add_node(num_cpus=1, env_vars={"LACKS": "1"})
    notices: list[str] = []
    monkeypatch.setattr("gevaldi.progress.Bar.notice", lambda bar, text: notices.append(text))
    rows = gevaldi.compare(*named(tmp_path), out=tmp_path / "run", engine=at(connected), **SETTINGS).rows()
    connected.remove_node(node)
    pd.testing.assert_frame_equal(rows, expected)
    assert any("cannot run" in text and "weights.safetensors" in text for text in notices)


def test_an_address_that_is_not_that_of_the_programs_own_cluster_is_refused(connected: Any) -> None:
    import ray

    with (
        pytest.raises(EngineError, match=r"already connected to .*, but 127\.0\.0\.1:1 was given"),
        connect("127.0.0.1:1", 1, 0, False),
    ):
        pass
    for own in (connected.address, "auto", None):
        with connect(own, 1, 0, False):
            pass
    assert ray.is_initialized()


def test_a_node_that_is_removed_and_one_that_joins_leave_the_rows_as_they_are(
    connected: Any, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed() -> None:
        for node in list(connected.worker_nodes):
            connected.remove_node(node, allow_graceful=False)
        connected.add_node(num_cpus=1, wait=False)

    acted = when_some_rows_are_there(monkeypatch, removed)
    pd.testing.assert_frame_equal(compared(tmp_path / "run", at(connected)).rows(), expected)
    assert acted


def test_a_driver_that_is_killed_and_started_again_goes_on_where_it_was(
    cluster: Any, expected: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    driver = driver_with_some_rows(folder, at(cluster, ",workers=1"))
    driver.kill()
    driver.join()
    before = {part.name: part.stat().st_ino for part in folder.glob("samples/part-*")}
    assert len(Run.open(folder).done()) < len(expected)
    pd.testing.assert_frame_equal(compared(folder, at(cluster, ",workers=1")).rows(), expected)
    after = {part.name: part.stat().st_ino for part in folder.glob("samples/part-*")}
    assert before.items() <= after.items()


def test_what_was_finished_is_safe_after_ctrl_c_and_nobody_works_on(cluster: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    driver = driver_with_some_rows(folder, at(cluster, ",workers=1"))
    os.kill(driver.pid, signal.SIGINT)
    driver.join()
    assert "KeyboardInterrupt" in output(folder)
    deadline = time.monotonic() + 20
    while workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers()
    assert 0 < len(Run.open(folder).done()) < 2 * SETTINGS["samples"]


def test_a_head_node_that_is_killed_ends_the_program_with_how_to_go_on(expected: pd.DataFrame, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    folder, doomed = tmp_path / "run", Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    driver = driver_with_some_rows(folder, at(doomed))
    doomed.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
    driver.join()
    assert f"Finished rows are safe. When the cluster is back, resume with: gevaldi resume {folder}" in output(folder)
    assert driver.exitcode == 1
    assert 0 < len(Run.open(folder).done()) < len(expected)
    pd.testing.assert_frame_equal(compared(folder).rows(), expected)


def test_a_sweep_begins_its_cluster_once_loads_named_networks_once_and_finds_what_it_finds_without_one(
    alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    begin, begun = ray.init, list[str]()
    monkeypatch.setattr(ray, "init", lambda address, **options: (begun.append(address), begin(address, **options)))
    monkeypatch.setenv("LOADS", str(tmp_path / "loads"))
    (tmp_path / "nets.py").write_text(COUNTED)
    small = {name: f"python:{tmp_path / 'nets.py'}:{name}" for name in "abc"}
    settings = {**SETTINGS, "samples": 4, "steps": 5, "audited": 10}
    there, here = (
        gevaldi.sweep(small, f"python:{tmp_path / 'nets.py'}:g", out=tmp_path / name, engine=engine, **settings)
        for name, engine in (("there", "ray,workers=1"), ("here", None))
    )
    assert begun == ["local"]
    assert not ray.is_initialized()
    assert there.failed == {}
    assert len(there.runs) == 3
    for name, run in there.runs.items():
        pd.testing.assert_frame_equal(run.rows(), here.runs[name].rows())
    # b is not kept while a and c are compared
    processes = [line.split() for line in (tmp_path / "loads").read_text().splitlines()]
    assert sorted(name for pid, name in processes if pid != str(os.getpid())) == ["a", "b", "b", "c", "g"]


COUNTED = """
import os
from small import small_classifier, small_generator

def noted(name):
    with open(os.environ["LOADS"], "a") as file:
        file.write(f"{os.getpid()} {name}\\n")

def a(): noted("a"); return small_classifier(0)
def b(): noted("b"); return small_classifier(1)
def c(): noted("c"); return small_classifier(2)
def g(): noted("g"); return small_generator()
"""


def raylets() -> set[psutil.Process]:
    """The processes that are nodes of this program's clusters."""
    return {process for process in psutil.Process().children(recursive=True) if title(process).split(" ")[0].endswith("raylet")}


def test_a_cluster_of_this_machine_is_begun_anew_if_it_dies_between_two_runs_and_ends_with_them(
    alone: None, tmp_path: Path, expected: pd.DataFrame
) -> None:
    import ray

    others = raylets()
    names = {"first": "object:a", "second": "object:b", "generator": "object:c"}
    spec = spec_from({**names, "samples": SETTINGS["samples"], "search": SEARCH})
    networks = small_classifier(0), small_classifier(1), small_generator()
    with engine("ray,workers=1").open() as compute:
        for folder in ("before", "after"):
            run = execute(
                spec, tmp_path / folder, networks, Compute("cpu", SETTINGS["batch_size"], progress=False, rows=compute), ""
            )
            pd.testing.assert_frame_equal(run.rows(), expected)
            own = raylets() - others
            assert len(own) == 1
            if folder == "before":
                for process in own:
                    process.kill()
                    process.wait()
    assert not ray.is_initialized()
    assert raylets() == others
