"""One process at a time writes to a run folder, and a second one is told who does."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.errors import ContractError, RunFolderError
from gevaldi.places import Place, contents, is_there, place, read, write
from gevaldi.runs import _heartbeat, _kernel_lock
from gevaldi.runs.holding import HOLDER, held, machine
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
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["run.json", "samples", "spec.yaml"]


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


def test_of_many_that_come_at_once_one_holds_the_folder(folder: Place) -> None:
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
                time.sleep(0.3)
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


def test_a_dead_process_of_this_machine_is_followed_without_waiting(far: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if not machine():
        pytest.skip("what tells machines apart is read on Linux")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    write(far / HOLDER, holder(machine=machine(), process=child.pid))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    with held(far, "the next"):
        pass


def test_a_wall_clock_that_jumps_changes_nothing(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.time
    with held(folder, "the first"):
        for jump in (-1e9, 1e9):
            monkeypatch.setattr(time, "time", lambda jump=jump: clock() + jump)
            with pytest.raises(RunFolderError, match="the first"), held(folder, "the second"):
                pytest.fail("two hold it")


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
