"""What the settings that a probe chooses are worth: against plain eager single precision with as many threads as torch takes.

Two pairs: the bundled one, and SqueezeNet 1.0 and 1.1 with TAEF2 around real pictures at 224 pixels (with a data folder, see
`imagenet_world.py`). Both ways evaluate the same latents in turn, in batches of the size that was chosen; the ratio is the median
over pairs of evaluations. How far results differ is told by the total variation between predictions and the cosine between
gradients; `bfloat16.py` has what becomes of it at the end of a search. What the cache holds is measured anew.

    python benchmarks/settings.py DATA
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from gevaldi.runs.compiled import made_ready
from gevaldi.runs.probes import lines_of, made_anew
from gevaldi.runs.rounding import Rounding
from gevaldi.runs.speed import chosen_speed
from imagenet_world import around_pictures, data_folder, squeezenets

from gevaldi.classifiers import load_classifier
from gevaldi.contract import settled
from gevaldi.divergences.kl import kl
from gevaldi.execution.threads import in_threads
from gevaldi.generators import load_generator
from gevaldi.objective import Evaluation, Objective
from gevaldi.spec import Spec

PAIRS = 9
PICTURES = range(0, 480, 30)


def bundled() -> Objective:
    """The pair that ships."""
    first, second = (load_classifier(f"bundled:mnist-{name}") for name in ("strided", "pooled"))
    return Objective(first, second, load_generator("bundled:mnist-vae"), kl, 0.0)


def real(data: Path) -> Objective:
    """SqueezeNets, around real pictures."""
    return Objective(*squeezenets(data), around_pictures(data, list(PICTURES), 224, 0.1), kl, 0.0)


def evaluation(objective: Objective, rounding: Rounding, size: int) -> tuple[float, Evaluation]:
    """Seconds of one in steady state, after one that warms up, and what it finds."""
    networks = (objective.first, objective.second, objective.generator)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with (
        in_threads(rounding.threads),
        settled(*networks, device=device, dtype=rounding.dtype, channels_last=rounding.channels_last),
    ):
        padded = rounding.padded_to(size)
        ready = made_ready(replace(objective, mixed=rounding.mixed), rounding, padded, device)
        z = objective.generator.prior.sample(range(size)).to(device, rounding.dtype)
        evaluate = ready.given(torch.arange(size, device=device) % len(objective.generator.conditions), padded)
        float(evaluate(z).value.sum())
        begin = time.perf_counter()
        found = evaluate(z)
        float(found.value.sum())  # waits for the device
        return time.perf_counter() - begin, found


def differences(one: Evaluation, other: Evaluation) -> tuple[float, float]:
    """The largest total variation between predictions, and the smallest cosine between gradients."""
    pairs = ((one.log_p, other.log_p), (one.log_q, other.log_q))
    variation = max(float((0.5 * (a.double().exp() - b.double().exp()).abs().sum(-1)).max()) for a, b in pairs)
    gradients = (one.gradient.flatten(1).double(), other.gradient.flatten(1).double())
    return variation, float(torch.nn.functional.cosine_similarity(*gradients).min())


def main() -> None:
    """Print what was tried for each pair, and a line of a table."""
    data = data_folder(sys.argv[1:])
    pairs: dict[str, Callable[[], Objective]] = {"bundled pair": bundled}
    if data:
        pairs["SqueezeNet 1.0, 1.1, TAEF2 at 224"] = lambda: real(data)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lines = []
    for name, loaded in pairs.items():
        objective, spec = loaded(), Spec(first="object:a", second="object:b", generator="object:g", samples=256)
        with made_anew():
            probe = chosen_speed(spec, objective, device)
        print("\n".join([name, *lines_of({**probe.chosen.model_dump(), "probe": probe.record()})]), flush=True)
        chosen, size = Rounding.recorded(probe.chosen.model_dump(), device), probe.chosen.batch_size
        ratios = []
        for pair in range(PAIRS):
            order = (Rounding(), chosen) if pair % 2 else (chosen, Rounding())  # each goes first as often as the other
            times = {rounding: evaluation(objective, rounding, size) for rounding in order}
            ratios.append(times[Rounding()][0] / times[chosen][0])
        variation, cosine = differences(times[Rounding()][1], times[chosen][1])
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        lines.append(
            f"| {name} | {size} | {median(ratios):.2f} x ({spread}) | {variation:.2g} | {cosine:.4f} | {probe.seconds:.1f} s |"
        )
    print("\n| networks | batch | chosen against plain | total variation, at most | cosine of gradients, at least | probe |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
