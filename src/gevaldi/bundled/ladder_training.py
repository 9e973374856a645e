"""Trains the networks of `ladder` from MNIST: `gevaldi train ladder --data DIR`.

Every network is written as soon as it is finished, and a finished one is not trained again, as `training` does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.bundled import audit, cards, store
from gevaldi.bundled.examples import Examples
from gevaldi.bundled.families import Family
from gevaldi.bundled.fitting import seeded
from gevaldi.bundled.ladder import COMMAND, FAMILIES, SEEDS, file_name
from gevaldi.bundled.progress import Report, reporting
from gevaldi.bundled.training import Trained, check_writable, fit_classifier, levels_apart
from gevaldi.bundled.worlds import DIGITS
from gevaldi.errors import SpecError

OF_ERRORS = "levels from the true class to the wrongly predicted one"
OF_SECOND = "levels from the true class, where it is predicted, to the second most probable one"


def train_ladder(
    data: Path | None,
    out: Path,
    seeds: int = len(SEEDS),
    progress: Report | None = None,
    families: Mapping[str, Family] = FAMILIES,
) -> list[Trained]:
    """Trains each family with the seeds 0, 1, ..., and writes a weights file a network and a card a family to `out`.

    `data` is the folder of MNIST's idx files, or None to download them. `progress` is told each network's name and the share of
    its training that is done; without it, progress bars are shown on a terminal. With one number of threads, a machine makes the
    same weights every time.

    Raises:
        SpecError: no seed is asked for.
        DataError: MNIST is not where it should be, or cannot be downloaded.
        WeightsError: `out` cannot be written, or holds a damaged file, or one that other data or settings made.
    """
    if seeds < 1:
        raise SpecError(f"{seeds} seeds were asked for; 1 or more were expected, such as the {len(SEEDS)} that ship.")
    digits, test = DIGITS.data.read("train", data), DIGITS.data.read("test", data)
    check_writable(out)
    with reporting(progress) as report:
        yard = Yard(digits, test, out, report)
        done = [yard.finish(family, seed) for family in families.values() for seed in range(seeds)]
    yard.write_cards(families, seeds)
    return done


def seriousness(network: nn.Module, digits: Examples) -> tuple[Float[Tensor, "errors"], Float[Tensor, "rightly_read"]]:
    """How far a network errs, without any search: levels from the true class.

    For every digit that it misreads, to the class that it predicts; for every other one, to the second most probable class.
    """
    top = audit.in_batches(lambda pictures: network(pictures).topk(2, 1).indices, digits.pictures)
    apart, right = levels_apart(), top[:, 0] == digits.labels
    return apart[digits.labels[~right], top[~right, 0]], apart[digits.labels[right], top[right, 1]]


@dataclass(frozen=True)
class Yard:
    """Everything that the trainings share."""

    digits: Examples
    test: Examples
    out: Path
    report: Report

    @cached_property
    def fingerprint(self) -> str:
        """Of the training digits."""
        return self.digits.fingerprint()

    @property
    def accuracy(self) -> str:
        """The row of a card that states the accuracy."""
        return cards.accuracy_question(DIGITS.data, len(self.test))

    def finish(self, family: Family, seed: int) -> Trained:
        """Trains, measures and writes a network, unless that was done before."""
        path, told = self.out / file_name(family.name, seed), f"{family.name}, seed {seed}"
        header = self.origin(family, seed)
        if path.exists():
            store.check_origin(path, header)
            self.report(told, 1.0)
            return Trained(told, path, skipped=True)
        network = seeded(family.build, seed).to(memory_format=torch.channels_last)
        for share in fit_classifier(network, family, self.digits, seed):
            self.report(told, share)
        store.round_to_half(network)
        store.save(path, network, header | self.figures(network, family))
        return Trained(told, path, skipped=False)

    def origin(self, family: Family, seed: int) -> dict[str, str]:
        """What a network is made from, as its file says it."""
        parameters = cards.count_parameters(seeded(family.build, seed))
        return cards.Origin(family.name, seed, self.fingerprint, family.recipe, parameters, COMMAND).header()

    def figures(self, network: nn.Module, family: Family) -> dict[str, str]:
        """What is measured on the test digits."""
        found = {self.accuracy: cards.percent(audit.accuracy(network, self.test))}
        if family.smoothed:
            errors, second = seriousness(network, self.test)
            doubt = errors.std().item() / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
            found |= {OF_ERRORS: f"{errors.mean():.2f} ± {doubt:.2f} ({len(errors)})", OF_SECOND: f"{second.mean():.2f}"}
        return found

    def write_cards(self, families: Mapping[str, Family], seeds: int) -> None:
        """A card a family, from what the files of its seeds say; the families of known order are set side by side."""
        said = {
            name: [store.read_weights(self.out / file_name(name, seed), COMMAND)[1] for seed in range(seeds)] for name in families
        }
        taught = {name: headers for name, headers in said.items() if OF_SECOND in headers[0]}
        for name, headers in said.items():
            order = _known_order(taught, len(self.test)) if name in taught else ""
            store.write_model_file(self.out / f"{name}.md", self.card(families[name], headers, order).encode())

    def card(self, family: Family, headers: list[dict[str, str]], order: str) -> str:
        """The card of a family."""
        first, figures = headers[0], [(f"{self.accuracy}, by seed", _by_seed(headers, self.accuracy))]
        origin = cards.Origin(family.name, 0, first["data"], first["recipe"], int(first["parameters"]), first["command"])
        return cards.write_card(origin, DIGITS.data, family.sentence, DIGITS.limits[0], figures, order)


def _by_seed(headers: list[dict[str, str]], key: str) -> str:
    return ", ".join(header[key] for header in headers)


def _known_order(taught: Mapping[str, list[dict[str, str]]], digits: int) -> str:
    """The figures by which the order of the families is known, those of each seed."""
    rows = "\n".join(
        f"| {name} | {_by_seed(headers, OF_ERRORS)} | {_by_seed(headers, OF_SECOND)} |" for name, headers in taught.items()
    )
    return f"""
**Known order.** Measured without any search on the {digits:,} test digits, in levels of `mnist-digits` (published convention),
for each seed; of errors with the standard error of the mean and their number:

| | {OF_ERRORS} | {OF_SECOND} |
|---|---|---|
{rows}
"""
