"""Trains the bundled models from MNIST: `gevaldi train mnist --data DIR`.

Every model is written as soon as it is finished, and a finished one is not trained again: a training that was killed goes on
at the model where it stopped.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from gevaldi.bundled import audit, cards, store
from gevaldi.bundled.architectures import DigitGenerator, Pooled, Referee, Strided
from gevaldi.bundled.fitting import Average, Schedule, fit, jitter, seeded
from gevaldi.bundled.mnist import Digits, read_mnist
from gevaldi.bundled.progress import Report, reporting


@dataclass(frozen=True)
class Recipe:
    """The settings of all five trainings."""

    strided: Schedule
    pooled: Schedule
    referee: Schedule
    autoencoder: Schedule
    flow: Schedule
    flow_memory: float
    temperature: float


RECIPE = Recipe(
    strided=Schedule(epochs=3, batch=128, rate=2e-3),
    pooled=Schedule(epochs=2, batch=128, rate=2e-3),
    referee=Schedule(epochs=5, batch=128, rate=4e-3),
    autoencoder=Schedule(epochs=10, batch=128, rate=2e-3),
    flow=Schedule(epochs=60, batch=512, rate=2e-3, decay=1e-5, clip=5.0),
    flow_memory=0.998,
    temperature=1.0,
)
"""What made the weights that ship."""


@dataclass(frozen=True)
class Trained:
    """The outcome of one model's training."""

    name: str
    path: Path
    skipped: bool
    """It was finished before, and stands as it was."""


def train_mnist(
    data: Path | None, out: Path, seed: int = 0, progress: Report | None = None, recipe: Recipe = RECIPE
) -> list[Trained]:
    """Trains the pair, the referee and the generator, and writes `<name>.safetensors` and the card `<name>.md` of each to `out`.

    `data` is the folder of MNIST's idx files, or None to download them. `progress` is told each model's name and the share of
    its training that is done; without it, a progress bar is shown on a terminal.

    Raises:
        DataError: MNIST is not where it should be, or cannot be downloaded.
        WeightsError: `out` holds a damaged file, or a model that other data, another seed or other settings made.
    """
    digits, test = read_mnist("train", data), read_mnist("test", data)
    store.write_model_file(out / ".writable", b"")  # found out now, and not after minutes of training
    (out / ".writable").unlink()
    with reporting(progress) as report:
        workshop = Workshop(digits, test, out, seed, recipe, report)
        return [workshop.finish(name, train) for name, train in workshop.trainings().items()]


@dataclass(frozen=True)
class Workshop:
    """Everything a training needs."""

    digits: Digits
    test: Digits
    out: Path
    seed: int
    recipe: Recipe
    report: Report

    def trainings(self) -> dict[str, Callable[[], nn.Module]]:
        """How each model is trained, in an order in which each finds what it is measured by."""
        return {
            "mnist-strided": lambda: self.classifier("mnist-strided", Strided, self.recipe.strided),
            "mnist-pooled": lambda: self.classifier("mnist-pooled", Pooled, self.recipe.pooled),
            "mnist-referee": lambda: self.classifier("mnist-referee", Referee, self.recipe.referee, augment=jitter),
            "mnist-vae": self.generator,
        }

    def finish(self, name: str, train: Callable[[], nn.Module]) -> Trained:
        """Trains, measures and writes a model, unless that was done before. The weights are written last: they mean `finished`."""
        path = self.out / f"{name}.safetensors"
        if path.exists():
            self.check_origin(name)
            self.report(name, 1.0)
            return Trained(name, path, skipped=True)
        network = train()
        store.round_to_half(network)
        origin, figures = self.origin(name, cards.count_parameters(network)), self.figures(network)
        store.write_model_file(path.with_suffix(".md"), cards.write_card(origin, figures).encode())
        store.save(path, network, origin.header() | dict(figures))
        return Trained(name, path, skipped=False)

    def origin(self, name: str, parameters: int) -> cards.Origin:
        """What the model is made from, here."""
        recipe = self.recipe
        schedules = {
            "mnist-strided": f"{recipe.strided}",
            "mnist-pooled": f"{recipe.pooled}",
            "mnist-referee": f"{recipe.referee}; each picture jittered",
            "mnist-vae": f"autoencoder: {recipe.autoencoder}; flow: {recipe.flow}, "
            f"weights averaged with memory {recipe.flow_memory}; temperature {recipe.temperature}",
        }
        return cards.Origin(name, self.seed, self.digits.fingerprint(), schedules[name], parameters)

    def check_origin(self, name: str) -> None:
        """That a model which is there already is the one that would be trained now."""
        network = store.load(name, self.out)
        store.check_origin(self.out / f"{name}.safetensors", self.origin(name, cards.count_parameters(network)).header())

    def figures(self, network: nn.Module) -> list[tuple[str, str]]:
        """The measured rows of the card."""
        if not isinstance(network, DigitGenerator):
            return cards.accuracy_figures(audit.accuracy(network, self.test), len(self.test))
        first, second, referee = (store.load(name, self.out) for name in ("mnist-strided", "mnist-pooled", "mnist-referee"))
        assert isinstance(referee, Referee)  # what the store builds for that name
        measured = audit.audit(network, first, second, referee, self.test)
        return cards.audit_figures(measured, network.temperature.item(), network.latent)

    def watch(self, name: str, shares: Iterable[float], start: float = 0.0, end: float = 1.0) -> None:
        """Runs a training and reports it as the stretch from `start` to `end` of the model's."""
        for done in shares:
            self.report(name, start + (end - start) * done)

    def classifier(
        self,
        name: str,
        build: Callable[[], nn.Module],
        schedule: Schedule,
        augment: Callable[[Tensor, torch.Generator], Tensor] = lambda x, noise: x,
    ) -> nn.Module:
        """A classifier, by the cross entropy of its logits."""
        network = seeded(build, self.seed)

        def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
            return functional.cross_entropy(network(augment(self.digits.pictures[batch], noise)), self.digits.labels[batch])

        self.watch(name, fit(network, loss, len(self.digits), schedule, self.seed))
        return network

    def generator(self) -> DigitGenerator:
        """The autoencoder, then the flow on its latents, which no longer move."""
        network = seeded(lambda: DigitGenerator(temperature=self.recipe.temperature), self.seed)
        self.autoencoder(network)
        self.flow(network)
        return network.eval()

    def autoencoder(self, network: DigitGenerator) -> None:
        """By the evidence lower bound: log p(x | z, y) - KL(q(z | x, y) || N(0, I)), grey values as Bernoulli probabilities."""
        both = nn.ModuleList([network.encoder, network.decoder])

        def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
            x, y = self.digits.pictures[batch], self.digits.labels[batch]
            mean, log_variance = network.encoder(x, y)
            z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=noise)
            reconstruction = functional.binary_cross_entropy_with_logits(network.decoder(z, y), x, reduction="sum")
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
            bound: Tensor = (reconstruction + divergence) / len(batch)
            return bound

        self.watch("mnist-vae", fit(both, loss, len(self.digits), self.recipe.autoencoder, self.seed), end=0.5)

    def flow(self, network: DigitGenerator) -> None:
        """By the likelihood of latents drawn anew from q(z | x, y) in each epoch; the weights' moving average is kept."""
        labels = self.digits.labels
        stages = audit.in_batches(lambda x, y: torch.stack(network.encoder(x, y), 1), self.digits.pictures, labels)
        mean, deviation = stages[:, 0], (stages[:, 1] / 2).exp()
        flow = network.flow
        flow.start_from(mean, deviation, labels)
        average = Average(flow, self.recipe.flow_memory)

        def loss(batch: Int[Tensor, "batch"], noise: torch.Generator) -> Float[Tensor, ""]:
            z = mean[batch] + deviation[batch] * torch.randn(len(batch), mean.shape[1], generator=noise)
            return -flow.log_prob(z, labels[batch]).mean()

        for done in fit(flow, loss, len(self.digits), self.recipe.flow, self.seed):
            average.follow(flow)
            self.report("mnist-vae", 0.5 + 0.5 * done)
        flow.load_state_dict(average.network.state_dict())
