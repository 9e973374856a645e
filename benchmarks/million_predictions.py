"""Two tables of a million predictions: how long they take to be read and joined, and how much memory.

    python benchmarks/million_predictions.py [FOLDER] [ROWS]

Each form is read in a process of its own. The tables differ on 4 % of the pictures; the second one is in another order where the
form ends in "shuffled". "above start" is the memory beyond that of the process when it has imported what it needs.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = np.array([f"class {i}" for i in range(100)])
FORMS = ("csv", "parquet", "shuffled.parquet", "npz")


def write(folder: Path, rows: int) -> None:
    """Both tables in every form."""
    random = np.random.default_rng(0)
    ids = np.array([f"images/{i // 1000:04d}/{i:07d}.jpg" for i in range(rows)])
    first = random.integers(0, len(CLASSES), rows)
    second = np.where(random.random(rows) < 0.04, (first + 1) % len(CLASSES), first)
    for name, answers in (("first", first), ("second", second)):
        table = pd.DataFrame({"id": ids, "class": CLASSES[answers], "probability": random.random(rows).astype(np.float32)})
        table.to_csv(folder / f"{name}.csv", index=False)
        table.to_parquet(folder / f"{name}.parquet", index=False)
        order = table.sample(frac=1, random_state=0) if name == "second" else table
        order.to_parquet(folder / f"{name}.shuffled.parquet", index=False)
        np.savez(folder / f"{name}.npz", ids=ids, classes=CLASSES[answers])


def peak() -> float:
    """The most memory of this process so far, in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def measure(folder: Path, form: str) -> None:
    """Read and join the two tables of a form, and print time and memory."""
    from gevaldi.predictions.pool import load_pool

    start, before = time.perf_counter(), peak()
    pool = load_pool(None, [f"table:{folder}/{name}.{form}" for name in ("first", "second")])
    first, second = (one.top[:, 0] for one in pool.predictions)
    seconds = time.perf_counter() - start
    differ = int((first != second).sum())
    print(f"| {form} | {len(pool):,} | {differ:,} | {seconds:.2f} s | {peak():.0f} MB | {peak() - before:.0f} MB |", flush=True)


def main() -> None:
    """Measure every form."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 3:
        measure(folder, sys.argv[3])
        return
    rows = sys.argv[2] if len(sys.argv) > 2 else "1000000"
    write(folder, int(rows))
    print("| form | pictures | differ | time | peak | above start |\n|---|---|---|---|---|---|", flush=True)
    for form in FORMS:
        subprocess.run([sys.executable, __file__, folder, rows, form], check=True)


if __name__ == "__main__":
    main()
