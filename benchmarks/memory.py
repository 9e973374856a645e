"""Peak memory of a whole comparison, summary and report included, at 1,000 samples and at 100,000.

Each size is a process of its own (Linux: the peak resident set is read from the kernel when it ends), with the bundled pair, one
order, and the batch size fixed, because it should not matter. Three steps a sample, so that the larger one ends within the hour.
Prints rows of a Markdown table.

    python benchmarks/memory.py [SMALL LARGE]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1_000, 100_000)
SCRIPT = """
import sys, gevaldi
names = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
run = gevaldi.compare(*names, samples=int(sys.argv[1]), orders="forward", steps=3, batch_size=64, device="cpu", out=sys.argv[2])
run.summary(), run.best(), run.report()
"""


def peak(samples: int, folder: Path) -> tuple[float, float]:
    """The peak resident set of a comparison in MB, and its seconds."""
    begin = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(samples), str(folder)])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the comparison of {samples} samples failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - begin


def main(sizes: tuple[int, ...]) -> None:
    """Print a row for each size, and the ratio of the peaks."""
    print("| samples | peak memory | seconds | page |\n|---|---|---|---|")
    peaks = []
    with tempfile.TemporaryDirectory() as temporary:
        for samples in sizes:
            folder = Path(temporary) / str(samples)
            megabytes, seconds = peak(samples, folder)
            page = (folder / "report.html").stat().st_size / 1e6
            print(f"| {samples:,} | {megabytes:.0f} MB | {seconds:.0f} | {page:.2f} MB |", flush=True)
            peaks.append(megabytes)
    print(f"ratio {peaks[-1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
