"""Is the default fast, on an idle machine and on a loaded one?

`gevaldi compare` of the bundled pair as it comes, and with batch sizes and threads fixed, in turn; idle, and with a busy loop on
each core.

    python benchmarks/loaded.py 256 3        # starts, rounds
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

NAMES = ("bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
WAYS = {"default": ()} | {
    f"{threads} threads, batch {size}": ("--set", f"speed.threads={threads}", "--batch-size", str(size))
    for threads in (1, 2)
    for size in (32, 64, 128, 256)
}


def seconds(starts: int, options: tuple[str, ...]) -> float:
    """Of one whole command."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gevaldi", "compare", *NAMES, "-n", str(starts), "--set", "audited=20", "--no-report"]
        begin = time.perf_counter()
        subprocess.run([*command, "--out", str(Path(folder) / "run"), *options], env=environment, check=True, capture_output=True)
        return time.perf_counter() - begin


def main(starts: int, rounds: int) -> None:
    """Print a table for each load."""
    for load in ("idle", "a busy loop on each core"):
        with ExitStack() as stack:
            for _ in range(os.cpu_count() or 1) if load != "idle" else ():
                stack.callback(subprocess.Popen([sys.executable, "-c", "while True: pass"]).kill)
            times: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(rounds):
                for way, options in WAYS.items():
                    times[way].append(seconds(starts, options))
        best = min(median(values) for values in times.values())
        print(f"\n{load}\n\n| | seconds | against the best |\n|---|---|---|")
        for way, values in times.items():
            print(f"| {way} | {median(values):.1f} | {median(values) / best:.2f} |", flush=True)


if __name__ == "__main__":
    main(*(int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 256), (2, 3))))
