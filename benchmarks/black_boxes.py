"""Searches without gradients beside the default one: KL of the bundled pair after so many forward evaluations a sample.

Both classifiers are functions of NumPy arrays (`function:`), except in the rows of the gradient search.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gevaldi.classifiers import load_classifier
from gevaldi.divergences.kl import kl
from gevaldi.generators import load_generator
from gevaldi.models import Classifier
from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, MostProbable, Objective, within
from gevaldi.search import registry
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.probable import differs, most_probable
from gevaldi.search.stopping import Stopping

AT = (50, 100, 200, 504, 1008)  # evaluations
MASS = 0.999
PAIR = "strided", "pooled"
_networks: dict[str, Classifier] = {}


def _probabilities(name: str, pictures: np.ndarray) -> np.ndarray:
    if name not in _networks:
        _networks[name] = load_classifier(f"bundled:mnist-{name}")
    return _networks[name](torch.from_numpy(pictures)).exp().numpy()


def strided(pictures: np.ndarray) -> np.ndarray:
    """The first classifier as a function."""
    return _probabilities("strided", pictures)


def pooled(pictures: np.ndarray) -> np.ndarray:
    """The second classifier as a function."""
    return _probabilities("pooled", pictures)


def objective_of(black: bool) -> Objective:
    """The pair, as functions or as networks."""
    source = f"function:{Path(__file__).resolve()}:" if black else "bundled:mnist-"
    first, second = (load_classifier(f"{source}{name}").double() for name in PAIR)
    return Objective(first, second, load_generator("bundled:mnist-vae").double(), kl, 0.0, has_gradient=not black)


def random_draws(evaluate: Evaluate, objective: Objective, samples: NewSamples) -> Iterator[Tensor]:
    """The divergence at one more draw of each sample, for ever."""
    for step in range(AT[-1] + 1):
        z = (
            samples.z
            if step == 0
            else Noise(samples.seeds, [step] * len(samples.seeds)).normal(tuple(samples.z.shape[1:])).to(samples.z)
        )
        yield evaluate(z, samples.condition, samples.swapped).divergence


def searched(name: str) -> Callable[[Evaluate, Objective, NewSamples], Iterator[Tensor]]:
    """The divergence at every step of an algorithm."""

    def steps(evaluate: Evaluate, objective: Objective, samples: NewSamples) -> Iterator[Tensor]:
        stopping = Stopping(steps=AT[-1], window=AT[-1] + 1)
        for step in search(evaluate, at_once(samples), registry.build(name), stopping):
            yield step.evaluation.divergence

    return steps


METHODS = {
    "random draws": (True, random_draws),
    "cma-es": (True, searched("cma-es")),
    "cma-es,sigma=0.5": (True, searched("cma-es,sigma=0.5")),
    "cma-es,sigma=2": (True, searched("cma-es,sigma=2")),
    "adam (gradients)": (False, searched("adam")),
}


def line(name: str, starts: int) -> str:
    """A method's row: the mean KL of the best so far with its standard error, and the seconds of all evaluations."""
    black, method = METHODS[name]
    objective = objective_of(black)
    z = objective.generator.prior.sample(range(starts)).double()
    samples = NewSamples.forward(z, torch.arange(starts) % 10, range(starts))
    best, cells, begin = torch.full((starts,), -torch.inf, dtype=torch.float64), [], time.perf_counter()
    for step, values in enumerate(method(within(objective, objective.generator.prior, MASS), objective, samples)):
        best = best.maximum(values)
        if step in AT:
            cells.append(f"{best.mean():.2f} ± {best.std() / starts**0.5:.2f}")
    return f"| {name} | {' | '.join(cells)} | {time.perf_counter() - begin:.0f} |"


def probable_line(black: bool, starts: int) -> str:
    """How often the most probable disagreement was found from draws, and how ordinary it is."""
    objective = objective_of(black)
    prior = objective.generator.prior
    z = prior.sample(range(starts)).double()
    evaluate = within(MostProbable(objective, 0.2), prior, MASS)
    found = most_probable(evaluate, z, torch.arange(starts) % 10, None, not black)
    ok = differs(found)
    typicality = prior.typicality(found.z[ok]).median()
    log_p = prior.log_prob(found.z[ok]).mean()
    return f"| {'cma-es' if black else 'adam'} | {ok.sum()} of {starts} | {typicality:.3f} | {log_p:.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=40)
    starts = parser.parse_args().starts
    torch.set_num_threads(1)
    print(f"| search | {' | '.join(f'{at:,}' for at in AT)} | seconds |\n|{'---|' * (len(AT) + 2)}", flush=True)
    for name in METHODS:
        print(line(name, starts), flush=True)
    print("\n| second search, from draws | found | median typicality | mean log p(z) |\n|---|---|---|---|", flush=True)
    for black in (True, False):
        print(probable_line(black, starts), flush=True)


if __name__ == "__main__":
    main()
