"""The default search beside other searches with gradients: divergence, evaluations and typicality of the ends.

The same 128 starts in both orders, latents kept in the prior's 99.9 % region. An evaluation is a forward and a backward pass; a
forward pass alone, which cheap draws need, counts as half. A sample ends at its best latent.

    python benchmarks/default_search.py --jobs 16 --out FILE
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import Tensor

from gevaldi.classifiers import load_classifier
from gevaldi.disagreement import disagreement_level
from gevaldi.divergences.kl import kl
from gevaldi.generators import load_generator
from gevaldi.noise import Noise
from gevaldi.objective import Evaluation, Objective, within
from gevaldi.priors.base import per_sample
from gevaldi.search.algorithms.adam import Adam
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.algorithms.sgd import SGD
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping

PAIRS = {
    "digits": ("mnist-strided", "mnist-pooled", "mnist-vae"),
    "small digits": ("mnist-strided-1k", "mnist-pooled-1k", "mnist-vae"),
    "garments": ("fashion-dense", "fashion-strided", "fashion-vae"),
    "garments, separable": ("fashion-separable", "fashion-strided", "fashion-vae"),
}
MASS, CONDITIONS = 0.999, 10
Ends = tuple[Tensor, Tensor, Tensor]
"""The best latent of each sample, its divergence, and the evaluations that it took."""


@dataclass(frozen=True)
class Starts:
    """An objective within the prior, and samples before their search."""

    objective: Objective
    samples: NewSamples

    def evaluate(self, z: Tensor, condition: Tensor, swapped: Tensor) -> Evaluation:
        """The objective within the prior."""
        return within(self.objective, self.objective.generator.prior, MASS)(z, condition, swapped)

    def ends(self, algorithm: Algorithm, stopping: Stopping) -> Ends:
        """Search from all samples."""
        ids = torch.tensor(self.samples.ids)
        best, value, evaluations = self.samples.z.clone(), torch.zeros(len(ids)).double(), torch.zeros(len(ids)).double()
        for step in search(self.evaluate, at_once(self.samples), algorithm, stopping):
            leaving = list(step.leaving)
            here = step.batch.ids[leaving]
            best[here], value[here] = step.batch.best[leaving], step.batch.best_value[leaving]
            evaluations[here] = step.batch.steps[leaving].double() + 1
        return best, value, evaluations

    def at(self, z: Tensor) -> "Starts":
        """The same samples at other latents."""
        return replace(self, samples=replace(self.samples, z=z))


class WarmRestarts(Algorithm):
    """Adam whose means and rate begin anew every `period` steps, at a lower rate each time."""

    learning_rate: float = 0.5
    decay: float = 0.93
    period: int = 25
    shrink: float = 0.7

    def start(self, z: Tensor) -> Any:
        """Adam's."""
        return Adam().start(z)

    def step(self, now: Evaluation, memory: Any, noise: Noise) -> tuple[Tensor, Any]:
        """Adam's step of the period that each sample is in."""
        steps = [(taken - 1) % self.period + 1 for taken in noise.steps or []]
        begins = per_sample(torch.tensor(steps) == 1, now.z)
        fresh = replace(memory, m=memory.m.masked_fill(begins, 0), v=memory.v.masked_fill(begins, 0))
        z, memory = Adam(learning_rate=1, decay=self.decay).step(now, fresh, Noise(noise.seeds, steps))
        rates = [self.learning_rate * self.shrink ** ((taken - 1) // self.period) for taken in noise.steps or []]
        return now.z + per_sample(torch.tensor(rates).to(now.z), now.z) * (z - now.z), memory


class Normalised(Algorithm):
    """Momentum of gradients of length one."""

    learning_rate: float = 0.5
    momentum: float = 0.8
    decay: float = 0.97

    def start(self, z: Tensor) -> Any:
        """At rest."""
        return SGD().start(z)

    def step(self, now: Evaluation, memory: Any, noise: Noise) -> tuple[Tensor, Any]:
        """v ← μ v + ∇/|∇|; z ← z + lr · decay^(t-1) · v."""
        v = self.momentum * memory.v + now.gradient / length(now.gradient)
        rate = torch.tensor([self.learning_rate * self.decay ** (taken - 1) for taken in noise.steps or []]).to(now.z)
        return now.z + per_sample(rate, now.z) * v, replace(memory, v=v)


@dataclass(frozen=True)
class Before:
    """The latent of the last step and its gradient."""

    z: Tensor
    gradient: Tensor


class BarzilaiBorwein(Algorithm):
    """Gradient ascent with the step size of a secant, s·s / |s·y| [Barzilai 1988], at most `longest`."""

    first: float = 0.5
    longest: float = 1.0

    def start(self, z: Tensor) -> Before:
        """Nothing before."""
        return Before(z, torch.zeros_like(z))

    def step(self, now: Evaluation, memory: Before, noise: Noise) -> tuple[Tensor, Before]:
        """Z + α ∇."""
        s, y = now.z - memory.z, now.gradient - memory.gradient
        secant = s.square().sum(1) / (s * y).sum(1).abs().clamp_min(1e-12)
        begins = torch.tensor(noise.steps) == 1
        size = length(now.gradient).flatten()
        alpha = torch.where(begins, self.first / size, secant).minimum(self.longest / size)
        return now.z + per_sample(alpha, now.z) * now.gradient, Before(now.z, now.gradient)


def length(gradient: Tensor) -> Tensor:
    """|∇| of each sample, not zero."""
    return gradient.flatten(1).norm(dim=1, keepdim=True).clamp_min(1e-12)


def by(algorithm: Algorithm, **stopping: Any) -> Callable[[Starts], Ends]:
    """A search by an algorithm."""
    return lambda starts: starts.ends(algorithm, Stopping(**stopping))


def of_short_searches(count: int, steps: int) -> Callable[[Starts], Ends]:
    """The default search from the best of several draws after a short search, which counts."""

    def ends(starts: Starts) -> Ends:
        short = [starts.at(z).ends(Adam(), Stopping(steps=steps, window=steps + 1)) for z in draws(starts, count)]
        values = torch.stack([value for _, value, _ in short])
        first = torch.stack(draws(starts, count))[values.argmax(0), torch.arange(values.shape[1])]
        z, value, evaluations = starts.at(first).ends(Adam(), Stopping())
        return z, value, evaluations + (count - 1) * (steps + 1)  # the search of the best goes on

    return ends


def of_draws(count: int, algorithm: Algorithm, score: str = "divergence", **stopping: Any) -> Callable[[Starts], Ends]:
    """A search from the most promising of several draws; each draw is a forward pass."""

    def ends(starts: Starts) -> Ends:
        blind = replace(starts.objective, has_gradient=False)
        drawn = draws(starts, count)
        seen = [blind(z, starts.samples.condition, starts.samples.swapped) for z in drawn]
        values = torch.stack(
            [now.divergence if score == "divergence" else disagreement_level(now.log_p, now.log_q) for now in seen]
        )
        first = torch.stack(drawn)[values.argmax(0), torch.arange(values.shape[1])]
        z, value, evaluations = starts.at(first).ends(algorithm, Stopping(**stopping))
        return z, value, evaluations + 0.5 * count

    return ends


def draws(starts: Starts, count: int) -> list[Tensor]:
    """The start of each sample and more draws under its condition."""
    shape = tuple(starts.samples.z.shape[1:])
    more = (Noise(starts.samples.seeds, [10**6 + number] * len(starts.samples.z)).normal(shape) for number in range(count - 1))
    return [starts.samples.z, *(z.to(starts.samples.z) for z in more)]


def lbfgs(starts: Starts, most: int = 75) -> Ends:
    """L-BFGS with a line search (torch), sample by sample; `most` evaluations each."""
    found = []
    for i in range(len(starts.samples.z)):
        condition, swapped = starts.samples.condition[i : i + 1], starts.samples.swapped[i : i + 1]
        z = starts.samples.z[i : i + 1].clone().requires_grad_()
        optimiser = torch.optim.LBFGS([z], max_iter=most, max_eval=most, line_search_fn="strong_wolfe", history_size=10)
        best, count = (z.detach().clone(), -1.0), 0

        def closure() -> float:
            nonlocal best, count
            now = starts.evaluate(z.detach(), condition, swapped)  # noqa: B023
            z.grad = -now.gradient  # noqa: B023
            count += 1
            best = max(best, (now.z, float(now.value)), key=lambda pair: pair[1])
            return -float(now.value)

        optimiser.step(closure)
        found.append((*best, float(count)))
    return torch.cat([z for z, _, _ in found]), *(torch.tensor(column).double() for column in list(zip(*found, strict=True))[1:])


FAST = {"window": 5}
CANDIDATES: dict[str, Callable[[Starts], Ends]] = {
    "default (adam, rate 0.5, decay 0.98, window 10)": by(Adam()),
    "rate 0.3": by(Adam(learning_rate=0.3)),
    "rate 0.7": by(Adam(learning_rate=0.7)),
    "rate 1": by(Adam(learning_rate=1.0)),
    "decay 0.95": by(Adam(decay=0.95)),
    "decay 0.97": by(Adam(decay=0.97)),
    "decay 0.99": by(Adam(decay=0.99)),
    "rate 1, decay 0.95": by(Adam(learning_rate=1.0, decay=0.95)),
    "window 5": by(Adam(), **FAST),
    "decay 0.95, window 5": by(Adam(decay=0.95), **FAST),
    "rate 1, decay 0.93, window 5": by(Adam(learning_rate=1.0, decay=0.93), **FAST),
    "36 steps, decay 0.93": by(Adam(decay=0.93), steps=36, window=100),
    "36 steps, rate 0.7, decay 0.92": by(Adam(learning_rate=0.7, decay=0.92), steps=36, window=100),
    "rate 1, window 5": by(Adam(learning_rate=1.0), **FAST),
    "rate 0.7, window 5": by(Adam(learning_rate=0.7), **FAST),
    "gain 0.05": by(Adam(), gain=0.05),
    "36 steps": by(Adam(), steps=36, window=100),
    "36 steps, rate 1": by(Adam(learning_rate=1.0), steps=36, window=100),
    "beta2 0.9, window 5": by(Adam(beta2=0.9), **FAST),
    "beta2 0.9, 36 steps": by(Adam(beta2=0.9), steps=36, window=100),
    "beta1 0.5": by(Adam(beta1=0.5)),
    "beta1 0.8": by(Adam(beta1=0.8)),
    "beta2 0.9": by(Adam(beta2=0.9)),
    "beta2 0.99": by(Adam(beta2=0.99)),
    "beta1 0.8, beta2 0.9, decay 0.95": by(Adam(beta1=0.8, beta2=0.9, decay=0.95)),
    "warm restarts every 25": by(WarmRestarts()),
    "warm restarts every 15": by(WarmRestarts(period=15, decay=0.9)),
    "normalised momentum 0.8": by(Normalised()),
    "normalised momentum 0.5": by(Normalised(momentum=0.5, decay=0.98)),
    "barzilai-borwein": by(BarzilaiBorwein()),
    "l-bfgs, at most 75": lbfgs,
    "l-bfgs, at most 37": partial(lbfgs, most=37),
    "best of 2 after 5 steps": of_short_searches(2, 5),
    "best of 4 after 5 steps": of_short_searches(4, 5),
    "best of 8 after 5 steps": of_short_searches(8, 5),
    "most divergent of 5 draws": of_draws(5, Adam()),
    "most divergent of 10 draws": of_draws(10, Adam()),
    "most divergent of 20 draws": of_draws(20, Adam()),
    "most divergent of 50 draws": of_draws(50, Adam()),
    "most divergent of 100 draws": of_draws(100, Adam()),
    "nearest to the border of 20 draws": of_draws(20, Adam(), "level"),
    "most divergent of 20 draws, 27 steps, decay 0.92": of_draws(20, Adam(decay=0.92), steps=26, window=100),
    "most divergent of 30 draws, 22 steps, decay 0.9": of_draws(30, Adam(decay=0.9), steps=21, window=100),
    "most divergent of 20 draws, decay 0.95, window 5": of_draws(20, Adam(decay=0.95), **FAST),
    "most divergent of 30 draws, 60 steps, decay 0.96": of_draws(30, Adam(decay=0.96), steps=59, window=100),
}


@cache
def networks(pair: str) -> tuple[Any, ...]:
    torch.set_num_threads(1)
    first, second, generator = PAIRS[pair]
    loaded = load_classifier(f"bundled:{first}"), load_classifier(f"bundled:{second}"), load_generator(f"bundled:{generator}")
    return tuple(network.double().eval().requires_grad_(False) for network in loaded)


@dataclass(frozen=True)
class Outcome:
    """What the samples of a candidate ended with.

    Attributes:
        divergence: in nats, of each sample.
        evaluations: of each.
        typicality: of each.
        differ: the number of samples whose top classes differ.
        seconds: of all.
    """

    pair: str
    candidate: str
    divergence: list[float]
    evaluations: list[float]
    typicality: list[float]
    differ: int
    seconds: float


def outcome(task: tuple[str, str, int]) -> Outcome:
    """Search from all starts in both orders by one candidate."""
    pair, candidate, count = task
    objective = Objective(*networks(pair), kl, 0.0)
    numbers = [*range(count), *range(count)]
    z = objective.generator.prior.sample(numbers).double()
    swapped = torch.arange(2 * count) >= count
    samples = NewSamples(z, torch.tensor(numbers) % CONDITIONS, swapped, numbers, range(2 * count))
    begin = time.perf_counter()
    end, _, evaluations = CANDIDATES[candidate](Starts(objective, samples))
    seconds = time.perf_counter() - begin
    there = replace(objective, has_gradient=False)(end, samples.condition, swapped)
    differ = int((there.log_p.argmax(1) != there.log_q.argmax(1)).sum())
    typicality = objective.generator.prior.typicality(end).tolist()
    return Outcome(pair, candidate, there.divergence.tolist(), evaluations.tolist(), typicality, differ, seconds)


def table(found: list[Outcome], pair: str) -> Iterator[str]:
    """The rows of a pair; gains are per sample, against the default, with standard errors."""
    own = {one.candidate: one for one in found if one.pair == pair}
    usual = own.get(next(iter(CANDIDATES)))
    yield f"\n{pair}: {', '.join(PAIRS[pair])}\n"
    yield "| search | mean KL | against the default | evaluations a sample | ratio | differ | mean typicality | seconds |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, one in own.items():
        value, evaluations = torch.tensor(one.divergence), torch.tensor(one.evaluations).mean()
        base, cost = (torch.tensor(usual.divergence), torch.tensor(usual.evaluations).mean()) if usual else (value, evaluations)
        error = (value - value.mean() / base.mean() * base).std() / len(value) ** 0.5 / base.mean()  # of a ratio of means
        cells = [f"{value.mean():.2f}", f"{value.mean() / base.mean():.2f} ± {error:.2f} x", f"{evaluations:.0f}"]
        cells += [f"{evaluations / cost:.2f} x", f"{one.differ / len(value):.1%}", f"{torch.tensor(one.typicality).mean():.3f}"]
        yield f"| {name} | {' | '.join(cells)} | {one.seconds:.0f} |"


def main() -> None:
    """Measure, write the results, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=128)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES), metavar="CANDIDATE")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS), metavar="PAIR")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    longest = sorted(options.candidates, key=lambda name: "l-bfgs" not in name)  # which take longest, begin first
    tasks = [(pair, candidate, options.starts) for candidate in longest for pair in options.pairs]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        found = []
        for one in pool.map(outcome, tasks):
            found.append(one)
            if options.out:  # what there is, in case the rest takes too long
                options.out.write_text(json.dumps([asdict(one) for one in found], indent=1))
    found.sort(key=lambda one: options.candidates.index(one.candidate))
    for pair in options.pairs:
        print("\n".join(table(found, pair)), flush=True)


if __name__ == "__main__":
    main()
