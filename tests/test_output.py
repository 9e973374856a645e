"""What a command prints never costs what it computes, signals end it in order, and texts that are no paths are answered."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

import gevaldi
from conftest import called, small_classifier, small_generator
from gevaldi.errors import GevaldiError
from gevaldi.runs.store.run import Run
from test_reports import NO_LINES

MODELS = """
import shutil, time, torch, gevaldi
from pathlib import Path
from torch import nn

def net(seed=0):
    torch.manual_seed(seed)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3)), labels=3).eval()

def make():
    torch.manual_seed(9)
    return gevaldi.generator(nn.Sequential(nn.Linear(6, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), latent=6).eval()

def stubborn():
    Path("loading").touch()
    try:
        time.sleep(600)
    finally:
        Path("ending").touch()
        time.sleep(600)

class Destroyer(nn.Module):
    def forward(self, pictures):
        if Path("run", "run.json").exists():
            shutil.rmtree("run")
        return pictures.flatten(1)[:, :3] * torch.ones(3)

def destroyer():
    return gevaldi.classifier(Destroyer(), labels=3)
"""
WORDS = ["compare", "python:models.py:net", "python:models.py:net,seed=1", "-g", "python:models.py:make", "--device", "cpu"]
SHORT = [*WORDS, "-n", "2", "--steps", "2", "--batch-size", "2", "--set", "audited=4", "--out", "run"]
LONG = [*WORDS, "-n", "400", "--steps", "500", "--set", "search.gain=0", "--batch-size", "2", "--out", "run"]
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # as of streams that cannot be closed
posix = pytest.mark.skipif(os.name != "posix", reason="needs streams and signals of POSIX")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(*NO_LINES)  # half the time of a report
    (tmp_path / "models.py").write_text(MODELS)
    return tmp_path


@contextmanager
def unread() -> Iterator[io.TextIOWrapper]:
    """A stream into a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as raw:
        yield stream(raw)


def stream(raw: io.RawIOBase, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding)


def to(folder: Path, out: io.TextIOWrapper | None, err: io.TextIOWrapper | None, *words: str) -> int:
    """The exit code of a command with these streams."""
    from gevaldi.cli.main import run

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["gevaldi", *words])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            run()
        except SystemExit as done:
            return done.code if isinstance(done.code, int) else 0
    return 0


def is_whole(folder: Path) -> bool:
    return Run.open(folder / "run").complete and (folder / "run" / "report.html").exists()


@pytest.mark.parametrize(
    "encoding",
    ["cp1252", "ascii", "utf-16-le", *(pytest.param(name, marks=pytest.mark.slow) for name in ("latin-1", "cp037", "shift_jis"))],
)
def test_no_encoding_of_a_log_costs_a_report(folder: Path, encoding: str) -> None:
    with open(folder / "log", "wb", buffering=0) as log, open(folder / "errors", "wb", buffering=0) as errors:
        assert to(folder, stream(log, encoding), stream(errors, encoding), *SHORT) == 0
    assert is_whole(folder)
    assert "report: run" in (folder / "log").read_text(encoding)


@posix
def test_a_reader_that_goes_away_costs_nothing(folder: Path) -> None:
    with unread() as out, unread() as errors:
        assert to(folder, out, errors, *SHORT) == 0
    assert is_whole(folder)


@full
def test_a_full_disk_under_the_log_is_said_and_costs_no_report(folder: Path) -> None:
    with open(folder / "errors", "wb", buffering=0) as errors, open("/dev/full", "wb", buffering=0) as log:
        assert to(folder, stream(log), stream(errors), *SHORT) == 1
    assert is_whole(folder)
    assert "the output cannot be written: No space left on device" in (folder / "errors").read_text()


@full
def test_a_full_disk_under_the_messages_costs_nothing(folder: Path) -> None:
    with open(folder / "log", "wb", buffering=0) as log, open("/dev/full", "wb", buffering=0) as errors:
        assert to(folder, stream(log), stream(errors), *SHORT) == 0
    assert is_whole(folder)


def test_without_any_streams_a_command_works(folder: Path) -> None:
    assert to(folder, None, None, *SHORT) == 0
    assert is_whole(folder)


@posix
@pytest.mark.parametrize(
    ("redirected", "unbuffered"), [("| head -1", ""), ("| head -1", "1"), (">&-", "1"), ("2>&-", ""), ("<&- >&- 2>&-", "")]
)
def test_at_the_end_nothing_is_said_of_a_stream_that_was_closed(tmp_path: Path, redirected: str, unbuffered: str) -> None:
    command = f'"{sys.executable}" -m gevaldi list taxonomies {redirected}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@posix
def test_a_pipe_that_is_full_and_does_not_wait_gets_all(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [sys.executable, "-m", "gevaldi", "show", "spec"]
    whole = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    filled = 0
    while True:
        try:
            filled += os.write(writer, b"x" * 4096)
        except BlockingIOError:
            break
    with subprocess.Popen(command, cwd=tmp_path, stdout=writer) as process:
        os.close(writer)
        with open(reader, "rb") as pipe:
            content = pipe.read()
    assert process.returncode == 0
    assert content[filled:] == whole


@posix
@pytest.mark.parametrize("broken", [unread, nullcontext])
def test_progress_costs_a_program_no_result(
    broken: Callable[[], AbstractContextManager[io.TextIOWrapper | None]], tmp_path: Path
) -> None:
    with broken() as errors, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", errors)
        patch.setenv("FORCE_COLOR", "1")
        patch.setattr("gevaldi.progress.Seldom.FIRST", 0.0)
        found = gevaldi.compare(
            small_classifier(0),
            small_classifier(1),
            small_generator(),
            out=tmp_path / "run",
            samples=2,
            steps=2,
            audited=4,
            progress=True,
        )
    assert found.run.complete


def begun(folder: Path, *words: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "gevaldi", *words], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )


def wait_for(process: "subprocess.Popen[str]", pattern: str, folder: Path) -> None:
    while not list(folder.glob(pattern)) and process.poll() is None:
        time.sleep(0.05)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_finished_is_written_when_a_scheduler_ends_a_run(folder: Path, sent: signal.Signals) -> None:
    with begun(folder, *LONG) as process:
        wait_for(process, "run/samples/part-*", folder)
        process.send_signal(sent)
        process.send_signal(sent)  # as `timeout` does
        message = process.communicate()[1]
    assert process.returncode == 128 + sent
    assert "of 800 rows are safe. Resume with: gevaldi resume run" in message
    assert len(Run.open(folder / "run").done()) > 0


@posix
@pytest.mark.slow
def test_a_signal_that_is_ignored_stays_ignored_and_another_one_is_answered(folder: Path) -> None:
    ignored = "trap '' HUP INT; exec \"$@\""
    words = [
        "bash",
        "-c",
        ignored,
        "bash",
        sys.executable,
        "-m",
        "gevaldi",
        "cluster",
        "python:models.py:stubborn",
        "--pictures",
        "x",
    ]
    with subprocess.Popen(words, cwd=folder) as process:
        wait_for(process, "loading", folder)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None
        assert not (folder / "ending").exists()
        process.send_signal(signal.SIGTERM)
        wait_for(process, "ending", folder)
        while process.poll() is None:  # a second one ends it at once, wherever it is
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
    assert process.returncode == 143


LONG_NAME = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "--out", ""],
        ["demo", "--out", LONG_NAME],
        ["demo", "--out", "loop"],
        ["demo", "--out", "a\0b"],
        ["demo", "--out", "caf\udce9"],
        ["report", ""],
        ["report", "~nobody-of-this-name/run"],
        ["resume", LONG_NAME],
        ["compare", "--spec", f"{LONG_NAME}.yaml"],
        ["compare", f"torchscript:{LONG_NAME}", "bundled:mnist-pooled", "-g", "bundled:mnist-vae"],
        ["compare", f"python:{LONG_NAME}.py:net", "bundled:mnist-pooled", "-g", "bundled:mnist-vae"],
        ["sweep", "folder:\udcff", "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "--device", "meta"],
        ["sweep", f"{LONG_NAME}.yaml"],
        ["experiment", f"{LONG_NAME}.toml"],
        ["reproduce", "figure-1", "--models", f"{LONG_NAME}.yaml"],
        ["reproduce", "figure-1", "--out", "s3://bucket/paper"],
        ["train", "mnist", "--data", LONG_NAME],
        ["train", "ladder", "--data", "loop/below"],
        ["cluster", "bundled:mnist-referee", "--pictures", "bundled:mnist-digits", "--out", ""],
        ["cluster", "bundled:mnist-referee", "--pictures", "bundled:mnist-digits", "--out", "s3://bucket/t.json"],
        ["show", LONG_NAME],
        ["show", "y/" * 3000 + "x.json"],
        ["show", "../../README"],
        ["distance", "1", "2", "--taxonomy", f"{LONG_NAME}.csv"],
        ["report", "generic://host/run"],
        ["list", "--", "\ud800"],
        ["demo", "--engine", "ray", "--address", LONG_NAME],
    ],
)
def test_what_names_no_file_is_answered(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "loop").symlink_to("loop")
    done = called(tmp_path, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("gevaldi: ")
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


def test_a_report_is_not_written_over_a_folder(folder: Path) -> None:
    (folder / "folder").mkdir()
    assert called(folder, *SHORT, "--no-report").returncode == 0
    for out in ("/", ".", "..", "folder"):
        done = called(folder, "report", "run", "--out", out)
        assert done.returncode == 2
        assert "a folder lies there" in done.stderr


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300])
def test_a_program_too_is_told_what_is_no_path(path: str) -> None:
    with pytest.raises(GevaldiError):
        gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=path)


def test_what_a_run_left_that_was_killed_while_it_began_goes_with_the_next_one(folder: Path) -> None:
    (folder / "run" / "samples").mkdir(parents=True)
    for name in (".run.json.0123abcd.partial", ".spec.yaml.0123abcd.partial", ".lock"):
        (folder / "run" / name).touch()
    assert called(folder, *SHORT).returncode == 0
    assert not list((folder / "run").rglob(".*"))


def test_what_killed_writers_left_goes_with_the_next_one_a_day_later(folder: Path) -> None:
    assert called(folder, *SHORT).returncode == 0
    run = folder / "run"
    (run / "exports" / ".parquet.abc.unfinished").mkdir(parents=True)
    (run / "figures").mkdir()
    old = [run / ".report.html.0123abcd.partial", run / "figures" / ".samples.png.0123abcd.partial"]
    young = [run / ".report.html.4567cdef.partial", run / "figures" / ".samples.png.4567cdef.partial"]
    for path in (*old, *young):
        path.touch()
    old.append(run / "exports" / ".parquet.abc.unfinished")
    for path in old:
        os.utime(path, (0, 0))
    for words in (["report", "run"], ["figure", "run", "samples"], ["export", "run", "--to", "parquet", "--label", "first"]):
        assert called(folder, *words).returncode == 0
    assert [path.name for path in old if path.exists()] == []
    assert all(path.exists() for path in young)  # of writers that may be at work


def test_of_a_folder_that_was_deleted_it_is_not_said_that_a_run_goes_on_there(folder: Path) -> None:
    done = called(folder, *(word.replace(":net,seed=1", ":destroyer") for word in SHORT))
    assert done.returncode == 2
    assert "run was deleted or moved during the run, with all finished rows" in done.stderr
    assert "gevaldi resume run" not in done.stderr
