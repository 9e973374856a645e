"""Trains the networks of a bundled world: `gevaldi train mnist --data DIR`, `gevaldi train fashion --data DIR`.

Every model is written as soon as it is finished, and a finished one is not trained again: a training that was killed goes on
at the model where it stopped.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from gevaldi.bundled import audit, cards, store
from gevaldi.bundled.architectures import CLASSES, ConditionalGenerator, Decoder, Encoder, Flow, Referee
from gevaldi.bundled.examples import Examples
from gevaldi.bundled.families import Family
from gevaldi.bundled.fitting import AUGMENTATIONS, Average, fit, seeded
from gevaldi.bundled.progress import Report, reporting
from gevaldi.bundled.worlds import World

PURPOSE = """The generator: a class-conditional variational autoencoder, and a class-conditional coupling flow that learnt the prior
of its latents. A latent u ~ N(0, I) and a {} make a picture: sigmoid(decoder(flow(temperature * u, y), y))."""


@dataclass(frozen=True)
class Trained:
    """The outcome of one model's training."""

    name: str
    path: Path
    skipped: bool
    """It was finished before, and stands as it was."""


def train_world(world: World, data: Path | None, out: Path, seed: int = 0, progress: Report | None = None) -> list[Trained]:
    """Trains the classifiers and the generator, and writes `<name>.safetensors` and the card `<name>.md` of each to `out`.

    `data` is the folder of the data set's files, or None to find or download them. `progress` is told each model's name and
    the share of its training that is done; without it, a progress bar is shown on a terminal.

    Raises:
        DataError: the data set is not where it should be, or cannot be downloaded.
        WeightsError: `out` holds a damaged file, or a model that other data, another seed or other settings made.
    """
    train, test = world.data.read("train", data), world.data.read("test", data)
    check_writable(out)
    with reporting(progress) as report:
        workshop = Workshop(world, train, test, out, seed, report)
        return [workshop.finish(name) for name in world.names]


def check_writable(out: Path) -> None:
    """Raises WeightsError now, and not after minutes of training, if `out` cannot be written."""
    store.write_model_file(out / ".writable", b"")
    (out / ".writable").unlink()


def levels_apart() -> Float[Tensor, "10 10"]:
    """H_w between the digits, in levels of the taxonomy `mnist-digits`, by the published convention."""
    from gevaldi.taxonomy import distances, find_taxonomy

    return torch.from_numpy(distances(find_taxonomy("mnist-digits")))


def targets(smoothed: float, pull: float) -> Float[Tensor, "10 10"]:
    """What a network is taught: (1 - s) at the true class (the row), and s · exp(-pull · H_w) / Σ exp(-pull · H_w) at the others.

    With `pull` 0 this is the label smoothing of [Szegedy 2016], but for the true class, which has no share in s.
    """
    others = (torch.exp(-pull * levels_apart()) if pull else torch.ones(CLASSES, CLASSES)).fill_diagonal_(0)
    return (1 - smoothed) * torch.eye(CLASSES) + smoothed * others / others.sum(1, keepdim=True)


def fit_classifier(network: nn.Module, family: Family, train: Examples, seed: int) -> Iterator[float]:
    """Trains a network of a family by the cross entropy of its logits with the family's targets; yields the share done."""
    wanted, augment = targets(family.smoothed, family.pull), AUGMENTATIONS[family.augmentation]

    def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
        return functional.cross_entropy(network(augment(train.pictures[batch], noise)), wanted[train.labels[batch]])

    return fit(network, loss, min(len(train), family.examples or len(train)), family.schedule, seed)


@dataclass(frozen=True)
class Workshop:
    """Everything a training needs."""

    world: World
    train: Examples
    test: Examples
    out: Path
    seed: int
    report: Report

    @cached_property
    def fingerprint(self) -> str:
        """Of the training pictures."""
        return self.train.fingerprint()

    def finish(self, name: str) -> Trained:
        """Trains, measures and writes a model, unless that was done before. The weights are written last: they mean `finished`."""
        path = self.out / f"{name}.safetensors"
        network = seeded(self.world.builder(name), self.seed).to(memory_format=torch.channels_last)
        origin = self.origin(name, cards.count_parameters(network))
        if path.exists():
            store.check_origin(path, origin.header())
            self.report(name, 1.0)
            return Trained(name, path, skipped=True)
        if name == self.world.generator.name:
            network = self.train_generator()
        else:
            self.watch(name, fit_classifier(network, self.world.classifiers[name], self.train, self.seed))
        store.round_to_half(network)
        figures = self.figures(network)
        store.write_model_file(path.with_suffix(".md"), self.card(origin, figures).encode())
        store.save(path, network, origin.header() | dict(figures))
        return Trained(name, path, skipped=False)

    def origin(self, name: str, parameters: int) -> cards.Origin:
        """What the model is made from, here."""
        recipe = self.world.generator
        made = recipe if name == recipe.name else self.world.classifiers[name]
        return cards.Origin(
            name, self.seed, self.fingerprint, made.recipe, parameters, f"{self.world.data.command} --seed {self.seed}"
        )

    def card(self, origin: cards.Origin, figures: list[tuple[str, str]]) -> str:
        """The card of a model."""
        data, (not_for_reading, not_for_generating) = self.world.data, self.world.limits
        if origin.name == self.world.generator.name:
            return cards.write_card(origin, data, PURPOSE.format(data.one), not_for_generating, figures)
        return cards.write_card(origin, data, self.world.classifiers[origin.name].sentence, not_for_reading, figures)

    def figures(self, network: nn.Module) -> list[tuple[str, str]]:
        """The measured rows of the card."""
        data = self.world.data
        if not isinstance(network, ConditionalGenerator):
            return [(cards.accuracy_question(data, len(self.test)), cards.percent(audit.accuracy(network, self.test)))]
        first, second, referee = (store.load(name, self.out) for name in (*self.world.pair, self.world.referee))
        assert isinstance(referee, Referee)  # what the store builds for that name
        measured = audit.audit(network, first, second, referee, self.test)
        return cards.audit_figures(measured, data, network.temperature.item(), network.latent)

    def watch(self, name: str, shares: Iterable[float], start: float = 0.0, end: float = 1.0) -> None:
        """Runs a training and reports it as the stretch from `start` to `end` of the model's."""
        for done in shares:
            self.report(name, start + (end - start) * done)

    def train_generator(self) -> ConditionalGenerator:
        """An autoencoder, then the flow on its latents, which no longer move. The encoder is not kept."""
        recipe, side = self.world.generator, self.world.data.side
        encoder, network = seeded(lambda: (recipe.build_encoder(side), recipe.build(side)), self.seed)
        for part in (encoder, network):
            part.to(memory_format=torch.channels_last)
        self.fit_autoencoder(encoder, network.decoder)
        self.fit_flow(encoder, network.flow)
        return network.eval()

    def fit_autoencoder(self, encoder: Encoder, decoder: Decoder) -> None:
        """By w log p(x | z, y) - KL(q(z | x, y) || N(0, I)), grey values as Bernoulli probabilities; w = 1 is the lower bound."""
        both, recipe = nn.ModuleList([encoder, decoder]), self.world.generator
        augment = AUGMENTATIONS[recipe.augmentation]

        def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
            x, y = augment(self.train.pictures[batch], noise), self.train.labels[batch]
            mean, log_variance = encoder(x, y)
            z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=noise)
            reconstruction = functional.binary_cross_entropy_with_logits(decoder(z, y), x, reduction="sum")
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
            bound: Tensor = (recipe.weight * reconstruction + divergence) / len(batch)
            return bound

        self.watch(recipe.name, fit(both, loss, len(self.train), recipe.autoencoder, self.seed), end=0.5)

    def fit_flow(self, encoder: Encoder, flow: Flow) -> None:
        """By the likelihood of latents drawn anew from q(z | x, y) in each epoch; the weights' moving average is kept."""
        recipe, noise = self.world.generator, torch.Generator().manual_seed(self.seed)
        pictures, labels = self.train.pictures.repeat(recipe.copies, 1, 1, 1), self.train.labels.repeat(recipe.copies)

        def encode(x: Tensor, y: Tensor) -> Tensor:
            return torch.stack(encoder(AUGMENTATIONS[recipe.augmentation](x, noise), y), 1)

        stages = audit.in_batches(encode, pictures, labels)
        mean, deviation = stages[:, 0], (stages[:, 1] / 2).exp()
        flow.start_from(mean, deviation, labels)
        average = Average(flow, recipe.flow_memory)

        def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
            z = mean[batch] + deviation[batch] * torch.randn(len(batch), mean.shape[1], generator=noise)
            return -flow.log_prob(z, labels[batch]).mean()

        for done in fit(flow, loss, len(labels), recipe.flow, self.seed):
            average.follow(flow)
            self.report(recipe.name, 0.5 + 0.5 * done)
        flow.load_state_dict(average.network.state_dict())
