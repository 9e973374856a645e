"""Regions of disagreement: do they replicate, and do real pictures agree with their order?

    python benchmarks/regions.py DATA [--draws N]

`DATA` holds the folders `mnist` and `fashion` with their idx files. For each pair, N draws (600,000 by default) are divided: on
every 20,000 of the first half, regions are chosen and measured as `gevaldi regions` does it; the second half says what the shares
are. The last columns compare the order of the regions with that on real test pictures.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap, spearmanr

from gevaldi.compute import Compute
from gevaldi.engines.base import compute_draws
from gevaldi.jobs import open_job
from gevaldi.pictures import sources
from gevaldi.regions.discovery import discover
from gevaldi.regions.measured import measure, occurrence
from gevaldi.regions.rules import Table
from gevaldi.regions.tables import classify_real, drawn_table, halves
from gevaldi.runs.worker.setup import Models
from gevaldi.spec import spec_from
from gevaldi.statistics.paired import exact_share

PAIRS = (
    ("bundled:mnist-strided-1k", "bundled:mnist-pooled-1k", "bundled:mnist-vae", "mnist:test"),
    ("bundled:fashion-dense", "bundled:fashion-strided", "bundled:fashion-vae", "fashion:test"),
    ("bundled:fashion-separable", "bundled:fashion-referee", "bundled:fashion-vae", "fashion:test"),
)
PART = 20_000


def tables(first: str, second: str, generator: str, pool: str, draws: int, folder: Path) -> tuple[Table, Table, Models]:
    """All draws of a pair, and the real pictures."""
    spec = spec_from({"first": first, "second": second, "generator": generator})
    models = (first, second, generator)
    with Compute(progress=False).open() as compute, open_job(spec, folder, models, compute, "") as job:
        assert compute.rows
        stored = compute_draws(job, compute.rows, draws).table()
        return drawn_table(stored, job.models), classify_real(job.models, sources.load(pool)).table, job.models


def replication(table: Table, models: Models) -> tuple[int, int]:
    """How many measured regions there are, and for how many of them the interval of the share covers that of other draws."""
    middle = len(table) // 2
    fresh = table.select(np.arange(middle, len(table)))
    covered = measured = 0
    for begin in range(0, middle, PART):
        choosing, measuring = halves(table.select(np.arange(begin, begin + PART)), len(models.generator.conditions))
        for region in measure(discover(choosing), measuring):
            truth = region.disputed(fresh).sum() / fresh.differ.sum()
            covered += region.drawn.share.low <= truth <= region.drawn.share.high
            measured += 1
    return measured, covered


def against_real(table: Table, real: Table, models: Models) -> tuple[int, float, float, float]:
    """The number of regions, and Spearman's correlation of their shares with those of real disagreements, with its interval."""
    choosing, measuring = halves(table, len(models.generator.conditions))
    found = discover(choosing)
    drawn = np.array([occurrence(region, measuring).share.value for region in found])
    shown = np.array([occurrence(region, real).share.value for region in found])

    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        return float(spearmanr(a, b).statistic)

    ends = bootstrap((drawn, shown), correlation, paired=True, vectorized=False, n_resamples=2_000, rng=0).confidence_interval
    return len(found), correlation(drawn, shown), float(ends.low), float(ends.high)


def main(data: Path, draws: int) -> None:
    print("| pair | draws | differ | regions measured | share replicates (95 % interval) | regions | Spearman with real shares |")
    print("|---|---|---|---|---|---|---|")
    for first, second, generator, pool in PAIRS:
        begin = time.perf_counter()
        where = f"{pool},folder={data / pool.partition(':')[0]}"
        with tempfile.TemporaryDirectory() as folder:
            table, real, models = tables(first, second, generator, where, draws, Path(folder) / "run")
        measured, covered = replication(table, models)
        count, rho, low, high = against_real(table, real, models)
        share = exact_share(covered, measured)
        names = " and ".join(name.removeprefix("bundled:") for name in (first, second))
        print(
            f"| {names} | {len(table):,} | {100 * table.differ.mean():.1f} % (real {100 * real.differ.mean():.1f} %) "
            f"| {measured:,} | {100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) | {count} "
            f"| {rho:.2f} ({low:.2f} to {high:.2f}) |",
            flush=True,
        )
        print(f"{time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    count = int(words.pop(words.index("--draws") + 1)) if "--draws" in words else 600_000
    main(Path(words[0]).resolve(), count)
