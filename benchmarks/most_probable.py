"""Most probable disagreements beside most divergent samples: how ordinary they are, who can read them, and what they cost."""

import argparse
import time
from collections.abc import Iterator

import torch

from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.runs.session import models_of
from gevaldi.runs.start import starts
from gevaldi.runs.worker.search import search_all
from gevaldi.runs.worker.setup import Models, prepare_torch
from gevaldi.search.probable import STEPS
from gevaldi.spec import Spec

PAIRS = {
    "digits": ("strided", "pooled", ("bundled:mnist-referee", "bundled:mnist-errs-evenly", "bundled:mnist-pooled-89k")),
    "fashion": ("strided", "separable", ("bundled:fashion-referee", "bundled:fashion-dense")),
    "a copy in int8": ("strided", "quantised", ("bundled:mnist-referee",)),
}


def spec_of(pair: str, goal: str, samples: int) -> Spec:
    """The spec of a pair."""
    world = "fashion" if pair == "fashion" else "mnist"
    first = f"bundled:{world}-strided"
    second = f"quantised:{first}" if pair == "a copy in int8" else f"bundled:{world}-{PAIRS[pair][1]}"
    return Spec(first=first, second=second, generator=f"bundled:{world}-vae", samples=samples, search={"goal": goal})


def rows_of(models: Models, spec: Spec) -> tuple[list[dict], float]:
    """The rows of a spec, and the seconds of the searches."""
    begin = time.perf_counter()
    results = list(search_all(starts(spec, list(range(10))), models, spec, 128))
    seconds = time.perf_counter() - begin
    return [row for some in results for row in some.rows()], seconds


def latents(rows: list[dict], stage: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The latents of a stage, and their conditions."""
    good = [row for row in rows if row[f"z_{stage}"] is not None]
    return torch.stack([torch.as_tensor(row[f"z_{stage}"]) for row in good]), torch.tensor([row["condition"] for row in good])


def measured(pair: str, samples: int) -> Iterator[str]:
    """The lines of a pair's table."""
    names = spec_of(pair, "both", samples)
    networks = load_classifier(names.first), load_classifier(names.second), load_generator(names.generator)
    models = models_of(names, *networks, torch.device("cpu"))
    with prepare_torch(models):
        runs = {goal: rows_of(models, spec_of(pair, goal, samples)) for goal in ("most divergent", "both", "most probable")}
        alone, together = runs["most divergent"], runs["both"]
        stages = {"draws": (alone[0], "start"), "most divergent": (together[0], "end"), "most probable": (together[0], "probable")}
        stages["most probable, from draws"] = runs["most probable"][0], "probable"
        for name, (rows, stage) in stages.items():
            z, condition = latents(rows, stage)
            x = models.generator(z, condition).float()
            answers = [(load_classifier(referee)(x).argmax(1) == condition).double().mean().item() for referee in PAIRS[pair][2]]
            tops = [[row[f"{side}_{stage}"] for side in ("first", "second")] for row in rows]
            differ = sum(bool(first) and first[0]["label"] != second[0]["label"] for first, second in tops)
            read = ", ".join(f"{share:.0%}" for share in answers)
            yield f"| {pair} | {name} | {differ / len(rows):.1%} | {z.norm(dim=1).median():.2f} | {read} |"
    steps = sum(row["steps"] + 1 for row in alone[0]) / len(alone[0]) + 2
    yield (
        f"{pair}: {steps:.0f} evaluations a sample alone, {steps + STEPS + 2:.0f} for both ({1 + (STEPS + 2) / steps:.2f} x); "
        f"{alone[1]:.0f} s and {together[1]:.0f} s ({together[1] / alone[1]:.2f} x)"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS))
    options = parser.parse_args()
    for pair in options.pairs:
        for line in measured(pair, options.samples):
            print(line, flush=True)


if __name__ == "__main__":
    main()
