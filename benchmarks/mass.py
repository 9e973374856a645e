"""How well the mass of an event is estimated, where the answer is known.

    python benchmarks/mass.py [--only TABLE] [--repeats N] [--run FOLDER]

TABLE is one of coverage, cost, conditions, examples, bundled. Each is printed as Markdown. The first four take 30 minutes;
`bundled` draws 2,200,000 digits into a run in FOLDER, takes an hour of one core, and resumes. References of the examples are
those of OpenTURNS' own collection (`pip install openturns otbenchmark`); its problems stand here as functions of standard normal
numbers.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from scipy.special import ndtr
from torch import Tensor

import gevaldi
from gevaldi.disagreement import disagreement_level
from gevaldi.divergences.kl import kl
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.mass.draws import Drawing
from gevaldi.mass.event import Event
from gevaldi.mass.mass import Mass, counted, is_rare, simulated
from gevaldi.mass.stored import StoredDraws
from gevaldi.mass.subset_simulation import Level, Rare, simulate
from gevaldi.models import Classifier, Generator, labels_of
from gevaldi.priors.standard_normal import standard_normal
from gevaldi.runs.worker.setup import Models
from gevaldi.search.algorithms.adam import Adam
from gevaldi.spec import Spec
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share
from gevaldi.testing.worlds import wedge

ALONE = np.zeros(1, np.int64)  # the condition of a generator without any
FIRST, FRESH = 200_000, 2_000_000  # draws of the default, and of plain Monte Carlo beside it


def level_of_wedge(size: int, probability: float, seed: int) -> Level:
    """The room's level function for two linear classifiers that differ with this probability."""
    first, second = wedge(size, math.pi * probability, seed)
    return lambda u, condition: disagreement_level(first(u[:, None, None]), second(u[:, None, None]))


@dataclass(frozen=True)
class Estimates:
    """Repeated estimates of one probability, with their numbers of evaluations."""

    truth: float
    found: Sequence[tuple[Estimate, int]]

    @classmethod
    def of(cls, truth: float, found: Iterable[Rare | Mass]) -> "Estimates":
        """Keeps no latents."""
        return cls(truth, [(one.probability, one.evaluations) for one in found])

    @property
    def values(self) -> np.ndarray:
        """All estimates."""
        return np.array([estimate.value for estimate, _ in self.found])

    @property
    def calls(self) -> float:
        """Mean number of evaluations."""
        return float(np.mean([evaluations for _, evaluations in self.found]))

    @property
    def variation(self) -> float:
        """Their standard deviation, relative to the truth."""
        return float(self.values.std() / self.truth)

    def columns(self) -> str:
        """Coverage with its exact interval, misses on both sides, the mean, the coefficient of variation, and calls."""
        below = sum(estimate.high < self.truth for estimate, _ in self.found)
        above = sum(estimate.low > self.truth for estimate, _ in self.found)
        own = exact_share(len(self.found) - below - above, len(self.found))
        covers = f"{100 * own.value:.1f} % ({100 * own.low:.1f} to {100 * own.high:.1f})"
        return f"{covers} | {below} | {above} | {self.values.mean() / self.truth:.3f} | {self.variation:.3f} | {self.calls:,.0f}"


HEADER = "coverage | below | above | mean / P | coefficient of variation | calls"


def coverage(repeats: int) -> None:
    """The wedge: two linear classifiers at an angle θ differ with probability θ/π, in any dimension."""
    print(f"\n| size | P | {HEADER} |\n|---|---|---|---|---|---|---|---|")
    for size in (16, 20, 128):
        for truth in (1e-2, 1e-4, 1e-6):
            found = (simulate(level_of_wedge(size, truth, seed), size, ALONE, seed) for seed in range(repeats))
            print(f"| {size} | {truth:g} | {Estimates.of(truth, found).columns()} |", flush=True)


def cost(repeats: int) -> None:
    """Calls against those that plain Monte Carlo needs for the same coefficient of variation."""
    print("\n| P, size 20 | calls | coefficient of variation | Monte Carlo needs | times as many |\n|---|---|---|---|---|")
    for truth in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6):
        own = Estimates.of(truth, (simulate(level_of_wedge(20, truth, seed), 20, ALONE, seed) for seed in range(repeats)))
        needed = (1 - truth) / truth / own.variation**2
        print(f"| {truth:g} | {own.calls:,.0f} | {own.variation:.3f} | {needed:,.0f} | {needed / own.calls:.2f} |", flush=True)


class Conditioned(Generator):
    """The latent and its condition as a picture of one row."""

    def __init__(self, size: int, conditions: int) -> None:
        super().__init__()
        self.prior, self.conditions = standard_normal(size), labels_of(conditions)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """(batch, 1, 1, size + 1)."""
        return torch.cat([z, condition[:, None].to(z)], 1)[:, None, None, :]


class LinearByCondition(Classifier):
    """Two classes with logits (a·x, 0), and another slope a for each condition."""

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.labels = labels_of(2)
        self.register_buffer("slopes", slopes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Log-probabilities of the two."""
        row = pictures.flatten(1)
        logit = (row[:, :-1] * self.slopes[row[:, -1].long()].to(row)).sum(1)
        return torch.stack([logit, torch.zeros_like(logit)], 1).log_softmax(-1)


def conditions(repeats: int) -> None:
    """What `mass` answers after 40,000 draws by a generator with conditions, in which the event is not equally frequent."""
    print(f"\n| after 40,000 draws, size 16 | P | {HEADER} | by subset simulation |\n|---|---|---|---|---|---|---|---|---|")
    worlds = {
        "one condition": [1e-4],
        "one condition, 30 hits expected": [7.5e-4],
        "ten, 1e-4 to 1e-7": np.geomspace(1e-4, 1e-7, 10).tolist(),
        "ten, one 1e-4, the others 1e-7": [1e-4, *[1e-7] * 9],
        "ten, one 1e-3, the others never": [1e-3, *[0.0] * 9],
        "fifty, 1e-4 to 1e-7": np.geomspace(1e-4, 1e-7, 50).tolist(),
    }
    for name, shares in worlds.items():
        truth, found = float(np.mean(shares)), [_mass_by_condition(shares, seed) for seed in range(repeats)]
        rare = np.mean([mass.method == "subset simulation" for mass in found])
        print(f"| {name} | {truth:.3g} | {Estimates.of(truth, found).columns()} | {100 * rare:.0f} % |", flush=True)


def _mass_by_condition(shares: Sequence[float], seed: int) -> Mass:
    pairs = [wedge(16, math.pi * share, 100 * seed + number) for number, share in enumerate(shares)]
    first, second = (LinearByCondition(torch.stack([pair[side].slope for pair in pairs])).double() for side in (0, 1))
    generator = Conditioned(16, len(shares))
    plan = ExecutionPlan(torch.float64, small=True)
    models = Models(first, second, generator, kl, Adam(), torch.device("cpu"), plan)
    drawing = Drawing(models, Spec(first="a", second="b", generator="g", seed=seed))
    with torch.inference_mode():
        z, condition = drawing.inputs(range(40_000))
        log_p, log_q = (network(generator(z, condition)) for network in (first, second))
        columns = {
            "index": np.arange(40_000),
            "condition": condition.numpy(),
            "first": log_p.argmax(1).numpy(),
            "second": log_q.argmax(1).numpy(),
            "divergence": kl(log_p, log_q).numpy(),
            "level": disagreement_level(log_p, log_q).float().numpy(),
        }
    draws = pa.table(columns)
    mass = counted(Event(), draws, drawing)
    return simulated(Event(), drawing, draws, mass)[0] if is_rare(mass.hits) else mass


@dataclass(frozen=True)
class Example:
    """A problem of OpenTURNS: a limit state of independent numbers, which fails where it is negative.

    Attributes:
        size: numbers.
        reference: the published probability.
        limit: the limit state, of standard normal numbers.
        exact: the probability, where it has a formula.
    """

    size: int
    reference: float
    limit: Callable[[Tensor], Tensor]
    exact: float | None = None


def _exponential(u: Tensor) -> Tensor:
    return -torch.special.log_ndtr(-u)


def _branches(u: Tensor) -> Tensor:
    x, y = u.T
    bent, side = 3 + 0.1 * (x - y) ** 2, (x + y) / math.sqrt(2)
    wide = 7 / math.sqrt(2)
    return torch.stack([bent - side, bent + side, x - y + wide, y - x + wide]).amin(0)


def _steps(u: Tensor) -> Tensor:
    x, y = u.T
    return torch.minimum(torch.where(x <= 3.5, 0.85 - 0.1 * x, 4 - x), torch.where(y <= 2, 2.3 - y, 0.5 - 0.1 * y))


def _two_bounds(u: Tensor) -> Tensor:
    x, y = u.T
    return torch.maximum(x**2 - 8 * y + 16, -16 * x + y + 32)


EXAMPLES = {
    "RP24, a quartic": Example(2, 0.00286, lambda u: 2.5 - 0.2357 * 3 * (u[:, 0] - u[:, 1]) + 0.00463 * (3 * u.sum(1)) ** 4),
    "RP25, the worse of two": Example(2, 4.14856629e-5, _two_bounds),
    "RP33, the better of two": Example(3, 0.00257, lambda u: torch.minimum(3 * math.sqrt(3) - u.sum(1), 3 - u[:, 2])),
    "RP54, twenty exponential": Example(20, 0.000998, lambda u: _exponential(u).sum(1) - 8.951),
    "RP63, a hundred": Example(100, 0.000379, lambda u: 0.1 * u[:, 1:].square().sum(1) - u[:, 0] - 4.5),
    "RP107, a plane": Example(10, 2.92e-7, lambda u: 5 * math.sqrt(10) - u.sum(1), float(ndtr(-5))),
    "RP111, four corners": Example(2, 7.65e-7, lambda u: 12.5 - u.prod(1).abs()),
    "four branches": Example(2, 0.00222279507, _branches),
    "RP110, steps that point elsewhere": Example(2, 3.19e-5, _steps),
}


def examples(repeats: int) -> None:
    """Problems of OpenTURNS with their published probabilities."""
    print(f"\n| problem of OpenTURNS | size | published | {HEADER} |\n|---|---|---|---|---|---|---|---|---|")
    for name, example in EXAMPLES.items():
        found = (simulate(lambda u, c, e=example: -e.limit(u), example.size, ALONE, seed) for seed in range(repeats))
        truth = example.exact or example.reference
        print(f"| {name} | {example.size} | {example.reference:.4g} | {Estimates.of(truth, found).columns()} |", flush=True)


def bundled(folder: Path) -> None:
    """The bundled pair: the default's answers against plain Monte Carlo with other draws, total, by condition and by class pair."""
    pair = gevaldi.compare("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae", samples=1, out=folder)
    pair.mass(draws=FIRST + FRESH)
    drawn = StoredDraws.of(pair.run).table().slice(FIRST, FRESH)
    first, second, divergence = (drawn[name].to_numpy() for name in ("first", "second", "divergence"))
    print("\n| event | method | P | evaluations | 2,000,000 other draws | within both intervals |\n|---|---|---|---|---|---|")
    for event, happens in _events(first, second, divergence):
        mass, plain = pair.mass(event), exact_share(int(happens.sum()), len(happens))
        overlap = mass.probability.low <= plain.high and plain.low <= mass.probability.high
        print(f"| {event} | {mass.method} | {mass.probability} | {mass.evaluations:,} | {plain} | {overlap} |", flush=True)
    mass = pair.mass()
    names = [label.name for label in gevaldi.classifier("bundled:mnist-strided").labels]
    rows = [
        (mass.by_pair.get((names[a], names[b]), exact_share(0, FIRST)), float(((first == a) & (second == b)).mean()))
        for a in range(len(names))
        for b in range(len(names))
        if a != b
    ]
    covered = sum(own.low <= plain <= own.high for own, plain in rows)
    print(f"\nBy class pair: {covered} of {len(rows)} intervals hold the share among 2,000,000 other draws.")
    condition = drawn["condition"].to_numpy()
    differ = {str(c): float((first != second)[condition == c].mean()) for c in np.unique(condition)}
    covered = sum(own.low <= plain <= own.high for own, plain in zip(mass.by_condition.values(), differ.values(), strict=True))
    print(f"By condition: {covered} of {len(differ)}.")


def _events(first: np.ndarray, second: np.ndarray, divergence: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "top classes differ", first != second
    for share in (1e-3, 1e-4, 3e-5, 1e-5):
        threshold = float(f"{np.quantile(divergence, 1 - share):.3g}")
        yield f"divergence > {threshold:g}", divergence > threshold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["coverage", "cost", "conditions", "examples", "bundled"])
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--run", type=Path, default=Path("mass-of-the-bundled-pair"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    tables = {table.__name__: partial(table, chosen.repeats) for table in (coverage, cost, conditions, examples)}
    tables["bundled"] = partial(bundled, chosen.run)
    for name, table in tables.items():
        if chosen.only in (None, name):
            table()


if __name__ == "__main__":
    main()
