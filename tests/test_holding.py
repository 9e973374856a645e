"""One process at a time writes to a run folder, and a second one is told who does."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.errors import ContractError, RunFolderError
from gevaldi.places import Place, contents, is_there, make_folder, place, read, write
from gevaldi.runs import _heartbeat, _kernel_lock
from gevaldi.runs import holding as holding_module
from gevaldi.runs.holding import HOLDER, check_held, held, machine
from gevaldi.runs.store import Run, write_in_run

QUICK: dict[str, Any] = {"samples": 5, "steps": 10, "batch_size": 4, "device": "cpu"}
HOLDS = """
import sys, time
from gevaldi.places import place
from gevaldi.runs.holding import held
with held(place(sys.argv[1]), "gevaldi compare new old"):
    print("held", flush=True)
    time.sleep(60)
"""


def compared(out: str | Place, **settings: Any) -> gevaldi.Comparison:
    return gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=out, **(QUICK | settings))


@pytest.fixture
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_heartbeat, "BEAT", 0.05)


@pytest.fixture
def far(request: pytest.FixtureRequest, quick_beats: None) -> Iterator[Place]:
    folder = place(f"memory://{request.node.name}/run")
    yield folder
    for path in contents(folder):
        if not contents(path):
            path.unlink()


@pytest.fixture(params=["here", "far", "without locks"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A run folder of each kind: by the kernel's lock, by a count far away, and by a count on a disk that has no locks."""
    if request.param == "far":
        found: Place = request.getfixturevalue("far")
        return found
    if request.param == "without locks":
        request.getfixturevalue("quick_beats")

        def lacking(handle: int) -> bool:
            raise OSError(37, "No locks available")

        monkeypatch.setattr(_kernel_lock, "_lock", lacking)
    return tmp_path / "deep" / "run"


def test_a_second_driver_is_told_who_holds_the_folder_and_what_to_do(folder: Place) -> None:
    with held(folder, "gevaldi compare new old"):
        with pytest.raises(RunFolderError) as refused, held(folder, "another"):
            pytest.fail("two hold it")
        assert is_there(folder / HOLDER)
    said = str(refused.value)
    for word in (
        f"process {os.getpid()} on {os.uname().nodename}, since 20",
        "gevaldi compare new old",
        "another folder with --out",
    ):
        assert word in said
    assert f"gevaldi report {folder}" in said
    with held(folder, "now"):
        pass


def test_a_folder_that_was_held_is_as_it_was_found(folder: Place) -> None:
    with held(folder, "nothing comes of it"):
        pass
    assert not contents(folder)
    if isinstance(folder, Path):
        assert not folder.parent.exists()
    with pytest.raises(ZeroDivisionError), held(folder, "an error comes of it"):
        _ = 1 / 0
    assert not contents(folder)


def test_a_second_comparison_into_the_same_folder_is_refused_and_has_written_nothing(tmp_path: Path) -> None:
    with held(tmp_path / "run", "the first one"):
        with pytest.raises(RunFolderError, match="held by process"):
            compared(tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [HOLDER]
    assert len(compared(tmp_path / "run").rows()) == 10
    files = ["audit.parquet", "inputs.sha256", "run.json", "samples", "spec.yaml"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == files


def test_a_start_that_fails_removes_no_more_than_it_made(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for out in ("there", "new/run"):
        with pytest.raises(ContractError):
            gevaldi.compare(small_classifier(0), small_classifier(1, classes=4), small_generator(), out=tmp_path / out, **QUICK)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_finished_run_and_readers_need_not_hold_the_folder(tmp_path: Path) -> None:
    compared(tmp_path)
    with held(tmp_path, "somebody"):
        again = compared(tmp_path)
        assert again.report().exists()
        assert len(again.rows()) == 10


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_the_kernel_lets_go_what_a_killed_process_held_at_once(tmp_path: Path, sent: signal.Signals) -> None:
    with holding(HOLDS, tmp_path / "run") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(RunFolderError, match=rf"process {process.pid} on .*gevaldi compare new old"),
            held(tmp_path / "run", ""),
        ):
            pytest.fail("two hold it")
        process.send_signal(sent)
        process.wait()
    assert (tmp_path / "run" / HOLDER).exists()
    with held(tmp_path / "run", "the next"):
        assert json.loads((tmp_path / "run" / HOLDER).read_bytes())["command"] == "the next"


@pytest.mark.slow
def test_a_forked_child_does_not_hold_the_folder_of_its_dead_parent(tmp_path: Path) -> None:
    forks = HOLDS.replace('print("held", flush=True)', "import os\n    if not os.fork(): print(os.getpid(), flush=True)")
    with holding(forks, tmp_path) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            os.kill(child, 0)
            with held(tmp_path, "the next"):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def holding(script: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", ["empty folder", "dead holder"])
def test_of_many_that_come_at_once_one_holds_the_folder(folder: Place, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_heartbeat, "BEAT", 1.0)  # in which each of them must get to write
    if left == "dead holder":
        dead_holder(folder)
        gone = _heartbeat._is_gone

        def slowly(*words: Any) -> bool:
            found = gone(*words)
            time.sleep(0.05)  # so that all have seen that it is dead
            return found

        monkeypatch.setattr(_heartbeat, "_is_gone", slowly)
    assert_one_at_a_time(folder)


@pytest.mark.slow
def test_of_many_that_come_at_once_one_holds_the_folder_where_none_can_be_created_exclusively(
    far: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_heartbeat, "BEAT", 1.0)
    pipe = MemoryFileSystem.pipe_file

    def unknowing(self: Any, path: str, value: bytes, mode: str = "overwrite") -> None:
        if mode == "create":
            time.sleep(0.05)  # so that all have seen that nothing is there
            raise ValueError("what is create?")
        pipe(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", unknowing)
    monkeypatch.setattr(_heartbeat, "is_there", lambda path: False)  # as all of them may have found
    assert_one_at_a_time(far)


def dead_holder(folder: Place) -> None:
    """Leave in a folder what a process of this machine that was killed leaves."""
    if not machine():
        pytest.skip("what tells machines apart is read on Linux")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    if isinstance(folder, Path):
        make_folder(folder)
    write(folder / HOLDER, holder(machine=machine(), process=child.pid))


def assert_one_at_a_time(folder: Place) -> None:
    inside, most, refused = 0, 0, 0
    guard, begin = threading.Lock(), threading.Barrier(6)

    def come() -> None:
        nonlocal inside, most, refused
        begin.wait()
        try:
            with held(folder, "one of many"):
                with guard:
                    inside += 1
                    most = max(most, inside)
                time.sleep(2 * _heartbeat.BEAT)  # so that who waits beside it sees it count
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


def holder(**words: Any) -> bytes:
    return json.dumps(
        {"host": "elsewhere", "process": 7, "since": "2026", "command": "gone", "machine": "x", "id": "a"} | words
    ).encode()


def test_a_holder_that_no_longer_counts_is_followed(far: Place) -> None:
    write(far / HOLDER, holder(count=3))
    with held(far, "the next"):
        assert json.loads(read(far / HOLDER))["command"] == "the next"
    assert not is_there(far / HOLDER)


def test_a_holder_that_counts_is_left_alone(far: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    write(far / HOLDER, holder(count=0))
    slept, counted = time.sleep, iter(range(1, 99))

    def passing(seconds: float) -> None:
        slept(seconds)
        write(far / HOLDER, holder(count=next(counted)))

    monkeypatch.setattr(time, "sleep", passing)
    with pytest.raises(RunFolderError, match="process 7 on elsewhere, since 2026: gone"), held(far, "the next"):
        pytest.fail("two hold it")
    assert json.loads(read(far / HOLDER))["process"] == 7


def test_a_dead_process_of_this_machine_is_followed_after_one_beat(far: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    dead_holder(far)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with held(far, "the next"):
        pass
    assert slept == [_heartbeat.BEAT]


@pytest.mark.parametrize("holders", [-1e9, 1e9])
@pytest.mark.parametrize("mine", [-1e9, 1e9])
def test_a_wall_clock_that_jumps_changes_nothing(
    folder: Place, monkeypatch: pytest.MonkeyPatch, holders: float, mine: float
) -> None:
    clock = time.time

    def set_clock(jump: float) -> None:
        class Jumped(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return datetime.fromtimestamp(clock() + jump, tz)

        monkeypatch.setattr(time, "time", lambda: clock() + jump)
        monkeypatch.setattr(holding_module, "datetime", Jumped)

    set_clock(holders)
    with held(folder, "the first"):
        assert abs(datetime.fromisoformat(json.loads(read(folder / HOLDER))["since"]).timestamp() - clock()) > 9e8
        if isinstance(folder, Path):
            os.utime(folder / HOLDER, (clock() + holders,) * 2)
        set_clock(mine)
        with pytest.raises(RunFolderError, match="the first"), held(folder, "the second"):
            pytest.fail("two hold it")


def test_a_holder_is_not_put_off_by_its_own_counting_where_files_are_not_written_whole(
    far: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(far, "the first"):
        monkeypatch.setattr(_heartbeat, "BEAT", 0.01)

        def in_two(path: Place, content: bytes) -> None:
            for some in (b"", content[:20], content):
                write(path, some)
                time.sleep(0.005)

        monkeypatch.setattr(_heartbeat, "write", in_two)
        time.sleep(0.1)
        for _ in range(60):
            check_held(far)
            time.sleep(0.002)
        monkeypatch.undo()


@pytest.mark.parametrize("said", [b"", b'{"id": '])
def test_a_holder_whose_words_were_cut_short_writes_them_again(far: Place, said: bytes) -> None:
    with held(far, "the first"):
        write(far / HOLDER, said)
        check_held(far)
        limit = time.monotonic() + 10
        while read(far / HOLDER) == said and time.monotonic() < limit:
            time.sleep(0.02)
        assert json.loads(read(far / HOLDER))["command"] == "the first"


@pytest.mark.parametrize("below", ["", "deep/run"])
def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(RunFolderError, match=r"taken is a file; a run needs a folder. Give another with --out"):
        compared(tmp_path / "taken" / below)
    assert (tmp_path / "taken").read_text() == "mine"


def test_what_others_write_beside_a_run_is_left_when_it_is_taken_up_again(tmp_path: Path) -> None:
    run = compared(tmp_path).run
    others = [".report.html.0a1b2c3d.partial", ".other.html.0a1b2c3d.partial"]
    dead = [
        *(f".{name}.0a1b2c3d.partial" for name in ("run.json", "spec.yaml", "taxonomy.json", HOLDER)),
        f".{'0a1b2c3d' * 4}.partial",  # what shows workers the folder
        "samples/.part-000000000-000000009-0a1b2c3d4e5f6071.parquet.0a1b2c3d.partial",
    ]
    for name in (*others, *dead):
        (tmp_path / name).write_bytes(b"unfinished")
    compared(tmp_path)  # complete: nobody holds it
    assert all((tmp_path / name).exists() for name in (*others, *dead))
    for part in contents(run.folder / "samples"):
        part.unlink()
    assert len(compared(tmp_path).rows()) == 10
    assert sorted(path.name for path in tmp_path.rglob("*.partial")) == sorted(others)


def test_who_finds_another_in_its_place_writes_nothing_more_and_says_so(far: Place) -> None:
    with held(far, "the first"):
        write_in_run(far / "samples" / "a", b"1")
        write(far / HOLDER, holder(command="took over"))
        for name in ("samples/b", "run.json"):
            with pytest.raises(RunFolderError, match=r"taken over by process 7 on elsewhere.*took over"):
                write_in_run(far / name, b"2")
        time.sleep(0.2)  # some beats
    assert json.loads(read(far / HOLDER))["command"] == "took over"
    assert [path.name for path in contents(far / "samples")] == ["a"]
    assert not is_there(far / "run.json")


def test_a_comparison_whose_folder_is_taken_over_ends_with_an_error_and_its_follower_goes_on(
    far: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, parts = Run.append, 0

    def once(self: Run, rows: Any) -> Any:
        nonlocal parts
        parts += 1
        if parts == 2:
            write(far / HOLDER, holder(command="took over"))
        return append(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "append", once)
        patch.setattr("gevaldi.runs.writer.PART", 3)
        with pytest.raises(RunFolderError, match="took over"):
            compared(far)
    assert 0 < len(Run.open(far).done()) < 10
    assert len(compared(far).rows()) == 10


def test_the_count_goes_on_when_its_location_does_not_answer_for_a_while(far: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(far, "the first"):
        with monkeypatch.context() as patch:

            def dead(path: Place) -> bytes:
                raise OSError("no answer")

            patch.setattr(_heartbeat, "read", dead)
            time.sleep(0.2)
            with pytest.raises(RunFolderError, match="no answer"):
                write_in_run(far / "run.json", b"")
        before = json.loads(read(far / HOLDER))["count"]
        limit = time.monotonic() + 10
        while json.loads(read(far / HOLDER))["count"] == before and time.monotonic() < limit:
            time.sleep(0.02)
        assert json.loads(read(far / HOLDER))["count"] > before
        write_in_run(far / "run.json", b"")
