"""The result of autotuning three large networks: cached for their next run on this machine, recorded, and shown as lines.

A cache entry is a small file. Missing, damaged or outdated entries are measured again; nothing is cached if the disk cannot be
written.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from gevaldi.files import write_whole
from gevaldi.settings import Settings

VERSION = 2  # of the entries and the measurement

_ignored: ContextVar[bool] = ContextVar("the cache is ignored", default=False)


class Choice(Settings):
    """The choice; `gevaldi.execution.plan.ExecutionPlan` explains the fields."""

    precision: Literal["float32", "float64", "bfloat16"]
    channels_last: bool
    batch_size: int


class Trial(Settings):
    """One trial of a way of computing: its time, and whether it agrees with single precision."""

    way: str
    batch: int
    milliseconds: float | None = None  # per sample; None if not timed
    agrees: bool | None = None
    note: str = ""


class Tuning(Settings):
    """The result of autotuning.

    Attributes:
        choice: the outcome.
        trials: all trials, in order.
        date: the time of the measurement, in ISO 8601; a busy machine may distort it.
        seconds: the duration of the measurement.
        cached: whether it comes from the cache.
    """

    choice: Choice
    trials: tuple[Trial, ...] = ()
    date: str
    seconds: float
    cached: bool = False

    def record(self) -> dict[str, Any]:
        """The measurement without the choice, for the `execution` of `run.json`."""
        return self.model_dump(mode="json", exclude={"choice"})


@contextmanager
def ignoring_cache() -> Iterator[None]:
    """Ignore the cache within the context; new measurements replace its entries."""
    before = _ignored.set(True)
    try:
        yield
    finally:
        _ignored.reset(before)


def cache_folder() -> Path:
    """The folder of the cache: GEVALDI_CACHE, or the system's default.

    Raises:
        RuntimeError: the user has no home folder.
    """
    if own := os.environ.get("GEVALDI_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gevaldi" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gevaldi"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gevaldi"


def entry(key: Mapping[str, Any]) -> Path:
    """The file of an entry, named by a hash of everything that determines it.

    Raises:
        RuntimeError: the user has no home folder.
    """
    content = json.dumps({"version": VERSION, **key}, sort_keys=True).encode()
    return cache_folder() / "tuning" / f"{hashlib.sha256(content).hexdigest()[:32]}.json"


def load(key: Mapping[str, Any]) -> Tuning | None:
    """The cached measurement; None if there is none, if it cannot be read, or within `ignoring_cache`."""
    if _ignored.get():
        return None
    try:
        return Tuning.model_validate_json(entry(key).read_bytes()).model_copy(update={"cached": True})
    except (OSError, RuntimeError, ValidationError):
        return None


def save(key: Mapping[str, Any], tuning: Tuning) -> None:
    """Cache a measurement, if the disk allows it."""
    with suppress(OSError, RuntimeError):
        path = entry(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, tuning.model_dump_json(indent=1).encode())


def in_words(execution: Mapping[str, Any]) -> str:
    """A way of computing: precision, memory format, threads, compilation."""
    threads = execution.get("threads")
    words = [
        execution["precision"],
        *(["channels last"] if execution.get("channels_last") else []),
        *([f"{threads} thread{'s' if threads > 1 else ''}"] if threads else []),
        *(["compiled"] if execution.get("compiled") else []),
    ]
    return ", ".join(words)


def lines_of(execution: Mapping[str, Any]) -> list[str]:
    """The choice and the trials of a run as lines, from the `execution` of its record."""
    batch, tuning = execution["batch_size"], execution.get("tuning")
    lines = [f"Computed in {in_words(execution)}, {batch} sample{'s' if batch > 1 else ''} together."]
    if not tuning:
        return lines
    trials = [Trial.model_validate(trial) for trial in tuning["trials"]]
    if trials:
        width = max(len(trial.way) for trial in trials)
        lines += [f"  {'tried':<{width}}  batch  ms per sample  agrees", *(_line(trial, width) for trial in trials)]
    where = "from the cache (--probe-again measures it again)" if tuning["cached"] else "for this run"
    return [*lines, f"Measured in {tuning['seconds']:.1f} s on {tuning['date']}, {where}."]


def _line(trial: Trial, width: int) -> str:
    time = "" if trial.milliseconds is None else f"{trial.milliseconds:.4g}"
    agrees = {None: "", True: "yes", False: "no"}[trial.agrees]
    return f"  {trial.way:<{width}}  {trial.batch:>5}  {time:>13}  {agrees:<6}  {trial.note}".rstrip()
