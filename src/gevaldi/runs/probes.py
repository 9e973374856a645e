"""What a probe of the speed of three networks found: kept for the next run of them on this machine, recorded, and told in lines.

An entry is a small file in the cache's folder. One that is not there, damaged or of another version is measured again, and where
nothing can be kept nothing is.
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

VERSION = 1  # of the entries and of how they are measured

_anew: ContextVar[bool] = ContextVar("probes are made anew", default=False)


class Chosen(Settings):
    """How a run is computed, as its record says it; `gevaldi.runs.rounding.Rounding` explains the fields."""

    precision: Literal["float32", "float64", "bfloat16"]
    lanes: int
    any_batch_size: bool
    channels_last: bool
    threads: int | None
    compiled: bool
    graphs: bool
    batch_size: int


class Tried(Settings):
    """One way that was tried: how long it takes, and whether it finds what single precision finds, within what is safe."""

    way: str
    batch: int
    milliseconds: float | None = None  # a sample; None where it was not timed
    agrees: bool | None = None
    note: str = ""


class Probe(Settings):
    """All that a probe found.

    Attributes:
        chosen: the outcome.
        tried: everything that was tried, in order.
        why: sentences about what decided where no time did.
        made: when, as a date of ISO 8601; a busy machine at that time may have misled it.
        seconds: what it cost.
        cached: whether it was found in the cache and not made now.
    """

    chosen: Chosen
    tried: tuple[Tried, ...] = ()
    why: tuple[str, ...] = ()
    made: str
    seconds: float
    cached: bool = False

    def record(self) -> dict[str, Any]:
        """As the `execution` of `run.json` keeps it, beside what was chosen."""
        return self.model_dump(mode="json", exclude={"chosen"})


@contextmanager
def made_anew() -> Iterator[None]:
    """Within it nothing that the cache holds is used; what is measured takes its place."""
    before = _anew.set(True)
    try:
        yield
    finally:
        _anew.reset(before)


def cache_folder() -> Path:
    """Where entries are kept: the folder GEVALDI_CACHE, or the usual one for caches of this system.

    Raises:
        RuntimeError: the user has no home.
    """
    if own := os.environ.get("GEVALDI_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gevaldi" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gevaldi"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gevaldi"


def entry(key: Mapping[str, Any]) -> Path:
    """The file of an entry, named after all that it depends on.

    Raises:
        RuntimeError: the user has no home.
    """
    told = json.dumps({"version": VERSION, **key}, sort_keys=True).encode()
    return cache_folder() / "probes" / f"{hashlib.sha256(told).hexdigest()[:32]}.json"


def kept(key: Mapping[str, Any]) -> Probe | None:
    """What an earlier probe found; None where there was none, where it cannot be read, or within `made_anew`."""
    if _anew.get():
        return None
    try:
        return Probe.model_validate_json(entry(key).read_bytes()).model_copy(update={"cached": True})
    except (OSError, RuntimeError, ValidationError):
        return None


def keep(key: Mapping[str, Any], probe: Probe) -> None:
    """Keep what a probe found, if the disk lets us."""
    with suppress(OSError, RuntimeError):
        path = entry(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, probe.model_copy(update={"cached": False}).model_dump_json(indent=1).encode())


def in_words(chosen: Mapping[str, Any]) -> str:
    """A way of computing: numbers, order of weights, threads and what networks were made ready by."""
    threads = chosen.get("threads")
    words = [
        chosen["precision"],
        *(["channels last"] if chosen.get("channels_last") else []),
        *([f"{threads} thread{'s' if threads > 1 else ''}"] if threads else []),
        *(["compiled"] if chosen.get("compiled") else []),
        *(["CUDA graphs"] if chosen.get("graphs") else []),
    ]
    return ", ".join(words)


def lines_of(execution: Mapping[str, Any]) -> list[str]:
    """What was tried for a run, what was chosen and why, for a user who asks; from the `execution` of its record."""
    batch = execution["batch_size"]
    told = [f"Computed in {in_words(execution)}, {batch} sample{'s' if batch > 1 else ''} together."]
    if not execution.get("probe"):
        return told
    probe = Probe.model_validate({**execution["probe"], "chosen": {key: execution[key] for key in Chosen.model_fields}})
    told += probe.why
    if probe.tried:
        width = max(len(tried.way) for tried in probe.tried)
        told += [f"  {'tried':<{width}}  batch  ms a sample  agrees", *(_line(tried, width) for tried in probe.tried)]
    where = "before, and kept in the cache (--probe-again measures it again)" if probe.cached else "for this run"
    return [*told, f"Measured in {probe.seconds:.1f} s on {probe.made}, {where}."]


def _line(tried: Tried, width: int) -> str:
    time = "" if tried.milliseconds is None else f"{tried.milliseconds:.4g}"
    agrees = {None: "", True: "yes", False: "no"}[tried.agrees]
    return f"  {tried.way:<{width}}  {tried.batch:>5}  {time:>11}  {agrees:<6}  {tried.note}".rstrip()
