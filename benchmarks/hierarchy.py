"""The hierarchy of classes: what its numbers cost, and the set distances of a real pair.

    python benchmarks/hierarchy.py [DATA]

DATA, or the environment variable GEVALDI_IMAGENET, is the folder that holds ImageNet pictures and the SqueezeNet pair; without it
only costs are measured. Costs are ratios of medians of calls that take turns in one process.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from imagenet_world import data_folder, pictures, squeezenets

from gevaldi.divergences import divergence
from gevaldi.divergences.kl import kl
from gevaldi.statistics.intervals import mean
from gevaldi.taxonomy import distances, most_probable, registry, set_distance

SIZES, BATCH, CLASSES = (1, 3, 5), 1024, 1000


def timed(*works: Callable[[], object], times: int = 20) -> list[float]:
    """Median seconds of each, measured in turn."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for work, seconds in zip(works, found, strict=True):
            begin = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - begin)
    return [median(seconds) for seconds in found]


def double_loop(first: list[list[int]], second: list[list[int]], matrix: list[list[float]]) -> list[list[float]]:
    """Eq. 4 as it is written, for every sample and size."""
    return [
        [sum(matrix[a][b] for a in one[:n] for b in other[:n]) / n**2 for n in SIZES]
        for one, other in zip(first, second, strict=True)
    ]


def costs() -> None:
    """Print what set distances and the divergence cost."""
    ilsvrc = registry.build("ilsvrc")
    matrix = distances(ilsvrc)
    log_p, log_q = torch.randn(2, BATCH, CLASSES, generator=torch.Generator().manual_seed(0)).mul(4).log_softmax(-1)
    on_device = torch.from_numpy(matrix)

    def fast() -> list[torch.Tensor]:
        p, q = most_probable(log_p, 5), most_probable(log_q, 5)
        return [set_distance(p[:, :n], q[:, :n], on_device) for n in SIZES]

    p, q = most_probable(log_p, 5), most_probable(log_q, 5)
    first, second, plain = p.tolist(), q.tolist(), matrix.tolist()
    assert np.allclose(torch.stack(fast(), 1).numpy(), double_loop(first, second, plain), atol=1e-5)
    arrays = p.numpy(), q.numpy()
    whole, gathered, numpy, loop = timed(
        fast,
        lambda: [set_distance(p[:, :n], q[:, :n], on_device) for n in SIZES],
        lambda: [set_distance(arrays[0][:, :n], arrays[1][:, :n], matrix) for n in SIZES],
        lambda: double_loop(first, second, plain),
    )
    print(f"set distances of {BATCH} predictions over {CLASSES} classes, n = 1, 3, 5, {torch.get_num_threads()} threads:")
    print(f"  from top classes: torch {1e3 * gathered:.2f} ms, numpy {1e3 * numpy:.2f} ms, double loop {1e3 * loop:.1f} ms")
    print(f"  double loop / torch = {loop / gathered:.0f}, with finding the top classes {loop / whole:.0f} ({1e3 * whole:.2f} ms)")
    (seconds,) = timed(lambda: distances(registry.build("ilsvrc")), times=5)
    print(f"distances over {CLASSES} classes, reading the taxonomy included: {seconds:.2f} s")
    over = divergence("wasserstein", taxonomy=ilsvrc)
    x = log_p[:64].clone().requires_grad_()
    of_kl, of_tree = timed(
        lambda: torch.autograd.grad(kl(x, log_q[:64]).sum(), x), lambda: torch.autograd.grad(over(x, log_q[:64]).sum(), x)
    )
    print(f"wasserstein with gradient at batch 64: {1e3 * of_tree:.2f} ms, kl {1e3 * of_kl:.2f} ms")


def real_pair() -> None:
    """Print the set distances of the SqueezeNets over real pictures."""
    data = data_folder(sys.argv[1:])
    if data is None:
        return
    first, second = squeezenets(data)
    shown, _ = pictures(data)
    with torch.no_grad():
        p, q = (torch.cat([net(part) for part in shown.split(25)]) for net in (first, second))
    print(f"{len(shown)} pictures; top classes differ on {100 * (p.argmax(1) != q.argmax(1)).float().mean():.1f} %")
    print("| convention | n | mean set distance (95 % interval) |\n|---|---|---|")
    for convention in ("published", "edges"):
        matrix = torch.from_numpy(distances(registry.build("ilsvrc"), convention))
        for n in SIZES:
            found = mean(set_distance(most_probable(p, n), most_probable(q, n), matrix).tolist())
            print(f"| {convention} | {n} | {found.value:.2f} ({found.low:.2f} to {found.high:.2f}) |")


if __name__ == "__main__":
    costs()
    real_pair()
