"""What the bundled models are measured by: accuracy, disagreement, and how a generator's pictures compare with real ones."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.bundled.architectures import CLASSES, ConditionalGenerator, Referee
from gevaldi.bundled.examples import Examples

BATCH = 500


@torch.no_grad()
def in_batches(
    function: Callable[..., Tensor], *inputs: Float[Tensor, "samples *shape"] | Int[Tensor, "samples"]
) -> Float[Tensor, "samples *result"] | Int[Tensor, "samples *result"]:
    """`function` applied to all samples, a few hundred at a time, without gradients."""
    starts = range(0, len(inputs[0]), BATCH)
    return torch.cat([function(*(given[start : start + BATCH] for given in inputs)) for start in starts])


def top_class(classifier: nn.Module, pictures: Float[Tensor, "samples 1 side side"]) -> Int[Tensor, "samples"]:
    """The class to which the classifier gives the largest logit."""
    return in_batches(lambda x: classifier(x).argmax(1), pictures)


def share(events: Tensor) -> float:
    """The share of events that came true, in [0, 1]."""
    return events.float().mean().item()


def accuracy(classifier: nn.Module, real: Examples) -> float:
    """The share of pictures that the classifier reads as labelled, in [0, 1]."""
    return share(top_class(classifier, real.pictures).eq(real.labels))


def disagreement(first: nn.Module, second: nn.Module, pictures: Float[Tensor, "samples 1 side side"]) -> float:
    """The share of pictures on which the top classes differ, in [0, 1]."""
    return share(top_class(first, pictures).ne(top_class(second, pictures)))


def draw(
    generator: ConditionalGenerator, samples: int, seed: int
) -> tuple[Float[Tensor, "samples 1 side side"], Int[Tensor, "samples"]]:
    """Pictures from u ~ N(0, I), with the classes 0 to 9 in turn, and those classes."""
    u = torch.randn(samples, generator.latent, generator=torch.Generator().manual_seed(seed))
    y = torch.arange(samples) % CLASSES
    return in_batches(generator, u, y), y


def coverage(real: Float[Tensor, "real features"], other: Float[Tensor, "other features"], neighbours: int = 5) -> float:
    """The share of real points with one of `other` no farther than their own k-th real neighbour [Naeem 2020].

    In [0, 1]. Two equally large samples of one distribution reach 1 - 2^-k (0.97 for k = 5), not 1.
    """
    radius = torch.cdist(real, real).kthvalue(neighbours + 1, dim=1).values  # the nearest is the point itself
    return share(torch.cdist(real, other).min(1).values <= radius)


@dataclass(frozen=True)
class Audit:
    """Generated pictures against real ones; all figures are shares in [0, 1]."""

    samples: int
    disagreement: float
    real_disagreement: float
    read_as_meant: float
    coverage: float
    real_coverage: float

    @property
    def ratio(self) -> float:
        """How many times as often the pair disagrees on generated pictures as on real ones."""
        return self.disagreement / self.real_disagreement if self.real_disagreement else math.inf


def audit(
    generator: ConditionalGenerator, first: nn.Module, second: nn.Module, referee: Referee, real: Examples, samples: int = 10_000
) -> Audit:
    """Holds samples with u ~ N(0, I) and uniform classes against real pictures that no model was trained on.

    Coverage is taken in the referee's features, over every second real picture; its reference figure is how well the
    pictures between cover those. (Not the first half and the second: MNIST's first 5,000 test digits are the more legible ones.)
    """
    pictures, y = draw(generator, samples, seed=0)
    half = len(real) // 2
    features = in_batches(referee.features, real.pictures)
    even, odd = features[: 2 * half : 2], features[1::2]
    return Audit(
        samples=samples,
        disagreement=disagreement(first, second, pictures),
        real_disagreement=disagreement(first, second, real.pictures),
        read_as_meant=share(top_class(referee, pictures).eq(y)),
        coverage=coverage(even, in_batches(referee.features, pictures[:half])),
        real_coverage=coverage(even, odd),
    )
