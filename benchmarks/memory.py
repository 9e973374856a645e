"""Peak memory of a whole comparison, report included, at 500 samples and at 5,000.

Each size is a process of its own (Linux: the peak resident set is read from the kernel when it ends), with the bundled pair,
one order, 30 steps a sample and the batch size fixed, because neither should matter.

    python benchmarks/memory.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = (500, 5000)
SCRIPT = """
import sys, gevaldi
names = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
run = gevaldi.compare(*names, samples=int(sys.argv[1]), orders="forward", steps=30, batch_size=64, device="cpu", out=sys.argv[2])
run.summary(), run.best(), run.report()
"""


def peak(samples: int, folder: Path) -> float:
    """The peak resident set of a comparison, in MB."""
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(samples), str(folder)])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the comparison of {samples} samples failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    """Print both peaks and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = {samples: peak(samples, Path(folder) / str(samples)) for samples in SIZES}
    for samples, megabytes in peaks.items():
        print(f"{samples} samples: {megabytes:.0f} MB")
    print(f"ratio {peaks[SIZES[1]] / peaks[SIZES[0]]:.3f}")


if __name__ == "__main__":
    main()
