"""Does a classifier get better when it is fine-tuned on maximally different samples that the referee labelled?

In each round, by its own seed: a search for pictures on which mnist-strided differs from mnist-pooled (the forward order, which
finds mostly what the first gets wrong), labels of mnist-referee, and mnist-strided fine-tuned from the weights that ship by the
same number of steps on batches of the same size, four times:

- confirmed: as searched, but only with those pictures on which the referee names what the generator was asked for;
- searched: half of each batch are the pictures that the search ended at, the other half training digits of MNIST;
- unsearched: half are as many pictures of the same generator before the search, labelled alike;
- none: all are training digits.

Measured are the 10,000 test digits, and a fresh search (another seed) for pictures on which the fine-tuned classifier differs from
mnist-pooled. Differences are paired by round, with Student's 95 % interval of their mean.

    python benchmarks/retraining.py MNIST [ROUNDS [SAMPLES [STEPS [RATE [FRESH]]]]]

MNIST is the folder of the four idx files; FRESH is how many samples a fresh search has, 0 for none.
"""

import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

import gevaldi
from gevaldi.bundled.examples import Examples
from gevaldi.bundled.store import load
from gevaldi.bundled.worlds import DIGITS
from gevaldi.comparison import Comparison
from gevaldi.statistics.intervals import Estimate, mean

BATCH = 64
ARMS = ("none", "unsearched", "searched", "confirmed")


def pushed_apart(network: nn.Module, samples: int, seed: int, folder: Path) -> Comparison:
    """A search for pictures on which a network differs from mnist-pooled."""
    names = ("bundled:mnist-pooled", "bundled:mnist-vae")
    first = gevaldi.classifier(network, labels=10, name="strided").eval()
    return gevaldi.compare(first, *names, samples=samples, seed=seed, orders="forward", out=folder, progress=False)


def pictures_of(comparison: Comparison, stage: str) -> Tensor:
    """The pictures of a run's samples before ("start") or after ("end") the search."""
    from io import BytesIO

    import numpy as np
    from PIL import Image

    stored = [row[f"picture_{stage}"]["bytes"] for row in comparison.run.each([f"picture_{stage}"])]
    return torch.from_numpy(np.stack([np.asarray(Image.open(BytesIO(png)), np.float32) / 255 for png in stored])).unsqueeze(1)


def fine_tuned(network: nn.Module, own: Examples, more: Examples | None, steps: int, rate: float, seed: int) -> nn.Module:
    """A copy of the network after so many steps; half of each batch is drawn from `more`, if there is any."""
    tuned = deepcopy(network).requires_grad_(True).train()
    optimiser, draw = torch.optim.Adam(tuned.parameters(), rate), torch.Generator().manual_seed(seed)
    for _ in range(steps):
        parts = [(own, BATCH)] if more is None else [(own, BATCH // 2), (more, BATCH // 2)]
        chosen = [(digits, torch.randint(len(digits), (count,), generator=draw)) for digits, count in parts]
        x = torch.cat([digits.pictures[places] for digits, places in chosen])
        y = torch.cat([digits.labels[places] for digits, places in chosen])
        optimiser.zero_grad()
        nn.functional.cross_entropy(tuned(x), y).backward()
        optimiser.step()
    return tuned.eval().requires_grad_(False)


def measured(network: nn.Module, test: Examples, referee: nn.Module, samples: int, seed: int, folder: Path) -> dict[str, float]:
    """Errors on test digits, and what a fresh search finds."""
    with torch.no_grad():
        errors = 100 * (network(test.pictures).argmax(1) != test.labels).float().mean().item()
        if not samples:
            return {"errors on test digits, %": errors}
        fresh = pushed_apart(network, samples, seed, folder)
        found = pictures_of(fresh, "end")
        wrong = 100 * (network(found).argmax(1) != referee(found).argmax(1)).float().mean().item()
    rows = fresh.rows()
    at_start = (
        100 * (network(pictures_of(fresh, "start")).argmax(1) != referee(pictures_of(fresh, "start")).argmax(1)).float().mean()
    )
    return {
        "errors on test digits, %": errors,
        "divergence of a fresh search, nats": float(rows["divergence_end"].mean()),
        "the referee contradicts it there, %": wrong,
        "the referee contradicts it before that search, %": float(at_start),
    }


def one_round(
    seed: int, samples: int, steps: int, rate: float, fresh: int, train: Examples, test: Examples, folder: Path
) -> dict[str, dict[str, float]]:
    """What is measured of the network as it ships and of each arm."""
    strided, referee = load("mnist-strided"), load("mnist-referee")
    searched = pushed_apart(strided, samples, seed, folder / "samples")
    more: dict[str, Examples | None] = {"none": None}
    for arm, stage in (("unsearched", "start"), ("searched", "end")):
        pictures = pictures_of(searched, stage)
        with torch.no_grad():
            more[arm] = Examples(pictures, referee(pictures).argmax(1))
    asked = torch.tensor(searched.rows()["condition"].to_numpy())
    found = more["searched"]
    assert found
    sure = found.labels == asked
    more["confirmed"] = Examples(found.pictures[sure], found.labels[sure])
    contradicted = 100 * (strided(found.pictures).argmax(1) != found.labels).float().mean().item()
    print(
        f"round {seed}: the referee names what was asked for on {100 * sure.float().mean():.0f} %, and contradicts the first on "
        f"{contradicted:.0f} %",
        file=sys.stderr,
        flush=True,
    )
    networks = {"as it ships": strided} | {arm: fine_tuned(strided, train, more[arm], steps, rate, seed) for arm in ARMS}
    return {name: measured(network, test, referee, fresh, 1000 + seed, folder / name) for name, network in networks.items()}


def shown(estimate: Estimate) -> str:
    """A mean with its interval."""
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def main() -> None:
    """Print the tables."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    numbers = [float(text) for text in sys.argv[2:]]
    rounds, samples, steps, rate, fresh = [*numbers, *(10, 256, 300, 3e-4, 64)[len(numbers) :]]
    train, test = DIGITS.data.read("train", Path(sys.argv[1])), DIGITS.data.read("test", Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        found = [
            one_round(seed, int(samples), int(steps), rate, int(fresh), train, test, Path(folder) / str(seed))
            for seed in range(1, int(rounds) + 1)
        ]
    print(f"{int(rounds)} rounds, {int(samples)} samples, {int(steps)} steps of {BATCH} digits, rate {rate:g}\n")
    for what in found[0]["none"]:
        values = {name: [each[name][what] for each in found] for name in found[0]}
        print(f"| {what} | mean | minus as it ships | minus none | minus unsearched |\n|---|---|---|---|---|")
        for name, group in values.items():
            less = [[a - b for a, b in zip(group, values[other], strict=True)] for other in ("as it ships", "none", "unsearched")]
            print(f"| {name} | {mean(group).value:.2f} | {' | '.join(shown(mean(d)) if any(d) else '' for d in less)} |")
        print()


if __name__ == "__main__":
    main()
