"""Run folders wherever they lie: on this machine, far away, and on disks that fail."""

import contextlib
import errno
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import fsspec.registry
import numpy as np
import pandas as pd
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import gevaldi
from conftest import record, small_classifier, small_generator
from gevaldi.cli.main import app
from gevaldi.cli.main import run as run_cli
from gevaldi.errors import GevaldiError, MissingExtra, RunFolderError
from gevaldi.exports import export
from gevaldi.reports.page import write_report
from gevaldi.runs.store import run as store
from gevaldi.runs.store.indices import Indices
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row
from gevaldi.spec import Spec, read_spec
from gevaldi.storage import AT_ONCE, Location, ahead, contents, create, is_there, location, read, remove, write

fsspec_registry = sys.modules["fsspec.registry"]  # of which fsspec itself has a dictionary of the same name
SEARCH: dict[str, Any] = {"steps": 20, "goal": "most divergent"}
QUICK: dict[str, Any] = {**SEARCH, "samples": 9, "batch_size": 4, "device": "cpu", "audited": 20}
ZOO = '{"all": {"pets": ["0", "1"], "wild": ["2"]}}'
NUMBERS = ["index", "seed", "condition", "steps", "divergence_end", "log_prior_end", "delta_z"]


def compared(out: str | Location, **settings: Any) -> gevaldi.Comparison:
    return gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=out, **(QUICK | settings))


class Shelf(LocalFileSystem):
    """A far file system with real folders, as SFTP has, which are not made by writing."""

    protocol = "shelf"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A store that speaks S3 on this machine, with one bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    words = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    serving = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    serving.start()
    host, port = serving.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (words | {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "NO_PROXY": "127.0.0.1"}).items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield f"http://{host}:{port}"
    serving.stop()


@pytest.fixture(params=["memory", "s3", "shelf", "here"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """An empty place of each kind."""
    if request.param == "s3":
        request.getfixturevalue("server")
        return location(f"s3://bucket/{tmp_path.name}/run")
    if request.param == "shelf":
        fsspec.register_implementation("shelf", Shelf, clobber=True)
        return location(f"shelf://{tmp_path}/run")
    return location(f"memory://{tmp_path.name}/run") if request.param == "memory" else tmp_path / "run"


def row(index: int, **columns: Any) -> Row:
    return {"index": index, "seed": index, "order": "forward", "status": "converged", "steps": 1, "divergence_end": 1.0} | columns


def read_spec_of(folder: Location) -> dict[str, Any]:
    """The settings beside a run, as `--spec` reads them, without the names of objects."""
    settings = read_spec(folder / "spec.yaml")
    return {key: value for key, value in settings.items() if key not in ("first", "second", "generator")}


def empty_run(folder: Location, samples: int = 9) -> Run:
    return Run.create(folder, Spec(first="a", second="b", generator="g", samples=samples, orders="forward"), record())


def test_a_text_is_a_path_unless_it_has_a_protocol(tmp_path: Path) -> None:
    assert location("runs/demo") == Path("runs/demo")
    assert location("C:\\runs") == Path("C:\\runs")
    assert location(tmp_path) is tmp_path
    assert location(f"file://{tmp_path}/run") == tmp_path / "run"
    far = location("memory://a/b")
    assert not isinstance(far, Path)
    assert (str(far / "run.json"), (far / "run.json").name) == ("memory://a/b/run.json", "run.json")
    assert location(far) is far


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("s4://bucket/run", "no protocol of fsspec named 's4'. Did you mean 's3'"),
        ("memory://", "names no folder; memory://BUCKET/FOLDER was expected"),
        ("zip::s3://bucket/run.zip", "a file system inside another one"),
    ],
)
def test_a_location_that_is_none_is_answered(text: str, answer: str) -> None:
    with pytest.raises(RunFolderError, match=answer):
        location(text)


@pytest.mark.parametrize(("protocol", "package", "extra"), [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs")])
def test_a_missing_package_is_answered_with_the_line_that_installs_it(
    protocol: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(fsspec_registry._registry, protocol, raising=False)
    with pytest.raises(MissingExtra, match=rf"needs the package {package}.*pip install 'gevaldi\[{extra}\]'"):
        location(f"{protocol}://bucket/run")


def test_files_are_written_listed_read_and_removed_everywhere(folder: Location) -> None:
    assert contents(folder) == []
    if isinstance(folder, Path):  # a bucket has no folders to make
        (folder / "samples").mkdir(parents=True)
    write(folder / "samples" / "b", memoryview(b"one"))
    write(folder / "samples" / "a", b"two")
    write(folder / "samples" / "a", b"three")
    assert [path.name for path in contents(folder)] == ["samples"]
    assert [(path.name, read(path)) for path in contents(folder / "samples")] == [("a", b"three"), ("b", b"one")]
    assert not create(folder / "samples" / "a", b"four")
    assert create(folder / "c", b"five")
    assert not create(folder / "c", b"six")
    assert read(folder / "c") == b"five"
    remove(folder / "samples" / "b")
    remove(folder / "samples" / "b")
    assert [is_there(folder / "samples" / name) for name in ("a", "b")] == [True, False]
    with pytest.raises(FileNotFoundError):
        read(folder / "samples" / "b")


LOST = [OSError(errno.EINVAL, "412"), OSError(errno.EBUSY, "409"), TimeoutError("no answer"), RuntimeError("of the library")]


@pytest.mark.parametrize("said", LOST, ids=str)
@pytest.mark.parametrize("other", [True, False])
def test_who_loses_to_another_in_creating_a_file_leaves_it_alone_whatever_the_location_says(
    monkeypatch: pytest.MonkeyPatch, said: Exception, other: bool
) -> None:
    path, pipe = location(f"memory://{uuid.uuid4()}/file"), MemoryFileSystem.pipe_file

    def late(self: Any, name: str, value: bytes, mode: str = "overwrite") -> None:
        if other:
            pipe(self, name, b"another's")
        raise said

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "pipe_file", late)
        if other:
            assert not create(path, b"mine")
        else:
            with pytest.raises(OSError, match=str(said.args[-1])):
                create(path, b"mine")
    assert (read(path) == b"another's") if other else not is_there(path)


@pytest.mark.parametrize(
    "said", [NotImplementedError(), TypeError("mode?"), ValueError("mode?"), OSError(errno.ENOSYS, "501")], ids=repr
)
def test_where_a_location_cannot_create_exclusively_a_file_is_written_if_there_is_none(
    monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    path, pipe = location(f"memory://{uuid.uuid4()}/file"), MemoryFileSystem.pipe_file

    def unknowing(self: Any, name: str, value: bytes, mode: str = "overwrite") -> None:
        if mode == "create":
            raise said
        pipe(self, name, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", unknowing)
    assert [create(path, b"mine"), create(path, b"another's")] == [True, False]
    assert read(path) == b"mine"


def test_a_file_whose_creation_was_confirmed_too_late_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    path, pipe = location(f"memory://{uuid.uuid4()}/file"), MemoryFileSystem.pipe_file

    def again(self: Any, name: str, value: bytes, mode: str = "overwrite") -> None:
        pipe(self, name, value)
        raise OSError(errno.EINVAL, "412")  # to the second request, as the answer to the first was lost

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "pipe_file", again)
        assert create(path, b"mine")


def test_what_another_machine_writes_is_seen_at_once(server: str, tmp_path: Path) -> None:
    import boto3

    folder = location(f"s3://bucket/{tmp_path.name}")
    write(folder / "a", b"1")
    assert [path.name for path in contents(folder)] == ["a"]
    client = boto3.client("s3")
    client.put_object(Bucket="bucket", Key=f"{tmp_path.name}/b", Body=b"2")
    client.delete_object(Bucket="bucket", Key=f"{tmp_path.name}/a")
    assert [path.name for path in contents(folder)] == ["b"]
    assert (is_there(folder / "a"), is_there(folder / "b")) == (False, True)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.Comparison:
    """A run on this machine, with a report."""
    place = tmp_path_factory.mktemp("local")
    (place / "zoo.json").write_text(ZOO)
    comparison = compared(place / "run", taxonomy=str(place / "zoo.json"))
    comparison.report()
    return comparison


@pytest.mark.slow
def test_a_run_far_away_has_the_rows_and_the_report_of_one_here(
    folder: Location, here: gevaldi.Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = tmp_path / "zoo.json"
    zoo.write_text(ZOO)
    appended, append = 0, Run.append

    def cut(self: Run, rows: Any) -> Location:
        nonlocal appended
        appended += 1
        if appended == 2:
            raise KeyboardInterrupt
        return append(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "append", cut)
        patch.setattr("gevaldi.runs.store.writer.PART", 4)
        with pytest.raises(KeyboardInterrupt):
            compared(folder, taxonomy=str(zoo))
    zoo.unlink()  # its copy lies in the folder
    assert 0 < len(Run.open(folder).done()) < 18
    done = compared(folder, taxonomy=str(zoo))
    pd.testing.assert_frame_equal(done.rows()[NUMBERS], here.rows()[NUMBERS])
    assert gevaldi.Comparison.open(str(folder)).summary() == here.summary()
    files = ["audit.parquet", "inputs.sha256", "run.json", "samples", "spec.yaml", "taxonomy.json"]
    assert sorted(path.name for path in contents(folder)) == files
    again = compared(folder, taxonomy=str(zoo))  # complete: only read
    assert len(again.rows()) == 18
    made_again = compared(f"{folder}-again", **read_spec_of(folder))
    assert made_again.run.spec == done.run.spec.model_copy(update={"taxonomy": f"{folder}/taxonomy.json"})
    pd.testing.assert_frame_equal(made_again.rows()[NUMBERS], here.rows()[NUMBERS])
    page = done.report()
    assert page == folder / "report.html"
    report = here.run.folder / "report.html"
    assert page.read_text(encoding="utf-8").count("<article") == report.read_text(encoding="utf-8").count("<article")


@pytest.mark.slow
def test_every_command_takes_a_run_in_a_bucket(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_cli import MODELS, PAIR

    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    url = f"s3://bucket/{tmp_path.name}/run"

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    words = [*PAIR, "-n", "6", "--steps", "10"]
    assert f"report: {url}/report.html" in said(*words, "--out", url)
    said(*words, "--out", "here")
    one, other = (Run.open(location(where)).rows()[NUMBERS] for where in (url, "here"))
    pd.testing.assert_frame_equal(one, other)
    assert "was already complete" in said("resume", url, "--device", "cpu") + said("resume", url, "--device", "cpu")
    assert f"report: {url}/other.html" in said("report", url, "--out", f"{url}/other.html")
    assert f"figure: {url}/figures/divergence.png" in said("figure", url, "divergence")
    assert read(location(f"{url}/figures/divergence.png"))[:4] == b"\x89PNG"
    assert "exports/run/imagefolder" in said("export", url, "--to", "imagefolder", "--label", "first")
    assert len(list((tmp_path / "exports" / "run" / "imagefolder").rglob("*.png"))) == 12
    assert {path.name for path in contents(location(url))} == {
        "inputs.sha256", "audit.parquet", "run.json", "spec.yaml", "samples", "report.html", "other.html", "figures",
    }  # fmt: skip


def test_an_export_far_away_is_refused_with_what_to_do(tmp_path: Path) -> None:
    run = empty_run(tmp_path / "run")
    with pytest.raises(RunFolderError, match=r"is remote, but an export is written to this machine. Name a local folder"):
        export(run, "imagefolder", location("memory://exports/a"))


@pytest.mark.parametrize("what", ["open", "begin"])
def test_a_bucket_that_is_not_there_is_said_and_not_made(server: str, what: str) -> None:
    folder = location("s3://nowhere/run")
    if what == "open":
        with pytest.raises(RunFolderError, match="There is no run in s3://nowhere/run"):
            Run.open(folder)
        return
    with pytest.raises(RunFolderError, match=r"nowhere.*Check that s3://nowhere exists.*AWS_ENDPOINT_URL"):
        compared(folder)
    import boto3

    assert [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]] == ["bucket"]


@pytest.mark.slow
def test_a_location_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    try:
        with pytest.raises(RunFolderError, match=rf"Could not connect.*127.0.0.1:{port}.*AWS_ENDPOINT_URL"):
            compared("s3://bucket/run")
    finally:
        fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.mark.parametrize("begun", [True, False])
def test_a_location_that_fails_when_the_run_is_opened_is_answered(monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    from gevaldi.runs import session

    folder, described = location(f"memory://{uuid.uuid4()}/run"), session.describe
    if begun:
        compared(folder, samples=2)

    def failing(*words: Any, **options: Any) -> Any:
        raise RuntimeError("of the library")

    def then_failing(*words: Any) -> Any:
        monkeypatch.setattr(MemoryFileSystem, "exists", failing)
        monkeypatch.setattr(MemoryFileSystem, "info", failing)
        return described(*words)

    monkeypatch.setattr(session, "describe", then_failing)
    with pytest.raises(RunFolderError, match=rf"{folder}.* cannot be read: RuntimeError: of the library. Check that memory://"):
        compared(folder, samples=2)


def test_missing_rights_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*words: Any, **options: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", denied)
    with pytest.raises(RunFolderError, match=r"memory://denied/run.* cannot be written: Access Denied. Check that memory://denied"):
        compared("memory://denied/run")


def test_a_part_damaged_by_a_copy_is_named_wherever_it_lies(folder: Location) -> None:
    run = empty_run(folder)
    run.append([row(0), row(1)])
    part = run.append([row(2), row(3)])
    whole = read(part)
    write(part, whole[:-100])
    for fails in (run.done, run.rows, lambda: list(run.each(["index"]))):
        with pytest.raises(RunFolderError, match=rf"{part.name} cannot be read.*the disk or a copy damaged it"):
            fails()
    remove(part)
    assert run.done() == {0, 1}


def test_a_location_that_fails_while_rows_are_read_is_not_taken_for_a_damaged_part(monkeypatch: pytest.MonkeyPatch) -> None:
    run = empty_run(location("memory://failing/run"))
    run.append([row(0)])

    def dead(*words: Any, **options: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(MemoryFileSystem, "_open", dead)
    monkeypatch.setattr(MemoryFileSystem, "cat_file", dead)
    with pytest.raises(RunFolderError, match=r"cannot be read: gone. Check that memory://failing") as told:
        run.rows()
    assert "damaged" not in str(told.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.ESTALE, errno.EIO])
def test_a_part_that_cannot_be_read_at_this_moment_is_not_said_to_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run = empty_run(tmp_path / "run")
    run.append([row(0)])

    def failing(*words: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.ParquetFile", failing)
        with pytest.raises(RunFolderError, match=rf"part-.* cannot be read: {os.strerror(number)}. The part itself may be") as told:
            run.rows()
    assert "delete" not in str(told.value)
    assert run.done() == {0}


def test_a_part_is_read_once_to_know_what_is_finished(folder: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(part: Location, *words: Any, **options: Any) -> Any:
        asked.append(part.name)
        return look(part, *words, **options)

    look = store.read_part
    monkeypatch.setattr(store, "read_part", counted)
    run = empty_run(folder)
    parts = [run.append([row(0), row(1)]), run.append([row(4)])]
    assert run.done() == {0, 1, 4}
    run.done().add(7)  # what was handed out is the caller's
    assert Run.open(folder).done() == {0, 1, 4}
    assert asked == [part.name for part in parts]
    asked.clear()
    new = run.append([row(2), row(4)])
    assert Run.open(folder).done() == {0, 1, 2, 4}
    assert asked == [new.name]
    remove(parts[0])
    assert run.done() == {2, 4}
    foreign = folder / "samples" / "part-copied.parquet"  # whose name does not say what it holds
    write(foreign, read(new))
    assert run.done() == {2, 4}
    write(foreign, read(parts[1]))
    remove(new)
    assert run.done() == {4}


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 9), min_size=1)), max_size=8))
@settings(max_examples=30, deadline=None)
def test_what_is_finished_is_what_the_parts_hold_as_they_come_and_go(moves: list[tuple[bool, set[int]]]) -> None:
    run = empty_run(location(f"memory://{uuid.uuid4()}"), 10)
    there: dict[str, set[int]] = {}
    for adds, samples in moves:
        if adds or not there:
            there[run.append([row(index) for index in samples]).name] = samples
        else:
            name = max(there)
            remove(run.folder / "samples" / name)
            del there[name]
        assert run.done() == set().union(*there.values())


def test_few_bytes_of_a_far_part_are_fetched_for_one_column(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from s3fs import S3FileSystem

    run = empty_run(location(f"s3://bucket/{tmp_path.name}/run"), 40)
    noise = np.random.default_rng(0)
    for first in (0, 20):
        pictures = [{"bytes": noise.bytes(50_000), "path": None} for _ in range(20)]
        run.append([row(first + i, picture_end=picture) for i, picture in enumerate(pictures)])
    fetched, fetch = [], S3FileSystem._cat_file

    async def counted(self: Any, path: str, *words: Any, **options: Any) -> bytes:
        found: bytes = await fetch(self, path, *words, **options)
        fetched.append(len(found))
        return found

    monkeypatch.setattr(S3FileSystem, "_cat_file", counted)
    assert len(run.done()) == 40
    assert sum(fetched) < 200_000  # of two million
    assert len(run.some([3, 25], ["picture_end"])[1]["picture_end"]["bytes"]) == 50_000


def test_a_report_fetches_each_far_part_once_and_is_the_same_where_copies_find_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.store.writer.PART", 4)
    run = compared(location("memory://near/run"), samples=6, steps=3).run
    parts = [part.name for part in run.parts()]
    assert len(parts) > 1
    fetched, folders, temporary = list[str](), list[Path](), tempfile.TemporaryDirectory

    def counted(method: Any) -> Any:
        def call(self: Any, path: str, *words: Any, **options: Any) -> Any:
            fetched.append(path.rpartition("/")[2])
            return method(self, path, *words, **options)

        return call

    def noted(**options: Any) -> Any:
        folder = temporary(**options)
        folders.append(Path(folder.name))
        return folder

    for name in ("_open", "cat_file"):
        monkeypatch.setattr(MemoryFileSystem, name, counted(getattr(MemoryFileSystem, name)))
    monkeypatch.setattr(tempfile, "TemporaryDirectory", noted)
    expected = read(write_report(run))
    assert [name for name in fetched if name in parts] == parts
    assert [folder.exists() for folder in folders] == [False]

    def nowhere(**options: Any) -> Any:
        raise FileNotFoundError("No usable temporary directory found")

    for name, value in ((store, ("MOST_COPIED", 0)), (tempfile, ("TemporaryDirectory", nowhere))):
        monkeypatch.setattr(name, *value)
        fetched.clear()
        assert read(write_report(run)) == expected
        assert fetched.count(parts[0]) > 10


def test_far_parts_are_read_several_at_a_time_and_told_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    run = empty_run(location("memory://many/run"), 60)
    for index in range(60):
        run.append([row(index)])
    waiting, most, lock, opened = 0, 0, threading.Lock(), MemoryFileSystem._open

    def slow(self: Any, *words: Any, **options: Any) -> Any:
        nonlocal waiting, most
        with lock:
            waiting += 1
            most = max(most, waiting)
        time.sleep(0.01)
        with lock:
            waiting -= 1
        return opened(self, *words, **options)

    monkeypatch.setattr(MemoryFileSystem, "_open", slow)
    assert [found["index"] for found in run.each(["index"])] == list(range(60))
    assert 2 <= most <= AT_ONCE


def test_what_is_fetched_ahead_is_in_order_bounded_and_left_when_nobody_asks() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.001 * (item % 3))
        return item * item

    assert list(ahead(work, range(50), 4)) == [item * item for item in range(50)]
    begun.clear()
    some = ahead(work, iter(range(1000)), 4)
    assert [next(some), next(some)] == [0, 1]
    some.close()
    assert len(begun) <= 7
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda item: 1 / item, [1, 2, 0, 3]))


@given(parts=st.lists(st.lists(st.integers(0, 11), min_size=1, unique=True), max_size=6))
@settings(max_examples=15, deadline=None)
def test_every_sample_is_shown_once_and_from_the_first_part_by_name(parts: list[list[int]]) -> None:
    run = empty_run(location(f"memory://{uuid.uuid4()}"), 12)
    numbers: dict[str, int] = {}
    for number, part in enumerate(parts):
        name = run.append([row(index, steps=number) for index in part]).name
        numbers.setdefault(name, number)  # the same samples again are not written again
    first: dict[int, int] = {}
    for name in sorted(numbers):
        for index in sorted(parts[numbers[name]]):
            first.setdefault(index, numbers[name])
    assert run.done() == set(first)
    assert {found["index"]: found["steps"] for found in run.each(["index", "steps"])} == first
    assert [found["index"] for found in run.each(["index"])] == list(first)
    assert len(list(run.each(["steps"]))) == len(first)
    rows = run.rows(["index", "steps"])
    assert list(zip(rows["index"], rows["steps"], strict=True)) == sorted(first.items())
    assert {found["index"]: found["steps"] for found in run.largest(99, ["steps"])} == first
    assert [found["steps"] for found in run.some([7, 50, 3], ["steps"])] == [first[i] for i in (7, 3) if i in first]
    assert run.complete == (len(first) == 12)


@given(one=st.sets(st.integers(0, 30), min_size=1), other=st.sets(st.integers(0, 30), min_size=1))
@settings(max_examples=40, deadline=None)
def test_parts_of_other_samples_have_other_names_and_of_the_same_ones_the_same(one: set[int], other: set[int]) -> None:
    run = empty_run(location(f"memory://{uuid.uuid4()}"), 31)
    names = [run.append([row(index) for index in sorted(part, reverse=True)]).name for part in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    assert names[0].startswith(f"part-{min(one):09d}-{max(one):09d}-")
    assert run.done() == one | other


@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)), st.lists(st.integers(0, 20)))
def test_flags_behave_as_a_set_does(one: set[int], other: set[int], more: list[int]) -> None:
    flags = Indices(12, one)  # more come than were expected
    assert flags == one
    assert (list(flags), len(flags)) == (sorted(one), len(one))
    assert (flags & other, flags | other, flags - other) == (one & other, one | other, one - other)
    fresh = flags.fresh(np.array(more, dtype=np.int64))
    assert [index for index, new in zip(more, fresh, strict=True) if new] == [i for i in dict.fromkeys(more) if i not in one]
    assert flags == one | set(more)
    flags |= other
    flags.discard(7)
    assert flags == (one | other | set(more)) - {7}
    assert (7 in flags, -1 in flags, 999 in flags, "a" in flags) == (False,) * 4


def test_rows_are_appended_from_many_threads_at_once(folder: Location) -> None:
    run = empty_run(folder, 40)
    chunks = [list(range(start, 40, 8)) for start in range(8)] * 2  # every chunk by two of them
    threads = [threading.Thread(target=run.append, args=([row(index) for index in chunk],)) for chunk in chunks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run.complete
    assert len(contents(folder / "samples")) == 8


@pytest.fixture
def tiny() -> Iterator[Path]:
    """A disk of two megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip("needs the right to mount a disk")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def filled(path: Path) -> None:
    """Take what space there is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


@pytest.mark.slow
def test_a_disk_that_is_full_in_mid_run_loses_nothing_and_the_run_goes_on_when_there_is_space(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compared(tmp_path / "whole").rows()
    append, parts = Run.append, 0

    def filling(self: Run, rows: Any) -> Location:
        nonlocal parts
        parts += 1
        if parts == 3:
            filled(tiny / "ballast")
        return append(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "append", filling)
        patch.setattr("gevaldi.runs.store.writer.PART", 4)
        with pytest.raises(RunFolderError, match=r"No space left on device. Finished rows are safe. Free some space"):
            compared(tiny / "run")
    done = set(Run.open(tiny / "run").done())
    assert 0 < len(done) < 18
    assert not unfinished(tiny / "run")
    with pytest.raises(RunFolderError, match="No space left on device"):
        compared(tiny / "run")
    assert Run.open(tiny / "run").done() == done
    assert not unfinished(tiny / "run")
    (tiny / "ballast").unlink()
    pd.testing.assert_frame_equal(compared(tiny / "run").rows()[NUMBERS], whole[NUMBERS])


@pytest.mark.slow
def test_a_complete_run_on_a_disk_that_can_only_be_read_is_reported_on(tiny: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from test_cli import MODELS, PAIR

    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    words = [*PAIR, "-n", "3", "--steps", "5"]
    assert CliRunner().invoke(app, [*words, "--out", str(tiny / "run"), "--no-report"]).exit_code == 0
    assert CliRunner().invoke(app, [*words, "--seed", "1", "--out", str(tiny / "half"), "--no-report"]).exit_code == 0
    next((tiny / "half" / "samples").glob("part-*")).unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    resumed = CliRunner().invoke(app, ["resume", str(tiny / "run"), "--device", "cpu"])
    assert resumed.exit_code == 0, (resumed.output, resumed.exception)
    assert (
        f"Read-only file system. Check that you may write there. To write it elsewhere: gevaldi report {tiny}/run --out"
        in resumed.output
    )
    with pytest.raises(
        RunFolderError, match=r"report.html cannot be written: Read-only.*elsewhere: gevaldi report .*run --out FILE"
    ):
        CliRunner().invoke(app, ["report", str(tiny / "run")], catch_exceptions=False)
    assert CliRunner().invoke(app, ["report", str(tiny / "run"), "--out", "page.html"]).exit_code == 0
    with pytest.raises(RunFolderError, match=r"The run folder .*half cannot be written: Read-only file system"):
        compared(tiny / "half")
    with pytest.raises(RunFolderError, match=r"The run folder .*new cannot be written: Read-only file system"):
        compared(tiny / "new")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_whatever_a_disk_says_is_answered_and_nothing_unfinished_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    run = empty_run(tmp_path / "run")
    before = read(run.append([row(0)]))

    def failing(*words: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("gevaldi.files.open" if call == "open" else f"os.{call}", failing, raising=False)
        with pytest.raises(RunFolderError, match=rf"{os.strerror(number)}. Finished rows are safe.*gevaldi resume"):
            run.append([row(1)])
    assert not unfinished(run.folder)
    assert run.done() == {0}
    assert read(run.append([row(0)])) == before
    run.append([row(1)])
    assert run.done() == {0, 1}


def test_a_disk_that_fails_in_the_sync_of_the_folder_has_the_part_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = empty_run(tmp_path / "run")
    synced, sync = 0, os.fsync

    def failing(handle: int) -> None:
        nonlocal synced
        synced += 1
        if synced == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(RunFolderError, match="Input/output error"):
        run.append([row(0)])
    assert not unfinished(run.folder)
    assert run.done() == {0}


def test_a_report_that_goes_to_a_pipe_or_a_device_is_written_there(tmp_path: Path) -> None:
    compared(tmp_path / "run", samples=2)
    gevaldi.Comparison.open(tmp_path / "run").report("/dev/null")
    assert not Path("/dev/null").is_file()
    assert list(Path("/dev").glob(".null.*")) == []


def test_the_errors_of_storage_are_answers_of_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.argv", ["gevaldi", "report", "s4://bucket/run"])
    with pytest.raises(SystemExit) as ended:
        run_cli()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("gevaldi: s4://bucket/run cannot be opened. There is no protocol of fsspec")
    assert issubclass(RunFolderError, GevaldiError)


def test_of_many_that_begin_a_run_in_one_bucket_at_once_one_does(server: str, tmp_path: Path) -> None:
    folder, begin, begun = location(f"s3://bucket/{tmp_path.name}/run"), threading.Barrier(6), list[bool]()

    def come(sample: int) -> None:
        begin.wait()
        try:
            empty_run(folder, sample)
        except RunFolderError:
            begun.append(False)
        else:
            begun.append(True)

    threads = [threading.Thread(target=come, args=(sample,)) for sample in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(begun) == 1
    assert Run.open(folder).total in range(1, 7)
