"""Searches in bfloat16 against the same in single precision: how far they get from the same starts, and how long it takes.

SqueezeNet 1.0 against 1.1, TAEF2 around 12 real pictures at 224 pixels, 30 steps, forward. Ends are evaluated in single precision
in both.

    python benchmarks/bfloat16.py DATA
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from imagenet_world import around_pictures, data_folder, squeezenets

import gevaldi

SAMPLES, STEPS, EVERY = 12, 30, 40


def searched(data: Path, precision: str) -> tuple[float, np.ndarray]:
    """Seconds, and the divergence at the end of every sample."""
    generator = around_pictures(data, range(0, SAMPLES * EVERY, EVERY), 224, 0.1)
    generator.starts_at_zero = True
    settings = {"samples": SAMPLES, "steps": STEPS, "orders": "forward", "batch_size": 4, "audited": 2, "precision": precision}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        done = gevaldi.compare(*squeezenets(data), generator, out=folder, device="cpu", **settings)
        return time.perf_counter() - begin, done.rows()["divergence_end"].to_numpy()


def main() -> None:
    """Print a line for each precision, and one for the difference."""
    data = data_folder(sys.argv[1:])
    if data is None:
        return
    found = {precision: searched(data, precision) for precision in ("float32", "bfloat16")}
    for precision, (_, ends) in found.items():
        print(f"{precision}: mean {ends.mean():.1f}, median {np.median(ends):.1f} nats")
    ratio = found["float32"][0] / found["bfloat16"][0]
    difference = found["bfloat16"][1] - found["float32"][1]
    half = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"bfloat16 takes {ratio:.2f} x less; difference a start {difference.mean():.2f} ± {half:.2f} nats (95 %)")


if __name__ == "__main__":
    main()
