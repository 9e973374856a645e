"""Two tables of a million predictions: how long they take to be read and joined, a verdict without labels, and one label more.

    python benchmarks/million_predictions.py [FOLDER] [ROWS]

Each form is read in a process of its own. The tables differ on 4 % of the pictures; the second one is in another order where the
form ends in "shuffled". "above start" is the memory beyond that of the process when it has imported what it needs. `gevaldi
verdict` is the whole command, from its start to the page. The label is one of as many as ROWS / 200, of ROWS / 100 disputed
pictures: from its being added to the new decision.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = np.array([f"class {i}" for i in range(100)])
FORMS = ("csv", "parquet", "shuffled.parquet", "npz")
WRITE = "write"
UNDECIDED = 2  # exit status
DISPUTED = 100  # of so many pictures, one is disputed
REPEATED = 25  # labels, each of which is timed


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


def measure_command(folder: Path, form: str) -> None:
    """Time and peak memory of `gevaldi verdict` without labels, in an empty folder."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        tables = [f"table:{folder}/{name}.{form}" for name in ("first", "second")]
        start = time.perf_counter()
        command = [sys.executable, "-m", "gevaldi", "verdict", *tables, "--out", f"{out}/verdict"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
    assert process.returncode == UNDECIDED, process.returncode
    print(f"| {form} | {seconds:.2f} s | {used.ru_maxrss / 1024:.0f} MB |", flush=True)


def measure_label(folder: Path | None, rows: int) -> None:
    """The median time of one label more where half of the disputed pictures are labelled, alternately for both sides."""
    import pyarrow as pa

    from gevaldi.labels import Label
    from gevaldi.predictions.base import Pool, Predictions
    from gevaldi.verdicts.start import verdict_on

    ids, names = pa.array([f"{i:07d}.jpg" for i in range(rows)]), tuple(map(Label, ("cat", "dog")))
    first = np.zeros((rows, 1), np.int32)
    second = np.array(first)
    second[::DISPUTED] = 1
    pool = Pool("made up", ids, names, [Predictions(*own) for own in (("old", ids, names, first), ("new", ids, names, second))])
    verdict = verdict_on(pool, out=folder)
    queue = verdict.next(rows // DISPUTED // 2 + REPEATED)
    labels = [(item.id, names[i % 2].name) for i, item in enumerate(queue)]
    verdict.add(dict(labels[:-REPEATED]))
    times = []
    for picture, answer in labels[-REPEATED:]:
        start = time.perf_counter()
        verdict.add({picture: answer})
        assert verdict.decision.word == verdict.state == "undecided"
        times.append(time.perf_counter() - start)
    assert verdict.used == len(labels)
    where = "in a folder" if folder else "in memory"
    print(f"| {where} | {verdict.main.disputed:,} | {len(labels):,} | {1000 * np.median(times):.1f} ms |", flush=True)


def main() -> None:
    """Measure every form, the command, and one label more."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    rows = sys.argv[2] if len(sys.argv) > 2 else "1000000"
    if len(sys.argv) > 3:
        write(folder, int(rows)) if sys.argv[3] == WRITE else measure(folder, sys.argv[3])
        return
    subprocess.run(
        [sys.executable, __file__, folder, rows, WRITE], check=True
    )  # the peak of a child is at least its parent's memory
    print("| form | pictures | differ | time | peak | above start |\n|---|---|---|---|---|---|", flush=True)
    for form in FORMS:
        subprocess.run([sys.executable, __file__, folder, rows, form], check=True)
    print("\n| `gevaldi verdict` | time | peak |\n|---|---|---|", flush=True)
    for form in FORMS:
        measure_command(folder, form)
    print("\n| one label more | disputed | labelled | time |\n|---|---|---|---|", flush=True)
    measure_label(None, int(rows))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        measure_label(Path(out), int(rows))


if __name__ == "__main__":
    main()
