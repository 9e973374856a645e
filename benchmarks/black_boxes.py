"""Searches without gradients side by side: disagreements, pairs of classes and divergence after so many queries.

A query is one picture on which both classifiers answer; a search with gradients also takes a backward pass for each. A start of
a method is 1,000 queries, with as many searches, one after the other, as these allow: one of CMA-ES ends after 500, one of Adam
when it stops gaining. Only the first column counts all queries; the others count those within 0.999 of the prior ("typical"),
since far outside everything disagrees. Methods of this package never leave it.

    python benchmarks/black_boxes.py --jobs 16 --out FILE

NSGA-II searches as DiffGAN does [Aghababaeyan 2024]: a population of latents, whose divergence and distance from earlier
disagreements it maximises. Mutation of a seed follows SINVAD [Kang 2020]: a population around a draw, moved by noise that grows
until the classes differ; then comes the next draw. CMA-ME [Fontaine 2020] is that of `ribs`, with an emitter for each
condition. The first two are from their descriptions, with our divergence, and with pixels where DiffGAN measures distances by
another network's features.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from torch import Tensor

from gevaldi.batches import select
from gevaldi.classifiers import load_classifier
from gevaldi.divergences.kl import kl
from gevaldi.generators import load_generator
from gevaldi.models import Classifier
from gevaldi.objective import Evaluate, Evaluation, MostProbable, Objective, within
from gevaldi.priors.base import Prior
from gevaldi.search import registry
from gevaldi.search.loop import NewSamples, search
from gevaldi.search.map_elites import Answers, MapElites
from gevaldi.search.probable import differs, most_probable
from gevaldi.search.stopping import Stopping

TOGETHER = 20  # starts of a process, at most
QUERIES, MASS, AT, SECONDS = 1000, 0.999, (50, 100, 200, 500, 1000), (0.5, 1.0, 2.0)
PAIRS = {
    "digits": ("mnist-strided", "mnist-pooled", "mnist-vae"),
    "garments": ("fashion-dense", "fashion-strided", "fashion-vae"),
    "garments, separable": ("fashion-separable", "fashion-strided", "fashion-vae"),
}
CONDITIONS = 10
FAR = 100_000  # between the numbers of the draws of two starts


@dataclass(frozen=True)
class Queries:
    """Some queries, in their order, with the start that each belongs to."""

    seeds: Sequence[int]
    evaluation: Evaluation


Method = Callable[[Objective, Sequence[int]], Iterator[Queries]]
"""Yields the queries of some starts for ever."""


class BlackBox(Classifier):
    """A classifier of which only the answer can be seen."""

    passes_gradients = False

    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner, self.labels = inner, inner.labels

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """Its log-probabilities, without a gradient."""
        return self.inner(pictures)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class World:
    """A pair on its generator, from one start of a method.

    Attributes:
        objective: the divergence, with the gradient that the method may have.
        seed: the number of the start.
    """

    objective: Objective
    seed: int

    @property
    def prior(self) -> Prior:
        """Of the latents."""
        return self.objective.generator.prior

    @property
    def evaluate(self) -> Evaluate:
        """The objective within the prior."""
        return within(self.objective, self.prior, MASS)

    def draws(self, numbers: range) -> tuple[Tensor, Tensor]:
        """Latents of this start, with their conditions in turn."""
        z = self.prior.sample([self.seed * FAR + number for number in numbers]).double()
        return z, (torch.tensor(numbers) + self.seed) % CONDITIONS


def not_swapped(condition: Tensor) -> Tensor:
    return torch.zeros_like(condition, dtype=torch.bool)


def alone(method: Callable[["World"], Iterator[Evaluation]]) -> Method:
    """A method that searches from one start after the other."""

    def queries(objective: Objective, seeds: Sequence[int]) -> Iterator[Queries]:
        for seed in seeds:
            count = 0
            for now in method(World(objective, seed)):
                yield Queries([seed] * len(now.z), now)
                count += len(now.z)
                if count >= QUERIES:
                    break

    return queries


def random_draws(world: World) -> Iterator[Evaluation]:
    """Draws from the prior."""
    for number in count():
        z, condition = world.draws(range(50 * number, 50 * (number + 1)))
        yield world.objective(z, condition)


def searched(algorithm: str, steps: int = 500, window: int = 10) -> Method:
    """Searches by an algorithm of the package, one after the other, those of all starts in one batch."""

    def queries(objective: Objective, seeds: Sequence[int]) -> Iterator[Queries]:
        waiting, begun = list(seeds), dict.fromkeys(seeds, 0)

        def supply(searching: int) -> list[NewSamples]:
            new = []
            for seed in waiting:
                z, condition = World(objective, seed).draws(range(begun[seed], begun[seed] + 1))
                number = seed * FAR + begun[seed]
                new.append(NewSamples(z, condition, not_swapped(condition), [number], [number]))
                begun[seed] += 1
            waiting.clear()
            return new

        evaluate = World(objective, 0).evaluate
        for step in search(evaluate, supply, registry.build(algorithm), Stopping(steps=steps, window=window)):
            owners = (step.batch.ids // FAR).tolist()
            waiting.extend(owners[i] for i in step.leaving)
            yield Queries(owners, step.evaluation)

    return queries


def map_elites(world: World, settings: MapElites | None = None) -> Iterator[Evaluation]:
    """An archive over pairs of classes, as `gevaldi archive` grows it."""
    seen = []

    def query(number: int, z: Tensor, condition: Tensor) -> Answers:
        now = world.evaluate(z.double(), condition, not_swapped(condition))
        seen.append(now)
        return Answers(now.z, now.log_p.argmax(1), now.log_q.argmax(1), now.divergence)

    for _ in (settings or MapElites()).grow(query, world.prior, range(CONDITIONS), world.seed):
        yield seen.pop()


def variant(**settings: Any) -> Callable[[World], Iterator[Evaluation]]:
    """MAP-Elites with other settings."""
    return lambda world: map_elites(world, MapElites(**settings))


def cma_me(world: World) -> Iterator[Evaluation]:
    """An emitter of CMA-ES for each condition, which all improve one archive."""
    from ribs.archives import CategoricalArchive
    from ribs.emitters import EvolutionStrategyEmitter
    from ribs.schedulers import Scheduler

    (size,) = world.prior.shape
    archive = CategoricalArchive(solution_dim=size, categories=[range(CONDITIONS)] * 2, seed=world.seed)
    starts, conditions = world.draws(range(CONDITIONS))
    emitters = [
        EvolutionStrategyEmitter(archive, x0=start, sigma0=1.0, batch_size=10, seed=world.seed * CONDITIONS + i)
        for i, start in enumerate(starts.numpy())
    ]
    scheduler = Scheduler(archive, emitters)
    while True:
        z = torch.from_numpy(scheduler.ask())
        condition = conditions.repeat_interleave(10)
        now = world.evaluate(z, condition, not_swapped(condition))
        yield now
        scheduler.tell(now.divergence.numpy(), torch.stack([now.log_p.argmax(1), now.log_q.argmax(1)], 1).tolist())


def nsga2(world: World) -> Iterator[Evaluation]:
    """A population that maximises the divergence, and the distance of its pictures from those of earlier disagreements."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem
    from pymoo.core.termination import NoTermination
    from pymoo.problems.static import StaticProblem

    (size,) = world.prior.shape
    low, high = np.r_[np.full(size, -3.0), 0], np.r_[np.full(size, 3.0), CONDITIONS - 1e-9]
    problem = Problem(n_var=size + 1, n_obj=2, xl=low, xu=high)
    first, condition = world.draws(range(50))
    algorithm = NSGA2(pop_size=50, sampling=np.c_[first.clamp(-3, 3).numpy(), condition.numpy() + 0.5])
    algorithm.setup(problem, seed=world.seed, termination=NoTermination(), verbose=False)
    archive = torch.zeros(0, 0)
    while True:
        population = algorithm.ask()
        x = torch.from_numpy(population.get("X"))
        now = world.objective(x[:, :-1], x[:, -1].long())
        yield now
        pictures = now.pictures.flatten(1)
        distance = torch.cdist(pictures, archive).amin(1) if len(archive) else torch.zeros(len(pictures)).double()
        archive = torch.cat([archive.view(-1, pictures.shape[1]).to(pictures), pictures[differs(now)]])
        goals = -torch.stack([now.divergence, distance], 1).numpy()
        Evaluator().eval(StaticProblem(problem, F=goals), population)
        algorithm.tell(infills=population)


def mutated_seeds(world: World, population: int = 20, generations: int = 10) -> Iterator[Evaluation]:
    """Populations around draws, one draw after the other, until the classes differ."""
    random = np.random.default_rng(world.seed)
    for number in count():
        z, condition = world.draws(range(number, number + 1))
        now, best = world.objective(z, condition), z
        yield now
        values = now.divergence
        for generation in range(generations):
            if bool(differs(now).any()):
                break
            parents = best[torch.from_numpy(random.integers(len(best), size=(2, population)))]
            crossed = torch.where(torch.from_numpy(random.random(parents[0].shape) < 0.5), *parents)
            latents = crossed + 0.2 * 1.2**generation * torch.from_numpy(random.standard_normal(crossed.shape))
            now = world.objective(latents, condition.expand(population))
            yield now
            values, order = torch.cat([values, now.divergence]).sort(descending=True)
            best, values = torch.cat([best, latents])[order][:population], values[:population]


METHODS: dict[str, tuple[str, Method]] = {
    "random draws": ("", alone(random_draws)),
    "cma-es": ("", searched("cma-es")),
    "map-elites": ("", alone(map_elites)),
    "gradients of both (adam)": ("both", searched("adam", steps=200)),
    "hybrid, gradients of the first": ("first", searched("hybrid")),
    "hybrid, gradients of the second": ("second", searched("hybrid")),
    "adam, gradients of the first": ("first", searched("adam", steps=200)),
    "adam, gradients of the second": ("second", searched("adam", steps=200)),
    "nsga-ii (pymoo)": ("", alone(nsga2)),
    "mutated seeds": ("", alone(mutated_seeds)),
    "cma-me (ribs)": ("", alone(cma_me)),
    "hybrid, no gradients": ("", searched("hybrid")),
    "hybrid, gradients of both": ("both", searched("hybrid")),
    "map-elites, step 0.3": ("", alone(variant(step=0.3))),
    "map-elites, step 1": ("", alone(variant(step=1.0))),
    "map-elites, generations of 16": ("", alone(variant(population=16))),
    "map-elites, 32 draws": ("", alone(variant(draws=32))),
    "map-elites, 192 draws": ("", alone(variant(draws=192))),
}
"""Each with the classifiers whose gradients it may use."""


@cache
def networks(pair: str) -> tuple[Any, ...]:
    torch.set_num_threads(1)
    first, second, generator = PAIRS[pair]
    loaded = load_classifier(f"bundled:{first}"), load_classifier(f"bundled:{second}"), load_generator(f"bundled:{generator}")
    return tuple(network.double().eval().requires_grad_(False) for network in loaded)


def objective_of(pair: str, gradients: str) -> Objective:
    """The divergence of a pair, of which these classifiers have gradients: none, both, the first or the second."""
    first, second, generator = networks(pair)
    first = first if gradients in ("both", "first") else BlackBox(first)
    second = second if gradients in ("both", "second") else BlackBox(second)
    return Objective(first, second, generator, kl, 0.0, has_gradient=bool(gradients))


@dataclass(frozen=True)
class Outcome:
    """What one start of a method found in its queries.

    Attributes:
        disagreements: queries on which the top classes differ.
        typical: those within 0.999 of the prior, which all the rest is about.
        pairs: different pairs of top classes among them.
        different: disagreements farther from all earlier ones of the same pair than half the distance of two draws.
        best: the largest divergence after so many queries.
        best_after: the largest divergence after so many seconds.
        seconds: of all queries.
    """

    pair: str
    method: str
    seed: int
    disagreements: int
    typical: int
    pairs: int
    different: int
    best: list[float]
    best_after: list[float]
    seconds: float


def outcomes(task: tuple[str, str, Sequence[int]]) -> list[Outcome]:
    """Search from some starts by one method."""
    pair, method, seeds = task
    gradients, queries = METHODS[method]
    objective = objective_of(pair, gradients)
    next(queries(objective, seeds))  # warms up: imports, and the first calls of kernels
    found: dict[int, list[tuple[Evaluation, float]]] = {seed: [] for seed in seeds}
    clock = dict.fromkeys(seeds, 0.0)
    before = time.perf_counter()
    for some in queries(objective, seeds):
        now = time.perf_counter()
        for seed in set(some.seeds):
            clock[seed] += (now - before) / len(set(some.seeds))
            own = torch.tensor([one == seed for one in some.seeds])
            found[seed].append((select(some.evaluation, own), clock[seed]))
        if all(sum(len(part.z) for part, _ in parts) >= QUERIES for parts in (found[seeds[-1]], found[seeds[0]])):
            break
        before = time.perf_counter()
    return [outcome(pair, method, seed, objective.generator.prior, parts) for seed, parts in found.items()]


def outcome(pair: str, method: str, seed: int, prior: Prior, parts: list[tuple[Evaluation, float]]) -> Outcome:
    """What one start found."""
    z, first, second, divergence = (
        torch.cat(column)[:QUERIES]
        for column in zip(*((p.z, p.log_p.argmax(1), p.log_q.argmax(1), p.divergence) for p, _ in parts), strict=True)
    )
    times = [at for part, at in parts for _ in range(len(part.z))][:QUERIES]
    typical = prior.typicality(z) <= MASS
    differ = first != second
    best = divergence.where(typical, 0.0).cummax(0).values
    chosen = (differ & typical).nonzero().flatten()
    after = [int(np.searchsorted(times, at, "right")) - 1 for at in SECONDS]
    return Outcome(
        pair=pair,
        method=method,
        seed=seed,
        disagreements=int(differ.sum()),
        typical=len(chosen),
        pairs=len(set(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))),
        different=different(z[chosen], first[chosen] * CONDITIONS + second[chosen]),
        best=[float(best[at - 1]) for at in AT],
        best_after=[float(best[at]) if at >= 0 else 0.0 for at in after],
        seconds=times[-1],
    )


def different(z: Tensor, kind: Tensor) -> int:
    """How many latents are farther than half the distance of two draws from all that were counted before of their kind."""
    radius = 0.5 * math.sqrt(2 * z[0].numel()) if len(z) else 0.0
    counted: list[int] = []
    for i in range(len(z)):
        near = [j for j in counted if kind[j] == kind[i]]
        if not near or float(torch.cdist(z[i][None], z[near]).min()) > radius:
            counted.append(i)
    return len(counted)


def table(found: list[Outcome], pair: str) -> Iterator[str]:
    """The rows of a pair: means, with standard errors where they matter."""

    def cell(values: list[float], digits: int) -> str:
        return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.{digits}f}"

    yield f"\n{pair}: {', '.join(PAIRS[pair])}\n"
    heads = ["search", "disagreements", "typical", "different", "pairs", *(f"KL at {at:,}" for at in AT)]
    heads += [*(f"KL after {at:g} s" for at in SECONDS), "seconds"]
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    for method in METHODS:
        own = [one for one in found if (one.pair, one.method) == (pair, method)]
        if own:
            cells = [cell([getattr(one, name) for one in own], 1) for name in ("disagreements", "typical", "different", "pairs")]
            cells += [cell([one.best[i] for one in own], 2) for i in range(len(AT))]
            cells += [f"{np.mean([one.best_after[i] for one in own]):.2f}" for i in range(len(SECONDS))]
            yield f"| {method} | {' | '.join(cells)} | {np.mean([one.seconds for one in own]):.1f} |"


@dataclass(frozen=True)
class Probable:
    """The second search, for the most probable disagreement: how many starts found one, and how ordinary these are."""

    found: int
    typicality: float
    log_p: float


def probable(task: tuple[str, str, int]) -> Probable:
    """From draws, without gradients or with those of both."""
    pair, gradients, starts = task
    objective = objective_of(pair, gradients)
    z, condition = World(objective, 0).draws(range(starts))
    ends = most_probable(within(MostProbable(objective, 0.2), world_prior(objective), MASS), z, condition, None, bool(gradients))
    ok = differs(ends)
    prior = world_prior(objective)
    return Probable(int(ok.sum()), float(prior.typicality(ends.z[ok]).median()), float(prior.log_prob(ends.z[ok]).mean()))


def world_prior(objective: Objective) -> Prior:
    return objective.generator.prior


def main() -> None:
    """Measure, write the results, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS), metavar="PAIR")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    chunks = [range(options.starts)[begin : begin + TOGETHER] for begin in range(0, options.starts, TOGETHER)]
    tasks = [(pair, method, seeds) for seeds in chunks for pair in options.pairs for method in options.methods]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        found = []
        for some in pool.map(outcomes, tasks):
            found += some
            if options.out:  # what there is, in case the rest takes too long
                options.out.write_text(json.dumps([asdict(one) for one in found], indent=1))
        again = [(pair, gradients, 2 * options.starts) for pair in options.pairs for gradients in ("", "both")]
        second = list(pool.map(probable, again))
    for pair in options.pairs:
        print("\n".join(table(found, pair)), flush=True)
    print("\n| second search, from draws | found | median typicality | mean log p(z) |\n|---|---|---|---|")
    for (pair, gradients, starts), one in zip(again, second, strict=True):
        search_name = "adam" if gradients else "cma-es"
        print(f"| {pair}, {search_name} | {one.found} of {starts} | {one.typicality:.3f} | {one.log_p:.2f} |")


if __name__ == "__main__":
    main()
