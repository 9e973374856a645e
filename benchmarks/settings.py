"""What tuning is worth for large networks: against plain eager single precision.

One pair: SqueezeNet 1.0 and 1.1 with TAEF2 around real pictures at 224 pixels (with a data folder, see
`imagenet_world.py`). Both ways evaluate the same latents in turn, in batches of the size that was chosen; the ratio is the median
over pairs of evaluations. How far results differ is told by the total variation between predictions and the cosine between
gradients; `bfloat16.py` has what becomes of it at the end of a search. What the cache holds is measured anew.

    python benchmarks/settings.py DATA
"""

import sys
import time
from pathlib import Path
from statistics import median

import torch
from imagenet_world import around_pictures, data_folder, squeezenets

from gevaldi.contract import on_device
from gevaldi.divergences.kl import kl
from gevaldi.execution.autotune import plan_of
from gevaldi.execution.networks import apply_plan
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.execution.threads import in_threads
from gevaldi.execution.tuning import ignoring_cache, lines_of
from gevaldi.objective import Evaluation, Objective
from gevaldi.spec import Spec

PAIRS = 9
PICTURES = range(0, 480, 30)


def real(data: Path) -> Objective:
    """SqueezeNets, around real pictures."""
    return Objective(*squeezenets(data), around_pictures(data, list(PICTURES), 224, 0.1), kl, 0.0)


def evaluation(objective: Objective, plan: ExecutionPlan, size: int) -> tuple[float, Evaluation]:
    """Seconds of one in steady state, after one that warms up, and what it finds."""
    networks = (objective.first, objective.second, objective.generator)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with (
        in_threads(plan.threads),
        on_device(*networks, device=device, dtype=plan.dtype, channels_last=plan.channels_last),
    ):
        evaluate = apply_plan(objective, plan, device)
        z = objective.generator.prior.sample(range(size)).to(device, plan.dtype)
        condition = torch.arange(size, device=device) % len(objective.generator.conditions)
        float(evaluate(z, condition).value.sum())
        begin = time.perf_counter()
        found = evaluate(z, condition)
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
    if not data:
        raise SystemExit("Give the data folder: the bundled pair is small, and nothing is tuned for it.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lines = []
    for name, objective in {"SqueezeNet 1.0, 1.1, TAEF2 at 224": real(data)}.items():
        spec = Spec(first="object:a", second="object:b", generator="object:g", samples=256)
        with ignoring_cache():
            chosen, tuning = plan_of(spec, objective, device)
        assert tuning
        print("\n".join([name, *lines_of({**chosen.record(), "tuning": tuning.record()})]), flush=True)
        plain, size = ExecutionPlan(), chosen.batch_size
        ratios = []
        for pair in range(PAIRS):
            order = (plain, chosen) if pair % 2 else (chosen, plain)  # each goes first as often as the other
            times = {plan: evaluation(objective, plan, size) for plan in order}
            ratios.append(times[plain][0] / times[chosen][0])
        variation, cosine = differences(times[plain][1], times[chosen][1])
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        lines.append(
            f"| {name} | {size} | {median(ratios):.2f} x ({spread}) | {variation:.2g} | {cosine:.4f} | {tuning.seconds:.1f} s |"
        )
    print("\n| networks | batch | chosen against plain | total variation, at most | cosine of gradients, at least | tuning |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
