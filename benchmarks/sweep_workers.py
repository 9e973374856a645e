"""A sweep on Ray whose workers stay from one comparison to the next, against a cluster that is begun for each of them.

The same six comparisons of three bundled classifiers, each way once a round, in turn; all is timed, connecting included.

    python benchmarks/sweep_workers.py [ROUNDS]
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from gevaldi.compute import Compute
from gevaldi.experiments.execute import run_all
from gevaldi.sweeps.execution import Networks
from gevaldi.sweeps.spec import sweep_from

SWEEP = {
    "classifiers": {name: f"bundled:mnist-{name}" for name in ("strided", "pooled", "referee")},
    "generator": "bundled:mnist-vae",
    "divergences": ["kl", "jensen-shannon"],
    "settings": {"samples": 16, "audited": 50, "taxonomy": "mnist-digits"},
}


def seconds(*, stay: bool) -> float:
    """How long all comparisons take."""
    specs = {name: pair.spec for name, pair in sweep_from(SWEEP).pairs().items()}
    networks, begin = Networks(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for group in [specs] if stay else [{name: spec} for name, spec in specs.items()]:
            with Compute("cpu", engine="ray", progress=False).open() as compute:
                found = list(run_all(group, Path(folder), compute, models=networks.of))
            assert all(outcome.run for outcome in found), [outcome.error for outcome in found]
    return time.perf_counter() - begin


def main(rounds: int) -> None:
    """Print the times, and the median of their ratios."""
    ratios = []
    for turn in range(rounds):
        found = {stay: seconds(stay=stay) for stay in ((True, False) if turn % 2 else (False, True))}
        ratios.append(found[False] / found[True])
        print(f"begun for each {found[False]:.1f} s, staying {found[True]:.1f} s: {ratios[-1]:.2f} x", flush=True)
    print(f"workers that stay: {median(ratios):.2f} x less time, median of {rounds}")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]), *(2,)[len(sys.argv) - 1 :])
