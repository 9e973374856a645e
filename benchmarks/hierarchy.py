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

from gevaldi.classifiers import load_classifier
from gevaldi.divergences import divergence
from gevaldi.divergences.kl import kl
from gevaldi.generators import load_generator
from gevaldi.runs.hierarchy import hierarchy_of
from gevaldi.runs.session import models_of
from gevaldi.runs.worker.recorder import BLOCK
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.spec import Spec
from gevaldi.statistics.intervals import mean
from gevaldi.taxonomy import Taxonomy, distances, most_probable, registry, set_distance, taxonomy_of

SIZES, BATCH, CLASSES = (1, 3, 5), 1024, 1000
HALVES = [("odd", "digit"), ("even", "digit")]


def timed(*works: Callable[[], object], times: int = 20) -> list[float]:
    """Median seconds of each, measured in turn."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for work, seconds in zip(works, found, strict=True):
            begin = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - begin)
    return [median(seconds) for seconds in found]


def from_the_hierarchy(taxonomy: Taxonomy, first: list[list[int]], second: list[list[int]]) -> list[list[float]]:
    """The same without a matrix: every distance is looked up in the hierarchy when it is needed."""

    def apart(a: int, b: int) -> float:
        one, other = taxonomy.levels_up(taxonomy.classes[a]), taxonomy.levels_up(taxonomy.classes[b])
        return max(min(one[node] + other[node] for node in one.keys() & other.keys()) - 1, 0) / 2

    return [
        [sum(apart(a, b) for a in one[:n] for b in other[:n]) / n**2 for n in SIZES]
        for one, other in zip(first, second, strict=True)
    ]


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
    print(f"  double loop / torch = {loop / gathered:.0f}; with finding the top classes torch takes {1e3 * whole:.2f} ms")
    (slow,) = timed(lambda: from_the_hierarchy(ilsvrc, first, second), times=1)
    print(f"  double loop that looks every distance up in the hierarchy / torch = {slow / gathered:.0f} ({slow:.1f} s)")
    again = [(node, above) for node, uppers in ilsvrc.hypernyms.items() for above in uppers]
    (seconds,) = timed(lambda: distances(taxonomy_of(ilsvrc.classes, again)), times=5)
    print(f"distances over {CLASSES} classes, making the taxonomy included: {seconds:.2f} s")
    over = divergence("wasserstein", taxonomy=ilsvrc)
    x = log_p[:64].clone().requires_grad_()
    of_kl, of_tree = timed(
        lambda: torch.autograd.grad(kl(x, log_q[:64]).sum(), x), lambda: torch.autograd.grad(over(x, log_q[:64]).sum(), x)
    )
    print(f"wasserstein with gradient at batch 64: {1e3 * of_tree:.2f} ms, kl {1e3 * of_kl:.2f} ms")


def share_of_a_step() -> None:
    """Print what following the set distance adds to a step of the bundled pair, whose networks are small, at batch 64."""
    names = {"first": "bundled:mnist-strided", "second": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"}
    first, second, generator = load_classifier(names["first"]), load_classifier(names["second"]), load_generator(names["generator"])
    digits = taxonomy_of([str(i) for i in range(10)], [(str(i), "odd" if i % 2 else "even") for i in range(10)] + HALVES)
    spec = Spec(**names)
    hierarchy = hierarchy_of(
        spec.model_copy(update={"taxonomy": "halves"}), digits, first.labels, second.labels, torch.device("cpu")
    )
    assert hierarchy
    models = models_of(spec, first, second, generator, torch.device("cpu"))
    z, condition = models.starts(range(64)), torch.arange(64) % 10
    p, q = (torch.randn(64 * BLOCK, 10).topk(5).indices for _ in range(2))
    with prepare_torch(models):
        objective = models.objective(0.0)
        step, block = timed(lambda: objective(z, condition), lambda: hierarchy.along(p, q), times=100)
    print(f"set distances along the path: {100 * block / (BLOCK * step):.2f} % of a step")


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
    share_of_a_step()
    real_pair()
