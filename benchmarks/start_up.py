"""Seconds until `import gevaldi` and `gevaldi --help` are done, beside a bare `python -c pass`; medians of 15 runs each, in turn.

python benchmarks/start_up.py
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import gevaldi": [sys.executable, "-c", "import gevaldi"],
    "gevaldi --help": [str(Path(sys.executable).parent / "gevaldi"), "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def seconds(command: list[str]) -> float:
    """How long a command takes."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print the medians."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(15):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    for name, times in taken.items():
        print(f"{name:16s} {median(times):.2f} s (fastest {min(times):.2f})")


if __name__ == "__main__":
    main()
