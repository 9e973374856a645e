"""Valid things that generators copy and break: made once in a process, by the command line."""

import atexit
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from gevaldi.runs.store.schema import FORMAT

PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
SHORT = ("-n", "1", "--set", "search.steps=1", "--set", "audited=1", "--device", "cpu", "--batch-size", "1")
SMALL = ("-n", "6", "--set", "search.steps=4", "--set", "audited=4", "--device", "cpu", "--batch-size", "4")


@cache
def folder() -> Path:
    """Where they lie until this process ends."""
    made = Path(tempfile.mkdtemp(prefix="hostile-seeds-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def in_another_process(make: Callable[..., object], *arguments: Any) -> None:
    """Call a function in a fork, which has imported everything; forks of a process that has searched cannot search.

    Raises:
        RuntimeError: it fails.
    """
    process = multiprocessing.get_context("fork").Process(target=_silently, args=(make, arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{make.__name__}{arguments} ended with {process.exitcode}")


def _silently(make: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    make(*arguments)


def command(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> None:
    """What the command does in a folder, which ends with one of these codes."""
    in_another_process(_called, folder, words, codes)


def _called(folder: Path, words: tuple[str, ...], codes: tuple[int, ...]) -> None:
    from gevaldi.cli.main import run
    from gevaldi.search import probable

    probable.STEPS = 4  # of the second search, whose end is of no matter here
    os.chdir(folder)
    sys.argv = ["gevaldi", *words]
    try:
        run()
    except SystemExit as done:
        sys.exit(0 if (done.code or 0) in codes else 1)


@cache
def run(seed: int = 0) -> Path:
    """A complete run of a few rows in several parts, with a hierarchy."""
    made = folder() / f"run-{seed}"
    words = ["compare", *PAIR, *SMALL]
    words += ["--taxonomy", "mnist-digits", "--seed", str(seed), "--no-report", "--out", str(made)]
    command(folder(), *words)
    return made


@cache
def evaluated() -> Path:
    """A run of one search with real pictures, and the opinion of a third classifier."""
    made = folder() / "evaluated"
    words = ["compare", *PAIR, *SHORT, "--real", "bundled:mnist-digits", "--taxonomy", "none", "--no-report", "--out", str(made)]
    command(folder(), *words)
    ask = ["referee", str(made), "bundled:mnist-referee", "--no-report"]
    command(folder(), *ask)
    return made


VERDICT = ("verdict", "bundled:mnist-strided", "bundled:mnist-pooled", "--pool", "folder:pictures", "--out", "v")
VERDICT += ("--predictions", "predictions", "--device", "cpu")


@cache
def verdict() -> Path:
    """A folder with pictures, stored predictions of two classifiers on them, and the folder `v` of a verdict with some labels."""
    from gevaldi.pictures import load_pictures

    made = folder() / "verdict"
    for i, picture in enumerate(load_pictures("bundled:mnist-digits", (1, 28, 28), 40).pictures):
        levels = (picture[0] * 255).byte().numpy()
        path = made / "pictures" / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels if i % 3 else 255 - levels).save(path)  # of which some are classified differently
    labels = made / "labels.csv"
    labels.write_text("picture,class\n" + "".join(f"{i:03d}.png,{i % 10}\n" for i in range(0, 40, 2)))
    words = [*VERDICT, "--labels", labels.name]
    command(made, *words, codes=(2,))  # since it is undecided
    return made


@cache
def dataset() -> Path:
    """A data set as the package `datasets` saves it."""
    made = folder() / "dataset"
    in_another_process(_dataset, made)
    return made


def _dataset(place: Path) -> None:
    import datasets

    sink = io.BytesIO()
    Image.new("L", (28, 28), 99).save(sink, "PNG")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [{"bytes": sink.getvalue(), "path": None}] * 4, "label": [0, 1, 1, 0]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(place))


def copied(place: Path, seed: int = 0) -> Path:
    """A copy of the run."""
    shutil.copytree(run(seed), place)
    return place


def parts(run: Path) -> list[Path]:
    return sorted((run / "samples").glob("part-*.parquet"))


def rewritten(part: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a part as somebody does who knows how parts are named."""
    table = change(pq.read_table(part))
    part.unlink()
    pq.write_table(table, part)
    part.rename(part.with_name(f"{part.stem.rpartition('-')[0]}-{hashlib.sha256(part.read_bytes()).hexdigest()[:32]}.parquet"))


def adopted(run: Path) -> None:
    """Let all parts of a run bear its record as it is now, as somebody does who knows how they are bound to it."""
    content = (run / "run.json").read_bytes()
    try:
        fingerprint = json.loads(content)["fingerprint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        fingerprint = None
    marks = json.dumps({"format": FORMAT, "fingerprint": fingerprint, "record": hashlib.sha256(content).hexdigest()})
    for part in parts(run):
        rewritten(part, lambda table: table.replace_schema_metadata({**table.schema.metadata, b"gevaldi": marks}))


READINGS: tuple[tuple[str, ...], ...] = (
    ("report", "run"),
    ("report", "run", "--limit", "2"),
    ("verify", "run"),
    ("export", "run", "--to", "imagefolder"),
    ("export", "run", "--to", "parquet", "--distinct"),
    ("export", "run", "--to", "label-studio", "--label", "first"),
    ("figure", "run"),
    ("figure", "run", "divergence"),
    ("figure", "run", "samples"),
    ("figure", "run", "filmstrip"),
    ("figure", "run", "confusion"),
    ("figure", "run", "kinds"),
    ("figure", "run", "typicality"),
    ("resume", "run", "--device", "cpu"),
)


def nonsense(chance: Any) -> Any:
    """A value as nobody expects it, of any type that JSON has."""
    return chance.choice(
        (
            None,
            True,
            -1,
            0,
            10**30,
            -(2**63),
            1e308,
            -0.5,
            float("nan"),
            float("inf"),
            "",
            "x" * 10_000,
            "../../etc/passwd",
            "<script>alert(1)</script>",
            "\u202e\x00\ud800",
            "1",
            [],
            [[]],
            [None],
            {},
            {"a": {"b": []}},
        )
    )
