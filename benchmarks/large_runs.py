"""What is made of a run after its search, at 1,000 rows and at 100,000: peak memory, seconds, and the size of the page.

The rows are made up: parts of 64 rows with latents, paths, predictions and pictures of the size of those of the bundled pair, so
that no network is needed. Each reading is a process of its own (Linux: the peak resident set is read from the kernel when it ends);
its seconds are those of a processor at the larger run. Prints rows of a Markdown table.

    python benchmarks/large_runs.py [FOLDER]
"""

import os
import subprocess
import sys
import tempfile
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZES = (1_000, 100_000)
POOL, PART, CLASSES, LATENT, SIDE, FRAMES = 1024, 64, 10, 16, 28, 8
READINGS = {
    "report": ["report", "{run}", "--out", "{out}/report.html"],
    "figure divergence": ["figure", "{run}", "divergence", "--out", "{out}/divergence.png"],
    "figure set-distance": ["figure", "{run}", "set-distance", "--out", "{out}/set-distance.png"],
    "figure samples": ["figure", "{run}", "samples", "--out", "{out}/samples.png"],
    "figure typicality": ["figure", "{run}", "typicality", "--out", "{out}/typicality.png"],
    "figure samples, distinct": ["figure", "{run}", "samples,distinct=true", "--out", "{out}/distinct.png"],
    "figure kinds": ["figure", "{run}", "kinds", "--out", "{out}/kinds.png"],
    "export of the 50 largest": ["export", "{run}", "--to", "imagefolder", "--top", "50", "--out", "{out}/top"],
    "export of all": ["export", "{run}", "--to", "parquet", "--out", "{out}/all"],
}
SUMMARY = "import sys; from gevaldi import Comparison; Comparison.open(sys.argv[1]).summary()"


@cache
def picture(seed: int, width: int = SIDE) -> dict[str, Any]:
    """A blurred blot, whose PNG is about as large as that of a drawn digit."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.linspace(-1, 1, width)] * 2)
    blot = sum(np.exp(-8 * ((x - a) ** 2 + (y - b) ** 2)) for a, b in random.uniform(-0.6, 0.6, (3, 2)))
    sink = BytesIO()
    Image.fromarray((255 * np.clip(blot, 0, 1)).astype(np.uint8)).save(sink, "PNG")
    return {"bytes": sink.getvalue(), "path": None}


def predictions(random: np.random.Generator, top: int) -> list[dict[str, Any]]:
    """Five classes with their probabilities, one of them first."""
    others = random.permutation([c for c in range(CLASSES) if c != top])[:4].tolist()
    shares = np.sort(random.dirichlet(np.full(CLASSES, 0.3)))[::-1][:5]
    return [
        {"label": c, "name": f"class {c}", "id": f"n{c:08d}", "probability": float(p)}
        for c, p in zip([top, *others], shares, strict=True)
    ]


def made_up(number: int) -> dict[str, Any]:
    """A row; what tells the rows of a run apart is put in later."""
    random = np.random.default_rng(number)
    asked, steps = number % CLASSES, int(random.integers(30, 120))
    first, second = asked, int((asked + 1 + random.geometric(0.4)) % CLASSES)
    flipped = ("second", "both", "first")[int(random.integers(3))]
    first, second = (second, first) if flipped == "first" else (first, second)
    path = np.maximum.accumulate(np.cumsum(random.gamma(0.3, 0.2, steps + 1)))
    frames = sorted({*(2**i for i in range(7) if 2**i < steps), 0, steps})
    tops = random.integers(0, CLASSES, (2, steps + 1, 5)).tolist()
    distances = {
        f"set_distance_{n}_{stage}": float(random.integers(0, 6)) / 2 + (stage == "end")
        for n in (1, 3, 5)
        for stage in ("start", "end")
    }
    return {
        "condition": asked, "condition_name": f"class {asked}", "condition_id": f"n{asked:08d}", "status": "converged",
        "steps": steps, "step_end": steps, "divergence_start": float(random.gamma(1, 1e-3)), "log_prior_start": -20.0,
        "log_prior_end": -30.0, "typicality_start": float(random.uniform()), "typicality_end": 0.998, "survives_storage": True,
        "target_classes": [asked], "flipped": flipped, "shift": "near", "shift_first": 1.0, "shift_second": 1.0,
        "right_start": "both", "right_end": "second" if flipped == "first" else "first", "both_more_confident": False,
        **{f"target_{side}_{stage}": 0.5 for side in ("first", "second") for stage in ("start", "end")}, **distances,
        "first_start": predictions(random, asked), "first_end": predictions(random, first),
        "second_start": predictions(random, asked), "second_end": predictions(random, second),
        "picture_start": picture(number), "picture_end": picture(number + 1),
        "path_divergence": path.tolist(), "path_log_prior": (-path).tolist(), "path_delta_z": (path / path[-1]).tolist(),
        **{f"path_set_distance_{n}": (np.round(4 * path / path[-1]) / 2).tolist() for n in (1, 3, 5)},
        "path_pictures": [picture(number + i) for i in range(len(frames))], "path_picture_steps": frames,
        "path_first": tops[0], "path_second": tops[1],
    }  # fmt: skip


@cache
def made_up_pool(columns: Any) -> Any:
    """Rows of a schema, from which runs draw."""
    import pyarrow as pa

    return pa.Table.from_pylist([made_up(i) for i in range(POOL)], columns)


def written(folder: Path, rows: int) -> Any:
    """A run of so many rows, half of them of each order."""
    import pyarrow as pa

    from gevaldi.runs.store.part import serialised
    from gevaldi.runs.store.run import Run
    from gevaldi.runs.store.schema import schema
    from gevaldi.spec import Spec

    labels = [{"name": f"class {c}", "id": f"n{c:08d}"} for c in range(CLASSES)]
    model = {"name": "made:first", "labels": labels, "parameters": 10, "sha256": "0" * 64, "files": [], "settings": {}}
    execution = {"batch_size": 64, "device": "cpu", "precision": "float64", "small": True, "block": 32,
        "channels_last": False, "threads": 1, "compiled": False}  # fmt: skip
    record = {
        "models": {"first": model, "second": model | {"name": "made:second"}, "generator": model | {"conditions": labels}},
        "divergence": {"name": "kl", "unit": "nats", "symmetric": False, "bound": None, "summary": "Kullback-Leibler divergence"},
        "audit": None, "device": "cpu", "command": "none: its rows are made up", "created": "2026-01-01T00:00:00",
        "versions": {}, "warnings": [], "alignment": None, "execution": execution, "inputs": {"files": 0, "sha256": "0" * 64},
        "taxonomy": {"name": "made up", "convention": "published", "set_sizes": [1, 3, 5], "mean_edges": 4.0,
            "classes": [label["id"] for label in labels], "by_chance": {"levels": 2.0, "lateral": 0.5}, "sha256": "0" * 64},
    }  # fmt: skip
    run = Run.create(folder, Spec(first="made:first", second="made:second", generator="made:up", samples=rows // 2), record)
    kept = schema(run.spec.set_sizes)
    pool = made_up_pool(kept)
    wells = np.random.default_rng(0).normal(size=(POOL, LATENT))  # where searches end, those of one row of the pool together
    for begin in range(0, rows, 2 * PART):
        for order in (0, 1):
            indices = np.arange(begin + order, min(begin + 2 * PART, rows), 2)
            random = np.random.default_rng([begin, order])
            drawn = random.integers(0, POOL, len(indices))
            starts = random.normal(size=(len(indices), LATENT))
            ends = wells[drawn] + random.exponential(0.5, (len(indices), 1)) * random.normal(size=starts.shape)
            own = {
                "index": indices, "seed": indices // 2, "order": [("forward", "reverse")[order]] * len(indices),
                "divergence_end": random.gamma(5, 1, len(indices)), "delta_z": random.gamma(9, 0.1, len(indices)),
                "z_start": list(starts), "z_end": list(ends),
            }  # fmt: skip
            part = pool.take(drawn)
            for name, values in own.items():
                place = kept.get_field_index(name)
                part = part.set_column(place, kept.field(place), pa.array(values, kept.field(place).type))
            name, content = serialised(part, run.origin)
            (folder / "samples" / name).write_bytes(content)
    return run


def measured(command: list[str]) -> tuple[float, float]:
    """The peak resident set of a process in MB, and its seconds of a processor."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # which Popen cannot know any more
    if status:
        raise SystemExit(f"{command} failed")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def commands(run: Path, out: Path) -> dict[str, list[str]]:
    """What is measured, as commands."""
    gevaldi = [sys.executable, "-m", "gevaldi"]
    readings = {name: gevaldi + [word.format(run=run, out=out) for word in words] for name, words in READINGS.items()}
    return {"summary": [sys.executable, "-c", SUMMARY, str(run)]} | readings


def main(place: Path) -> None:
    """Make both runs, where they are not there yet, and print a row for each reading."""
    small, large = (place / str(size) for size in SIZES)
    for folder, size in zip((small, large), SIZES, strict=True):
        if not folder.exists():
            written(folder, size)
    print(f"| reading | {SIZES[0]:,} rows | {SIZES[1]:,} rows | ratio | processor |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        outs = [Path(temporary) / str(size) for size in SIZES]
        for out in outs:
            out.mkdir()
        for name in commands(small, outs[0]):
            (few, _), (many, seconds) = (measured(commands(run, out)[name]) for run, out in zip((small, large), outs, strict=True))
            print(f"| {name} | {few:.0f} MB | {many:.0f} MB | {many / few:.3f} | {seconds:.1f} s |", flush=True)
        sizes = [(out / "report.html").stat().st_size / 1e6 for out in outs]
        print(f"| size of the page | {sizes[0]:.2f} MB | {sizes[1]:.2f} MB | {sizes[1] / sizes[0]:.3f} | |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
