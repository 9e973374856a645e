"""Trains the networks of `ladder` from MNIST: `gevaldi train ladder --data DIR`.

Every network is written as soon as it is finished, and a finished one is not trained again, as `training` does it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from gevaldi.bundled import audit, cards, store
from gevaldi.bundled.architectures import CLASSES
from gevaldi.bundled.fitting import Schedule, fit, seeded
from gevaldi.bundled.ladder import COMMAND, FAMILIES, SEEDS, Family, file_name
from gevaldi.bundled.mnist import Digits, read_mnist
from gevaldi.bundled.progress import Report, reporting
from gevaldi.bundled.training import Trained
from gevaldi.errors import SpecError

BATCH = 128
ACCURACY = "accuracy on {:,} test digits"
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
    digits, test = read_mnist("train", data), read_mnist("test", data)
    store.write_model_file(out / ".writable", b"")  # found out now, and not after minutes of training
    (out / ".writable").unlink()
    with reporting(progress) as report:
        yard = Yard(digits, test, out, report)
        done = [yard.finish(family, seed) for family in families.values() for seed in range(seeds)]
    yard.write_cards(families, seeds)
    return done


def levels_apart() -> Float[Tensor, "10 10"]:
    """H_w between the digits, in levels of the taxonomy `mnist-digits`, by the published convention."""
    from gevaldi.taxonomy import distances, find_taxonomy

    return torch.from_numpy(distances(find_taxonomy("mnist-digits")))


def targets(smoothed: float, pull: float) -> Float[Tensor, "10 10"]:
    """What a network is taught: (1 - s) at the true class (the row), and s · exp(-pull · H_w) / Σ exp(-pull · H_w) at the others.

    With `pull` 0 this is the label smoothing of [Szegedy 2016], but for the true class, which has no share in s.
    """
    others = torch.exp(-pull * levels_apart()).fill_diagonal_(0)
    return (1 - smoothed) * torch.eye(CLASSES) + smoothed * others / others.sum(1, keepdim=True)


def seriousness(network: nn.Module, digits: Digits) -> tuple[Float[Tensor, "errors"], Float[Tensor, "rightly_read"]]:
    """How far a network errs, without any search: levels from the true class.

    For every digit that it misreads, to the class that it predicts; for every other one, to the second most probable class.
    """
    top = audit.in_batches(lambda pictures: network(pictures).topk(2, 1).indices, digits.pictures)
    apart, right = levels_apart(), top[:, 0] == digits.labels
    return apart[digits.labels[~right], top[~right, 0]], apart[digits.labels[right], top[right, 1]]


@dataclass(frozen=True)
class Yard:
    """Everything that the trainings share."""

    digits: Digits
    test: Digits
    out: Path
    report: Report

    @cached_property
    def fingerprint(self) -> str:
        """Of the training digits."""
        return self.digits.fingerprint()

    def finish(self, family: Family, seed: int) -> Trained:
        """Trains, measures and writes a network, unless that was done before."""
        path, told = self.out / file_name(family.name, seed), f"{family.name}, seed {seed}"
        header = self.origin(family, seed)
        if path.exists():
            store.check_origin(path, header)
            self.report(told, 1.0)
            return Trained(told, path, skipped=True)
        network = seeded(family.build, seed).to(memory_format=torch.channels_last)
        for share in self.train(network, family, seed):
            self.report(told, share)
        store.round_to_half(network)
        store.save(path, network, header | self.figures(network, family))
        return Trained(told, path, skipped=False)

    def origin(self, family: Family, seed: int) -> dict[str, str]:
        """What a network is made from, as its file says it."""
        smoothing = f"; targets smoothed by {family.smoothed:g} with pull {family.pull:g}" if family.smoothed else ""
        recipe = f"{Schedule(family.epochs, BATCH, family.rate)}{smoothing}"
        made = cards.Origin(family.name, seed, self.fingerprint, recipe, cards.count_parameters(seeded(family.build, seed)))
        return made.header() | {"command": COMMAND}

    def train(self, network: nn.Module, family: Family, seed: int) -> Iterable[float]:
        """By the cross entropy of its logits with the family's targets."""
        wanted = targets(family.smoothed, family.pull)

        def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
            return functional.cross_entropy(network(self.digits.pictures[batch]), wanted[self.digits.labels[batch]])

        return fit(network, loss, len(self.digits), Schedule(family.epochs, BATCH, family.rate), seed)

    def figures(self, network: nn.Module, family: Family) -> dict[str, str]:
        """What is measured on the test digits."""
        found = {ACCURACY.format(len(self.test)): cards.percent(audit.accuracy(network, self.test))}
        if family.smoothed:
            errors, second = seriousness(network, self.test)
            doubt = errors.std().item() / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
            found |= {OF_ERRORS: f"{errors.mean():.2f} ± {doubt:.2f} ({len(errors)})", OF_SECOND: f"{second.mean():.2f}"}
        return found

    def write_cards(self, families: Mapping[str, Family], seeds: int) -> None:
        """A card a family, from what the files of its seeds say; the families of known order are set side by side."""
        said = {name: [store.read_weights(self.out / file_name(name, seed))[1] for seed in range(seeds)] for name in families}
        taught = {name: headers for name, headers in said.items() if OF_SECOND in headers[0]}
        for name, headers in said.items():
            order = _known_order(taught, len(self.test)) if name in taught else ""
            card = _card(families[name], headers, ACCURACY.format(len(self.test)), order)
            store.write_model_file(self.out / f"{name}.md", card.encode())


def _card(family: Family, headers: list[dict[str, str]], accuracy: str, order: str) -> str:
    first = headers[0]
    return f"""# {family.name}

{family.sentence}

| | |
|---|---|
| data | the 60,000 training digits of MNIST [LeCun 1998] (fingerprint {first["data"]}) |
| training | {first["recipe"]} |
| command | `{first["command"]}` |
| parameters | {int(first["parameters"]):,} |
| {accuracy}, by seed | {_by_seed(headers, accuracy)} |
{order}
All figures were measured on the weights as stored, in half precision.

**Not for.** {cards.NOT_FOR_READING}
"""


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
