"""Programs and commands in processes of their own, which begin with their imports, and without those of the tests."""

import multiprocessing
import os
import resource
import runpy
import sys
import types
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

STARTED = multiprocessing.get_context("forkserver")
STARTED.set_forkserver_preload(
    [
        *("gevaldi.cli.main", "gevaldi.comparison", "gevaldi.runs.session", "gevaldi.regions.start", "gevaldi.studies.study"),
        *("gevaldi.reports.page", "gevaldi.reports.answer", "gevaldi.verdicts.start", "gevaldi.exports.imagefolder"),
        *("gevaldi.bundled.digits", "matplotlib.backends.backend_svg", "pandas", "scipy.stats", "torchvision"),
    ]
)


def keep_output(folder: Path) -> None:
    """What this process prints goes to `output` in a folder."""
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)


def run_python(code: str, folder: Path) -> None:
    """Run code as a program in a folder, where `output` is what it prints."""
    keep_output(folder)
    os.chdir(folder)
    sys.path.insert(0, "")
    sys.modules["__main__"] = program = types.ModuleType("__main__")
    exec(compile(code, "document", "exec"), vars(program))


def run_command(folder: Path, *words: str) -> None:
    """Do what the command does, in a folder."""
    from gevaldi.cli.main import run

    os.chdir(folder)
    sys.argv = ["gevaldi", *words]
    run()


def run_hostile(each: int, folder: Path) -> None:
    """Try so many inputs of every kind, as `make hostile` does."""
    keep_output(folder)
    sys.argv = ["hostile", str(each), "--workers", "1"]
    runpy.run_module("hostile", run_name="__main__")


def compare_small(out: Path, engine: str, settings: dict[str, Any], said: Path, environment: dict[str, str]) -> None:
    """Compare the small networks; `said` is what goes to the standard error."""
    os.environ.update(environment)
    import gevaldi
    from small import small_classifier, small_generator

    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
    gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=out, engine=engine, **settings)


def summarise(run: Path) -> None:
    """Read what a comparison says of all its rows."""
    import gevaldi

    gevaldi.Comparison.open(run).summary()


def measure(sink: Connection, act: Callable[..., None], *arguments: Any) -> None:
    """Do something, and send the peak resident set of this process in KB."""
    try:
        act(*arguments)
    finally:  # a command ends by an exit
        sink.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak_of(act: Callable[..., None], *arguments: Any) -> float:
    """The peak resident set of a process that does this, in KB."""
    source, sink = STARTED.Pipe(duplex=False)
    process = STARTED.Process(target=measure, args=(sink, act, *arguments))
    process.start()
    process.join()
    assert process.exitcode == 0
    found: float = source.recv()
    return found
