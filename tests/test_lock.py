"""One process of a machine writes to a run folder at a time, and a second one is told which."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.errors import ContractError, RunFolderError
from gevaldi.runs.store import lock as lock_module
from gevaldi.runs.store import run as store
from gevaldi.runs.store.lock import LOCK, locked
from gevaldi.runs.store.run import PICTURES, Run
from gevaldi.storage import Location, contents, create, location, read, write

QUICK: dict[str, Any] = {"samples": 5, "steps": 10, "batch_size": 4, "device": "cpu"}
FILES = ["audit.parquet", "inputs.sha256", "run.json", "samples", "spec.yaml"]
LOCKS = """
import sys, time
from pathlib import Path
from gevaldi.runs.store.lock import locked
with locked(Path(sys.argv[1]), "gevaldi compare new old"):
    print("locked", flush=True)
    time.sleep(60)
"""


def compared(out: str | Location, **settings: Any) -> gevaldi.Comparison:
    return gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=out, **(QUICK | settings))


def locking(script: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "run"


def test_a_second_driver_is_told_who_has_locked_the_folder_and_what_to_do(folder: Path) -> None:
    with locked(folder, "gevaldi compare new old"):
        with pytest.raises(RunFolderError) as refused, locked(folder, "another"):
            pytest.fail("two have locked it")
        assert (folder / LOCK).exists()
    for words in (
        f"{folder} is locked by process {os.getpid()} on {os.uname().nodename}, since 20",
        "gevaldi compare new old",
        "another folder with --out",
        f"gevaldi report {folder}",
    ):
        assert words in str(refused.value)
    with locked(folder, "now"):
        pass


@pytest.mark.parametrize("content", [b"", b'{"process": ', b"[" * 4000, b"{" * 9000, b"[1]", b"\xff"])
def test_a_second_driver_is_refused_whatever_the_lock_file_says(folder: Path, content: bytes) -> None:
    with locked(folder, "the first"):
        (folder / LOCK).write_bytes(content)
        with pytest.raises(RunFolderError, match="is locked by another process"), locked(folder, "the second"):
            pytest.fail("two have locked it")


def test_a_folder_in_which_no_run_was_begun_is_left_as_it_was(folder: Path) -> None:
    with locked(folder, "nothing comes of it"):
        pass
    assert not folder.parent.exists()
    with pytest.raises(ZeroDivisionError), locked(folder, "an error comes of it"):
        _ = 1 / 0
    assert not folder.parent.exists()


def test_a_second_comparison_into_the_same_folder_is_refused_and_has_written_nothing(tmp_path: Path) -> None:
    with locked(tmp_path / "run", "the first one"):
        with pytest.raises(RunFolderError, match="locked by process"):
            compared(tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    assert len(compared(tmp_path / "run").rows()) == 10
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES


def test_a_start_that_fails_removes_no_more_than_it_made(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for out in ("there", "new/run"):
        with pytest.raises(ContractError):
            gevaldi.compare(small_classifier(0), small_classifier(1, classes=4), small_generator(), out=tmp_path / out, **QUICK)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_finished_run_and_readers_need_no_lock(tmp_path: Path) -> None:
    compared(tmp_path)
    with locked(tmp_path, "somebody"):
        again = compared(tmp_path)
        assert again.report().exists()
        assert len(again.rows()) == 10


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_released_at_once(tmp_path: Path, sent: signal.Signals) -> None:
    with locking(LOCKS, tmp_path / "run") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with (
            pytest.raises(RunFolderError, match=rf"process {process.pid} on .*gevaldi compare new old"),
            locked(tmp_path / "run", ""),
        ):
            pytest.fail("two have locked it")
        process.send_signal(sent)
        process.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with locked(tmp_path / "run", "the next"):
        assert json.loads((tmp_path / "run" / LOCK).read_bytes())["command"] == "the next"


@pytest.mark.slow
def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path) -> None:
    forks = LOCKS.replace('print("locked", flush=True)', "import os\n    if not os.fork(): print(os.getpid(), flush=True)")
    with locking(forks, tmp_path) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            os.kill(child, 0)
            with locked(tmp_path, "the next"):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_a_forked_child_that_ends_leaves_its_parent_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path, "the parent"):
        if not (child := os.fork()):
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(RunFolderError, match="the parent"), locked(tmp_path, "the second"):
            pytest.fail("two have locked it")


@pytest.mark.parametrize("left", ["empty folder", "lock file of a dead process"])
def test_of_many_that_come_at_once_one_locks_the_folder(folder: Path, left: str) -> None:
    if left != "empty folder":
        folder.mkdir(parents=True)
        (folder / LOCK).write_text('{"process": 7}')
    inside, most, refused = 0, 0, 0
    guard, begin = threading.Lock(), threading.Barrier(6)

    def come() -> None:
        nonlocal inside, most, refused
        begin.wait()
        try:
            with locked(folder, "one of many"):
                with guard:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.1)
                with guard:
                    inside -= 1
        except RunFolderError:
            with guard:
                refused += 1

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert refused >= 1


@pytest.mark.parametrize("owners", [-1e9, 1e9])
@pytest.mark.parametrize("mine", [-1e9, 1e9])
def test_a_wall_clock_that_jumps_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, owners: float, mine: float) -> None:
    clock = time.time

    def set_clock(jump: float) -> None:
        class Jumped(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return datetime.fromtimestamp(clock() + jump, tz)

        monkeypatch.setattr(time, "time", lambda: clock() + jump)
        monkeypatch.setattr(lock_module, "datetime", Jumped)

    set_clock(owners)
    with locked(folder, "the first"):
        assert abs(datetime.fromisoformat(json.loads(read(folder / LOCK))["since"]).timestamp() - clock()) > 9e8
        os.utime(folder / LOCK, (clock() + owners,) * 2)
        set_clock(mine)
        with pytest.raises(RunFolderError, match="the first"), locked(folder, "the second"):
            pytest.fail("two have locked it")


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_run_on_a_disk_without_locks_is_made_without_one(folder: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def lacking(handle: int) -> bool:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(sys.modules[filelock.UnixFileLock.__module__], "lock_fd_nonblocking", lacking)
    assert len(compared(folder).rows()) == 10
    assert sorted(path.name for path in folder.iterdir()) == FILES


@pytest.mark.parametrize("below", ["", "deep/run"])
def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(RunFolderError, match=r"taken is a file; a run needs a folder. Give another with --out"):
        compared(tmp_path / "taken" / below)
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_lock_file_is_refused_or_replaced_without_waiting(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine").write_text("mine")
    lock = tmp_path / "run" / LOCK
    lock.parent.mkdir()
    {"folder": lock.mkdir, "pipe": lambda: os.mkfifo(lock), "link": lambda: lock.symlink_to(tmp_path / "mine")}[kind]()
    if kind == "pipe":
        with locked(tmp_path / "run", "the first"), pytest.raises(RunFolderError, match="another process"):
            locked(tmp_path / "run", "the second").__enter__()
    else:
        with pytest.raises(RunFolderError, match="cannot be written"), locked(tmp_path / "run", "the first"):
            pytest.fail("it is no lock")
    assert (tmp_path / "mine").read_text() == "mine"


def test_what_others_write_beside_a_run_is_left_when_it_is_taken_up_again(tmp_path: Path) -> None:
    run = compared(tmp_path).run
    others = [".report.html.0a1b2c3d.partial", ".other.html.0a1b2c3d.partial"]
    dead = [
        *(f".{name}.0a1b2c3d.partial" for name in ("run.json", "spec.yaml", "taxonomy.json")),
        "samples/.part-000000000-000000009-0a1b2c3d4e5f6071.parquet.0a1b2c3d.partial",
    ]
    for name in (*others, *dead):
        (tmp_path / name).write_bytes(b"unfinished")
    compared(tmp_path)  # complete: nobody locks it
    assert all((tmp_path / name).exists() for name in (*others, *dead))
    for part in contents(run.folder / "samples"):
        part.unlink()
    assert len(compared(tmp_path).rows()) == 10
    assert sorted(path.name for path in tmp_path.rglob("*.partial")) == sorted(others)


def test_of_two_that_begin_a_far_run_at_once_the_second_is_refused_and_the_first_one_is_whole(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = location(f"memory://{request.node.name}/run")
    pipe, refused = MemoryFileSystem.pipe_file, []

    def faster(self: Any, path: str, value: bytes, mode: str = "overwrite") -> None:
        if mode == "create" and not refused:  # this one has looked, and found no run
            monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe)
            refused.append(len(compared(far, samples=3).rows()))
        pipe(self, path, value, mode)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", faster)
    with pytest.raises(RunFolderError, match="Another process just started a run in"):
        compared(far)
    assert Run.open(far).spec.samples == 3
    assert len(Run.open(far).rows()) == refused[0] == 6


def test_the_files_beside_the_record_of_a_far_run_are_those_of_the_process_that_created_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = location(f"memory://{request.node.name}/run")

    def after_another_wrote(path: Location, content: bytes) -> bool:
        write(path.with_name(PICTURES), b"of one that comes too late")
        return create(path, content)

    monkeypatch.setattr(store, "create", after_another_wrote)
    run = compared(far).run
    assert hashlib.sha256(read(far / PICTURES)).hexdigest() == run.record["pictures"]["sha256"]


def test_two_that_go_on_with_a_far_run_at_once_compute_the_same_rows(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    far, append, rows = location(f"memory://{request.node.name}/run"), Run.append, []

    def second_comes(self: Run, some: Any) -> Any:
        monkeypatch.setattr(Run, "append", append)
        rows.append(compared(far).rows())
        return append(self, some)

    with monkeypatch.context() as patch:
        patch.setattr("gevaldi.runs.store.writer.PART", 3)
        monkeypatch.setattr(Run, "append", second_comes)
        both = compared(far).rows()
    assert both["index"].tolist() == rows[0]["index"].tolist() == list(range(10))
    assert both["divergence_end"].equals(rows[0]["divergence_end"])
