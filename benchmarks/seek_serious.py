"""Searching with the divergence over the hierarchy against searching with KL: how far apart the top classes end.

The real SqueezeNet pair over pictures that TAEF2 decodes from around real ones: the same starts, searched with both divergences by
the default settings but for the number of steps. Differences are per start, with Student's 95 % interval of their mean.

    python benchmarks/seek_serious.py [DATA [STARTS [STEPS [SIZE [RADIUS]]]]]

DATA, or the environment variable GEVALDI_IMAGENET, is the folder that holds ImageNet pictures, the SqueezeNet pair and TAEF2.
"""

import sys
import time
from typing import Any

import numpy as np
import torch
from imagenet_world import around_pictures, data_folder, squeezenets

from gevaldi.runs.session import models_of
from gevaldi.runs.start import starts as starts_of
from gevaldi.runs.worker.search import search_all
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.spec import spec_from
from gevaldi.statistics.intervals import mean

BATCH = 8


def found(divergence: str, networks: tuple[Any, ...], starts: int, steps: int) -> list[dict[str, Any]]:
    """The rows of a search with one divergence."""
    names = {"first": "object:1.0", "second": "object:1.1", "generator": "object:taef2"}
    spec = spec_from({**names, "samples": starts, "orders": "forward", "divergence": divergence, "search": {"steps": steps}})
    models = models_of(spec, *networks, torch.device("cpu"))
    rows, begin = [], time.perf_counter()
    with prepare_torch(models):
        for results in search_all(starts_of(spec, list(range(starts))), models, spec, BATCH):
            rows += results.rows()
            print(f"{divergence}: {len(rows)} of {starts}, {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return sorted(rows, key=lambda row: int(row["index"]))  # they come as they finish, and are compared start by start


def shown(values: list[float]) -> str:
    """A mean with its interval."""
    estimate = mean(values)
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def main() -> None:
    """Print the table."""
    data, numbers = data_folder(sys.argv[1:]), [float(text) for text in sys.argv[2:]]
    if data is None:
        return
    starts, steps, size, radius = [*numbers, *(32, 30, 224, 0.1)[len(numbers) :]]
    indices = np.linspace(0, 499, int(starts)).astype(int).tolist()
    networks = (*squeezenets(data), around_pictures(data, indices, int(size), radius))
    rows = {name: found(name, networks, int(starts), int(steps)) for name in ("kl", "wasserstein")}
    print(f"{int(starts)} starts, at most {int(steps)} steps, {int(size)} pixels a side, radius {radius}")
    print("| n | before | after KL | after wasserstein | difference |\n|---|---|---|---|---|")
    for n in (1, 3, 5):
        kl, over = ([row[f"set_distance_{n}_end"] for row in rows[name]] for name in ("kl", "wasserstein"))
        before = [row[f"set_distance_{n}_start"] for row in rows["kl"]]
        print(f"| {n} | {shown(before)} | {shown(kl)} | {shown(over)} | {shown([b - a for a, b in zip(kl, over, strict=True)])} |")
    for name, group in rows.items():
        lateral = sum(row["shift"] == "lateral" for row in group)
        print(f"{name}: {lateral} of {len(group)} lateral, {sum(row['steps'] for row in group) / len(group):.0f} steps in the mean")


if __name__ == "__main__":
    main()
