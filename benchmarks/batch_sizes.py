"""Are rows a function of the spec? The same starts of four pairs of small networks, on one and two threads, in batches of 1, 7, 64.

Each run is compared with that of one thread and batches of 64 in the same precision: the share of rows with the same top classes,
with a final divergence equal to 1e-4 (relative), and with the same bits.

    python benchmarks/batch_sizes.py 128     # starts, each searched in both orders
"""

import os
import sys
from itertools import product

import numpy as np

import gevaldi

os.environ.pop("OMP_NUM_THREADS", None)  # which would fix the number of threads

PAIRS = (
    ("bundled:mnist-strided", "bundled:mnist-pooled"),
    ("bundled:mnist-strided-1k", "bundled:mnist-pooled-1k"),
    ("bundled:mnist-strided-61k", "bundled:mnist-pooled-89k"),
    ("bundled:mnist-referee", "bundled:mnist-errs-far"),
)
WAYS = [way for way in product((64, 7, 1), (1, 2)) if way != (64, 1)]  # batch sizes and threads


def ends(pair: tuple[str, str], starts: int, precision: str, batch_size: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Final divergences (rows,) and top classes (rows, 2)."""
    speed = {"batch_size": batch_size, "threads": threads}
    settings = {"samples": starts, "precision": precision, "speed": speed, "audited": 4, "device": "cpu", "progress": False}
    rows = gevaldi.compare(*pair, "bundled:mnist-vae", **settings).rows()
    tops = [[row[0]["label"] for row in rows[side]] for side in ("first_end", "second_end")]
    return rows["divergence_end"].to_numpy(), np.array(tops).T


def main(starts: int) -> None:
    """Print the table."""
    print("| pair | precision | batch size | threads | same top classes | within 1e-4 | same bits |\n|---|---|---|---|---|---|---|")
    for pair in PAIRS:
        for precision in ("float64", "float32"):
            divergence, tops = ends(pair, starts, precision, 64, 1)
            for batch_size, threads in WAYS:
                other, other_tops = ends(pair, starts, precision, batch_size, threads)
                shares = (other_tops == tops).all(1), np.isclose(other, divergence, rtol=1e-4, atol=0), other == divergence
                name = " and ".join(part.removeprefix("bundled:mnist-") for part in pair)
                print(
                    "|",
                    " | ".join([name, precision, str(batch_size), str(threads), *(f"{100 * s.mean():.1f} %" for s in shares)]),
                    "|",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
