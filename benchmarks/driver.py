"""What a row costs the program that began a run on a cluster, which alone writes: chunks whose rows are there at once.

A task does nothing but return rows of the bundled pair that were computed before, as if there were very many workers. All of the
program's own work is timed: chunks are made and given, rows are fetched from Ray, written as Parquet and counted.

    python benchmarks/driver.py [SAMPLES]
"""

import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import psutil

import gevaldi
from gevaldi.engines import _task, engine
from gevaldi.engines.base import Job, compute_missing
from gevaldi.progress import Bar
from gevaldi.runs.store.run import Run

NAMES = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
BATCH = 64


def main(samples: int) -> None:
    """Print milliseconds a row, and what the memory grew by meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        made = gevaldi.compare(*NAMES, out=Path(folder) / "made", samples=BATCH, orders="forward", audited=50, device="cpu").run
        rows = list(made.each())
        spec = made.spec.model_copy(update={"samples": samples})
        run = Run.create(
            Path(folder) / "run", spec, {key: made.record[key] for key in made.record.keys() - {"spec", "fingerprint"}}
        )

        def returned(key: str, setup: list[object], indices: list[int]) -> list[dict[str, object]]:
            return [rows[index % len(rows)] | {"index": index} for index in indices]

        with patch.object(_task, "compute_chunk", returned), engine("ray,workers=2,device=cpu").open() as compute:
            models = type("Models", (), {"hierarchy": None, "device": type("Device", (), {"type": "cpu"})})
            before, begin = psutil.Process().memory_info().rss, time.perf_counter()
            compute_missing(Job(run, models, NAMES, BATCH, Bar(False)), compute)  # type: ignore[arg-type]
            seconds = time.perf_counter() - begin
        assert run.complete
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    print(f"{samples:,} rows: {1e3 * seconds / samples:.3f} ms a row, connecting included; {grown:+.1f} MiB")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]), *(20_000,)[len(sys.argv) - 1 :])
