"""Runs cases, each in a process of its own that is forked from one which has imported everything, and says what broke a law.

The laws: no traceback, no death by a signal, an exit code that says what happened, no canary, no change to what lies in the folder
`untouched`, at most 20 seconds of the processor and 4 GB, and an end at all.
"""

import hashlib
import importlib
import io
import os
import pkgutil
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hostile
from hostile.case import CANARY, PIPE, Case, Make

SECONDS, BYTES = 20.0, 4 * 2**30  # seconds of the processor, which are the same on a busy machine
HANGS = 300.0  # seconds on the clock, in which a process that waits for nothing ends on any machine
CODES = (0, 1, 2, 130, 143)  # done; output was lost; the input is refused; interrupted; terminated
IMPORTED = (
    "gevaldi.cli.main",
    "gevaldi.comparison",
    "gevaldi.exports.imagefolder",
    "gevaldi.figures.samples",
    "gevaldi.inspection",
    "gevaldi.reports.page",
    "gevaldi.runs.session",
    "gevaldi.runs.verification",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "onnx2pytorch",
    "onnxruntime",
    "pandas",
    "scipy.stats",
    "timm",
    "torchvision.transforms.v2",
)
NOT_KINDS = ("case", "harness", "__main__", "conftest", "seeds")


@dataclass(frozen=True)
class Outcome:
    """What became of one case; `broken` is empty where it kept all laws."""

    kind: str
    seed: int
    words: tuple[str, ...]
    code: int
    seconds: float
    peak: int  # bytes
    said: str
    broken: tuple[str, ...]


def kinds() -> list[str]:
    """The kinds of input, by the names of their modules."""
    names = [module.name for module in pkgutil.iter_modules(hostile.__path__)]
    return sorted(name for name in names if name not in NOT_KINDS and not name.startswith(("_", "test_")))


def maker(kind: str) -> Make:
    made: Make = importlib.import_module(f"hostile.{kind}").make
    return made


def outcomes(pairs: Iterable[tuple[str, int]], workers: int = 2) -> Iterator[Outcome]:
    """The outcomes of cases by kind and seed, as they finish, so many of them at once."""
    import torch

    for name in IMPORTED:  # once, and not in every child
        importlib.import_module(name)
    torch.set_num_threads(1)
    running: dict[int, Started] = {}
    waiting = iter(pairs)
    exhausted = False
    while running or not exhausted:
        while len(running) < workers and not exhausted:
            pair = next(waiting, None)
            if pair is None:
                exhausted = True
            else:
                begun = start(*pair)
                running[begun.process] = begun
        for process in list(running):
            ended, status, used = os.wait4(process, os.WNOHANG)
            if ended:
                yield finish(running.pop(process), status, used)
            elif time.monotonic() - running[process].since > HANGS:
                os.killpg(process, signal.SIGKILL)
        time.sleep(0.002)


@dataclass(frozen=True)
class Started:
    process: int
    since: float
    kind: str
    seed: int
    case: Case
    folder: Path
    untouched: dict[str, str]


def start(kind: str, seed: int) -> Started:
    folder = Path(tempfile.mkdtemp(prefix=f"hostile-{kind}-"))
    (folder / "work").mkdir()
    case = maker(kind)(random.Random(f"{kind} {seed}"), folder / "work")
    before = untouched(folder / "work")
    process = os.fork()
    if process == 0:
        run_and_exit(case, folder)
    return Started(process, time.monotonic(), kind, seed, case, folder, before)


def untouched(folder: Path) -> dict[str, str]:
    """What lies in the folder of that name, by its hash."""
    files = [path for path in (folder / "untouched").rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run_and_exit(case: Case, folder: Path) -> None:
    """What the command does, in this process, which ends with it."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (8 * 2**30, 8 * 2**30))  # so that a bomb does not take the machine
        os.chdir(folder / "work")
        for number, (name, mode) in enumerate([("stdin", "r"), ("stdout", "w"), ("stderr", "w")]):
            place = case.closed.get(name, "/dev/null" if name == "stdin" else str(folder / name))
            if place is None:
                os.close(number)
            elif place == PIPE:
                reader, writer = os.pipe()
                os.close(reader)
                os.dup2(writer, number)
            else:
                os.dup2(os.open(place, os.O_RDONLY if mode == "r" else os.O_WRONLY | os.O_CREAT), number)
        encoding, _, errors = case.environment.get("PYTHONIOENCODING", "utf-8").partition(":")
        there = [case.closed.get(name, "") is not None for name in ("stdin", "stdout", "stderr")]
        sys.stdin = open(0, closefd=False) if there[0] else None  # noqa: SIM115
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(open(n, "wb", closefd=False), encoding, how) if there[n] else None  # noqa: SIM115
            for n, how in ((1, errors or "strict"), (2, "backslashreplace"))  # as Python itself opens them
        )
        os.environ.update({"COLUMNS": "100", "GEVALDI_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"} | case.environment)
        sys.argv = ["gevaldi", *case.words]
        code = exit_code()
    except BaseException:
        import traceback

        (folder / "stderr").open("a").write(traceback.format_exc())
    os._exit(code)


def exit_code() -> int:
    """The exit code of the command, and what Python does with what it raises."""
    import traceback

    from gevaldi.cli.main import run

    code: object = 0
    try:
        run()
    except SystemExit as done:
        code = done.code
    except BaseException:
        code = 1
        sys.stderr.write(traceback.format_exc())
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            code = f"{error} at the end"
    return code if isinstance(code, int) else 0 if code is None else 120


def finish(begun: Started, status: int, used: "resource.struct_rusage") -> Outcome:
    code = os.waitstatus_to_exitcode(status)
    streams = [begun.folder / name for name in ("stderr", "stdout")]
    said = "\n".join(path.read_bytes().decode(errors="replace") for path in streams if path.exists())
    processor = used.ru_utime + used.ru_stime
    laws = {
        "traceback": "Traceback (most recent call last)" in said,
        f"died by signal {-code}": code < 0,
        f"exit code {code}": code >= 0 and code not in CODES,
        "hostile code ran": any(begun.folder.rglob(CANARY)),
        "a file that is none of its business was changed": untouched(begun.folder / "work") != begun.untouched,
        "a result lacks": not all(any((begun.folder / "work").glob(pattern)) for pattern in begun.case.makes),
        f"took {processor:.0f} s": processor > SECONDS,
        f"took {used.ru_maxrss / 2**20:.1f} GB": used.ru_maxrss * 1024 > BYTES,
    }
    shutil.rmtree(begun.folder, ignore_errors=True)
    broken = tuple(law for law, is_broken in laws.items() if is_broken)
    return Outcome(begun.kind, begun.seed, begun.case.words, code, processor, used.ru_maxrss * 1024, said, broken)
