"""Classifiers that do something with what others say: mix it, sharpen or flatten it, or lend it gradients."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.divergences.base import log_sum_exp
from gevaldi.errors import SpecError
from gevaldi.models import Classifier, Inputs, notes


class Ensemble(Classifier):
    """p(y|x) = mean over the members of pᵢ(y|x) [Lakshminarayanan 2017]."""

    def __init__(self, members: Sequence[Classifier], name: str | None = None) -> None:
        """All members have the same labels in the same order."""
        super().__init__()
        if len(members) < 2:
            raise SpecError(f"{len(members)} classifiers were given; an ensemble has two or more members.")
        self.members, self.labels, self.name = nn.ModuleList(members), members[0].labels, name
        self.note = notes(*(member.note for member in members))
        _refuse_other_labels(members)
        self.hears = _common_rate(members)
        self.training = any(member.training for member in members)
        self.official = self._official if all(member.official for member in members) else None

    def forward(self, pictures: Inputs) -> Float[Tensor, "batch classes"]:
        """Log of the members' mean probabilities."""
        return _mean([member(pictures) for member in self.members])

    def _official(self, picture: Any) -> Tensor:
        return _mean([member.official(picture) for member in self.members])  # type: ignore[operator]


def _common_rate(members: Sequence[Classifier]) -> int | None:
    """What all hear, None for pictures.

    Raises:
        SpecError: some take pictures, or hear at another rate.
    """
    rates = {member.hears for member in members}
    if len(rates) > 1:
        kinds = [f"{member.name} takes {f'sound of {member.hears:,} Hz' if member.hears else 'pictures'}" for member in members]
        raise SpecError(f"{', '.join(kinds)}; networks that take the same were expected.")
    return rates.pop()


def _mean(log_p: Sequence[Float[Tensor, "batch classes"]]) -> Float[Tensor, "batch classes"]:
    return log_sum_exp(torch.stack(list(log_p), -1)) - math.log(len(log_p))


class Tempered(Classifier):
    """p(y|x) ∝ pᵢ(y|x)^(1/T), the temperature scaling of [Guo 2017]: T > 1 makes predictions less certain; the top class stays."""

    temperature: Tensor

    def __init__(self, inner: Classifier, temperature: float) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise SpecError(f"temperature={temperature} was given; a positive, finite number was expected, such as 1.5.")
        self.inner, self.labels, self.note, self.training = inner, inner.labels, inner.note, inner.training
        self.hears = inner.hears
        self.name = f"{inner.name}, temperature {temperature:g}" if inner.name else None
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.official = self._official if inner.official else None

    def forward(self, pictures: Inputs) -> Float[Tensor, "batch classes"]:
        """Log-probabilities divided by the temperature, normalised again."""
        return self._scaled(self.inner(pictures))

    def _official(self, picture: Any) -> Tensor:
        assert self.inner.official
        return self._scaled(self.inner.official(picture))

    def _scaled(self, log_p: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        scaled: Tensor = (log_p / self.temperature).log_softmax(-1)
        return scaled


class Surrogate(Classifier):
    """What one classifier says, with the gradients of another: for one that has none, as a network of integers or a remote one.

    The backward pass differentiable approximation of [Athalye 2018]: forward value of `inner`, and its derivative with respect to
    the pictures taken from `gradients`. What a search finds is judged by `inner` alone; how well it searches depends on how alike
    the two are.
    """

    passes_gradients = True

    def __init__(self, inner: Classifier, gradients: Classifier) -> None:
        """Both have the same labels in the same order."""
        super().__init__()
        _refuse_other_labels([inner, gradients])
        self.inner, self.gradients, self.labels = inner, gradients, inner.labels
        self.training = inner.training or gradients.training
        self.name, self.official, self.hears = inner.name, inner.official, _common_rate([inner, gradients])
        self.note = notes(f"gradients are those of {gradients.name or type(gradients).__name__}", inner.note)

    def forward(self, pictures: Inputs) -> Float[Tensor, "batch classes"]:
        """Log-probabilities of `inner`; a gradient passes through `gradients`."""
        with torch.no_grad():
            said: Tensor = self.inner(pictures)
        if not (torch.is_grad_enabled() and pictures.requires_grad):
            return said
        lent: Tensor = _Lent.apply(said, self.gradients(pictures))
        return lent


class _Lent(torch.autograd.Function):
    """The first argument, differentiated as if it were the second."""

    @staticmethod
    def forward(ctx: Any, said: Tensor, through: Tensor) -> Tensor:
        value: Tensor = said.clone()
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, gradients[0]


def _refuse_other_labels(classifiers: Sequence[Classifier]) -> None:
    first = classifiers[0].labels
    for i, other in enumerate((classifier.labels for classifier in classifiers[1:]), start=2):
        if len(other) != len(first):
            raise SpecError(
                f"Classifiers to be put together have other labels: number 1 has {len(first)}, number {i} {len(other)}."
            )
        if other != first:
            place = next(k for k in range(len(first)) if first[k] != other[k])
            mine, theirs = (f"{label.name!r} ({label.id or 'no id'})" for label in (first[place], other[place]))
            raise SpecError(
                f"Classifiers to be put together have other labels: class {place} is {mine} in number 1 and {theirs} in number "
                f"{i}. All need the same; those of a file are said by labels=."
            )
