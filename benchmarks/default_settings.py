"""What other settings of the search would give on the bundled pair: how the defaults were found.

256 starts an order (64 at a time, starts 0 to 255), the bundled generator, latents kept in the prior's 99.9 % region.

    python benchmarks/default_settings.py
"""

import time
from dataclasses import dataclass, field

import torch

from gevaldi.batches import in_blocks
from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.objective import within
from gevaldi.runs.session import models_of
from gevaldi.runs.worker.setup import Models, prepare_torch
from gevaldi.search import registry
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping
from gevaldi.spec import Spec

BATCH, STARTS = 64, 256


@dataclass(frozen=True)
class Setting:
    """One row of the table; the defaults are the defaults."""

    algorithm: str = "adam"
    prior_weight: float = 0.0
    stopping: Stopping = field(default_factory=Stopping)


TRIED = [
    Setting(),
    Setting("adam,learning_rate=0.2"),
    Setting("adam,learning_rate=1.0"),
    Setting("adam,decay=0.95"),
    Setting("adam,decay=1"),
    Setting("adam,learning_rate=0.2,decay=1"),
    Setting("adam,learning_rate=0.05,decay=1"),
    Setting("sgd,learning_rate=0.1"),
    Setting(stopping=Stopping(window=5)),
    Setting(stopping=Stopping(window=20)),
    Setting(stopping=Stopping(gain=0.001)),
    Setting(stopping=Stopping(gain=0.05)),
    Setting(prior_weight=0.0001),
    Setting(prior_weight=0.001),
    Setting(prior_weight=0.01),
    Setting(prior_weight=0.1),
]


@dataclass(frozen=True)
class Outcome:
    """Of all samples of both orders: shares, the mean divergence in nats, and what a sample cost."""

    differ: float
    inside: float
    divergence: float
    evaluations: float


def outcome(models: Models, setting: Setting) -> Outcome:
    """Search from all starts in both orders."""
    sums = torch.zeros(4, dtype=torch.float64)
    for swapped in (False, True):
        for begin in range(0, STARTS, BATCH):
            z, condition = models.starts(range(begin, begin + BATCH)), torch.arange(begin, begin + BATCH) % 10
            algorithm = registry.build(setting.algorithm)
            evaluate = in_blocks([models.objective(setting.prior_weight)], models.plan.block)
            evaluate = within(evaluate, models.generator.prior, 0.999)
            differ, inside, divergence, evaluations = torch.zeros(4, BATCH, dtype=torch.float64)
            supply = at_once(NewSamples(z, condition, torch.full((BATCH,), swapped), range(BATCH), range(BATCH)))
            steps = search(evaluate, supply, algorithm, setting.stopping)
            for step in steps:
                now = step.evaluation
                differ[step.batch.ids] = (now.log_p.argmax(1) != now.log_q.argmax(1)).double()
                inside[step.batch.ids] = (models.generator.prior.typicality(now.z) <= 0.999).double()
                divergence[step.batch.ids] = now.divergence
                evaluations[step.batch.ids] += 1
            sums += torch.stack([differ, inside, divergence, evaluations]).sum(1)
    return Outcome(*(sums / (2 * STARTS)).tolist())


def main() -> None:
    """Print the table."""
    names = {"first": "bundled:mnist-strided", "second": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"}
    networks = load_classifier(names["first"]), load_classifier(names["second"]), load_generator(names["generator"])
    models = models_of(Spec(**names), *networks, torch.device("cpu"))
    print("| algorithm | λ | window | gain | different top classes | inside 99.9 % | mean KL | evaluations a sample | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    with prepare_torch(models):
        for setting in TRIED:
            begin = time.perf_counter()
            found = outcome(models, setting)
            cells = [setting.algorithm, f"{setting.prior_weight:g}", setting.stopping.window, setting.stopping.gain]
            cells += [f"{found.differ:.1%}", f"{found.inside:.1%}", f"{found.divergence:.2f}", f"{found.evaluations:.0f}"]
            print("|", " | ".join(map(str, [*cells, f"{time.perf_counter() - begin:.0f}"])), "|", flush=True)


if __name__ == "__main__":
    main()
