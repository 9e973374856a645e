"""What a class-conditional generator says of who is right: a guess, with what is known of its bias. Never a decision.

A classifier is as accurate on the generator's pictures as on real ones, but for an error of its own. The errors of classifiers
whose true accuracy is known give the size of that of others.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, logit, stdtrit

from gevaldi.errors import SpecError
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import Paired

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Generator

DRAWN = 10_000  # pictures
BATCH = 250
FEWEST = 5  # classifiers of known accuracy to learn a bias from
BIASES = "bias.json"  # of the bundled generators, beside their weights; `benchmarks/guess.py` writes it


@dataclass(frozen=True)
class Bias:
    """How true accuracies follow from those on a generator's pictures, learnt on classifiers whose truth is known.

    A line between log-odds, log a / (1 - a), because good classifiers err by less.

    Attributes:
        slope, intercept: of the line from the accuracy on the generator's pictures to the true one.
        spread: the standard deviation of the true log-odds around the line.
        classifiers: how many it was learnt from.
    """

    slope: float
    intercept: float
    spread: float
    classifiers: int

    @classmethod
    def fit(cls, guessed: Float[np.ndarray, " classifiers"], true: Float[np.ndarray, " classifiers"]) -> "Bias":
        """By least squares.

        Args:
            guessed: accuracies on the generator's pictures, between 0 and 1.
            true: accuracies on real pictures, between 0 and 1.

        Raises:
            SpecError: there are fewer than five classifiers.
        """
        if len(true) < FEWEST:
            raise SpecError(f"A bias is learnt from {FEWEST} classifiers of known accuracy or more; {len(true)} were given.")
        x, y = logit(guessed), logit(true)
        slope, intercept = np.polyfit(x, y, 1)
        residual = y - (slope * x + intercept)
        return cls(float(slope), float(intercept), float(np.sqrt((residual**2).sum() / (len(true) - 2))), len(true))

    def difference(self, first: float, second: float, pictures: int) -> Estimate:
        """The difference of true accuracies of two other classifiers, second minus first, with its 95 % interval.

        Each has an error of its own around the line, and one of the generator's pictures as a sample. Quantiles are Student's.

        Args:
            first, second: accuracies on the generator's pictures.
            pictures: how many these were.
        """
        guessed = np.clip([first, second], 0.5 / pictures, 1 - 0.5 / pictures)
        expected = expit(self.slope * logit(guessed) + self.intercept)
        error = np.sqrt(self.spread**2 + self.slope**2 / (pictures * guessed * (1 - guessed)))
        half = float(stdtrit(self.classifiers - 2, 0.975)) * float(np.linalg.norm(error * expected * (1 - expected)))
        value = float(expected[1] - expected[0])
        return Estimate(value, value - half, value + half, pictures)


def known_bias(generator: str) -> Bias | None:
    """The bias of a bundled generator by its name, such as bundled:mnist-vae; None for others."""
    text = files("gevaldi.bundled").joinpath("weights", BIASES).read_text(encoding="utf-8")
    own = json.loads(text).get(generator)
    return Bias(**own) if own else None


@dataclass(frozen=True)
class Guess:
    """Two classifiers on pictures that a generator drew, with the condition as the truth.

    Attributes:
        generator: its name.
        paired: who is right.
        bias: what is known of the generator's bias; None if nothing is.
    """

    generator: str
    paired: Paired
    bias: Bias | None = None

    @property
    def difference(self) -> Estimate:
        """Second minus first on the generator's pictures, as if its conditions were true."""
        own = self.paired.difference()
        return Estimate(-own.value, -own.high, -own.low, self.paired.total)

    @property
    def on_real_pictures(self) -> Estimate | None:
        """The difference on real pictures with the generator's bias; None if that is unknown."""
        own, total = self.paired, self.paired.total
        if self.bias is None:
            return None
        return self.bias.difference((own.both + own.only_first) / total, (own.both + own.only_second) / total, total)

    def sentences(self, names: Sequence[str]) -> list[str]:
        """The guess in words, with its warning; `names` are those of the first and the second classifier."""
        own, counts = self.difference, self.paired
        parts = [
            f"A guess, not a decision: on {counts.total:,} pictures that {self.generator} drew, with its condition as the truth, "
            f"only {names[0]} is right on {counts.only_first:,} and only {names[1]} on {counts.only_second:,}."
        ]
        if self.on_real_pictures is None:
            parts.append(
                "How far this generator's pictures mislead is unknown, so nothing follows for real pictures: drawing more of them "
                "makes the answer surer and not truer."
            )
        else:
            low, high = self.on_real_pictures.low, self.on_real_pictures.high
            parts.append(
                f"Over {self.bias.classifiers if self.bias else 0} classifiers of known accuracy, this generator errs so much that "
                f"the difference on real pictures is between {100 * low:+.2f} and {100 * high:+.2f} percentage points."
            )
        if own.low > 0 or own.high < 0:
            parts.append("The count alone looks sure; it has been sure and wrong before.")
        return parts


def guess_of(
    generator: "str | Generator",
    first: "str | Classifier",
    second: "str | Classifier",
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Guess:
    """What a generator says of two classifiers.

    Raises:
        UnknownName, WeightsError: a network cannot be loaded.
        SpecError: the generator has no conditions that the classifiers know.
    """
    from gevaldi.classifiers import load_classifier
    from gevaldi.generators import load_generator
    from gevaldi.wrappers.listening import listening

    drawer = load_generator(generator).eval().to(device)
    both = [listening(load_classifier(own), drawer.sound).eval().to(device) for own in (first, second)]
    right = right_on_draws(drawer, both, device=device, on_progress=on_progress)
    name = generator if isinstance(generator, str) else drawer.name or type(drawer).__name__
    return Guess(name, paired_counts(right[0], right[1]), known_bias(name))


def right_on_draws(
    generator: "Generator",
    classifiers: "Sequence[Classifier]",
    count: int = DRAWN,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Bool[np.ndarray, "classifiers pictures"]:
    """Whether each classifier names the condition on pictures that a generator draws, each condition equally often.

    Raises:
        SpecError: the generator has no conditions, or a classifier knows none of them.
    """
    import torch

    from gevaldi.alignment import target_classes

    if not generator.conditions:
        raise SpecError("A guess needs a generator that draws pictures of a class that is asked for; this one has no conditions.")
    targets = [[target_classes((label.name, label.id), own) for label in generator.conditions] for own in classifiers]
    if any(not any(own) for own in targets):
        raise SpecError("A classifier knows none of the generator's conditions, so nothing says which answers are right.")
    conditions = np.arange(count) % len(generator.conditions)
    right = np.zeros((len(classifiers), count), dtype=bool)
    with torch.no_grad():
        for begin in range(0, count, BATCH):
            now = conditions[begin : begin + BATCH]
            z = generator.prior.sample(list(range(begin, begin + len(now)))).to(device)
            pictures = generator(z, torch.from_numpy(now).to(device))
            for k, own in enumerate(classifiers):
                tops = own(pictures).argmax(1).tolist()
                right[k, begin : begin + len(now)] = [top in targets[k][y] for top, y in zip(tops, now.tolist(), strict=True)]
            on_progress(begin + len(now), count)
    return right


def paired_counts(first: Bool[np.ndarray, " pictures"], second: Bool[np.ndarray, " pictures"]) -> Paired:
    """The counts of two classifiers that are right or wrong."""
    return Paired(
        int((first & second).sum()), int((first & ~second).sum()), int((~first & second).sum()), int((~first & ~second).sum())
    )
