"""Many cheap starts against few: plain searches and the best of several draws for each row, on the same budget of evaluations.

A setting is given starts of the bundled pair, both orders, until its searches have cost so many evaluations of a sample; those
under way are then searched to their ends. Ends differ in what a user would do with them: mean KL, the largest, and how many
different pairs of top classes there are.

    python benchmarks/candidates.py
"""

from collections.abc import Iterator
from statistics import mean

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.runs.session import models_of
from gevaldi.runs.start import Start, starts
from gevaldi.runs.worker.search import search_all
from gevaldi.runs.worker.setup import Models, prepare_torch
from gevaldi.spec import Search, Spec

NAMES = {"first": "bundled:mnist-strided", "second": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"}
BATCH, BUDGET, LARGEST, SERIOUS = 64, 60_000, 64, 5.0
TRIED = ((1, 5), (2, 5), (2, 10), (4, 5), (4, 10), (8, 5))


class Budget:
    """Gives starts until their searches have cost so many evaluations."""

    def __init__(self) -> None:
        self.spent = 0

    def watch(self, searching: int, step: int) -> None:
        """Another step of so many samples."""
        self.spent += searching

    def starts(self, spec: Spec) -> Iterator[Start]:
        """Starts while there is something left."""
        return (start for start in starts(spec, list(range(10))) if self.spent < BUDGET)


def outcome(models: Models, spec: Spec) -> tuple[int, int, list[float], set[tuple[int, int]]]:
    """Evaluations, rows, final divergences, and pairs of top classes."""
    budget, values, pairs = Budget(), list[float](), set[tuple[int, int]]()
    for results in search_all(budget.starts(spec), models, spec, BATCH, budget.watch):
        end = results.after
        values += end.divergence
        pairs |= set(zip(end.log_p.argmax(1).tolist(), end.log_q.argmax(1).tolist(), strict=True))
    return budget.spent, len(values), sorted(values, reverse=True), pairs


def main() -> None:
    """Print the table."""
    networks = load_classifier(NAMES["first"]), load_classifier(NAMES["second"]), load_generator(NAMES["generator"])
    models = models_of(Spec(**NAMES), *networks, torch.device("cpu"))
    print(
        f"| candidates | first rung | evaluations a row | rows | mean KL | of the {LARGEST} largest | above {SERIOUS:g} | pairs |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with prepare_torch(models):
        for candidates, rung in TRIED:
            spec = Spec(**NAMES, samples=10**6, search=Search(candidates=candidates, first_rung=rung))
            spent, rows, values, pairs = outcome(models, spec)
            cells = [candidates, rung, f"{spent / rows:.0f}", rows, f"{mean(values):.2f}", f"{mean(values[:LARGEST]):.2f}"]
            cells += [sum(value > SERIOUS for value in values), len(pairs)]
            print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
