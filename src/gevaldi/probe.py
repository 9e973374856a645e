"""Questions to a network whose answer to a sample must depend on nothing else, each in its own guard, so that faults are named."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gevaldi.errors import ContractError, describe_error

TOLERANCE = 1e-3  # by which pictures and probabilities may differ through rounding


@dataclass(frozen=True)
class Probe:
    """A network that is asked about one batch.

    Attributes:
        who: the network, for messages.
        network: of tensors with samples in the first dimension; it gives pictures or log-probabilities.
        check: raises ContractError where an answer has another form.
        batch: two samples or more.
        given, gives: what the batch and the answer hold, for messages.
    """

    role: str
    network: Callable[..., Tensor]
    check: Callable[[Tensor, tuple[Tensor, ...]], None]
    batch: tuple[Tensor, ...]
    given: str
    gives: str

    def answer(self) -> Tensor:
        """The answer with its gradient, if the network keeps what every search relies on.

        In this order: the same batch gives the same twice, the batch is left unchanged, a sample alone gives what it gives in a
        batch, and so it does in a larger one. Every question has a copy of the batch, so that one fault is not taken for another.

        Raises:
            ContractError: the network fails, or an answer is another.
        """
        own = tuple(part.clone() for part in self.batch)
        together = self._together(own)
        with torch.no_grad():
            self._check_twice(together)
            self._check_unchanged(own)
            self._check_size(together, 1)
            self._check_size(together, len(together) + 1)
        return together

    def _together(self, own: tuple[Tensor, ...]) -> Tensor:
        """The answer to the whole batch; where there is none, a sample alone tells whether the size of the batch is to blame."""
        try:
            together = self.network(*own)
            self.check(together, self.batch)
        except Exception as error:
            if self._answers_alone():
                raise ContractError(
                    f"The {self.role} fails on {len(own[0])} {self.given} at once, but not on one alone: its batch size is fixed. "
                    f"{_reason(error)} Let it take any number: flatten(1) and reshape(len(x), ...) in place of reshape(1, ...)."
                ) from error
            raise
        return together

    @torch.no_grad()
    def _answers_alone(self) -> bool:
        alone = self._samples(torch.zeros(1, dtype=torch.long))
        try:
            self.check(self.network(*alone), alone)
        except Exception:
            return False
        return True

    def _samples(self, places: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.detach()[places.to(part.device)] for part in self.batch)

    def _check_twice(self, together: Tensor) -> None:
        difference = _difference(self.network(*self._samples(torch.arange(len(together)))), together)
        if difference > TOLERANCE:
            raise ContractError(
                f"The {self.role} gives other {self.gives} when it is given the same {self.given} twice (by {difference:.2g}): it "
                "uses chance, or remembers. Does it call F.dropout without training=self.training, add noise, or count its calls?"
            )

    def _check_unchanged(self, own: tuple[Tensor, ...]) -> None:
        # by the values, or by torch's own count of writes, since ReLU in place leaves a picture as it is, and breaks the gradient
        written = (x._version > 0 or not torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in zip(own, self.batch, strict=True))
        if any(written):
            raise ContractError(
                f"The {self.role} changes the {self.given} that it is given, in place: what comes after it sees others. "
                "Write x = (x - mean) / std and not x.sub_(mean).div_(std), and leave out inplace=True where it begins."
            )

    def _check_size(self, together: Tensor, size: int) -> None:
        places = torch.arange(size) % len(together)
        samples = self._samples(places)
        try:
            found = self.network(*samples)
            self.check(found, samples)
        except Exception as error:
            raise ContractError(
                f"The {self.role} takes {len(together)} {self.given} at once, but fails on {'one alone' if size == 1 else size}: "
                f"its batch size is fixed. {_reason(error)} Let it take any number: reshape(len(x), ...), and no squeeze() of one."
            ) from error
        difference = _difference(found, together[places.to(together.device)])
        if difference > TOLERANCE:
            how = "alone" if size == 1 else f"in a batch of {size}"
            raise ContractError(
                f"The {self.role} gives other {self.gives} for a sample {how} than in a batch of {len(together)} (by "
                f"{difference:.2g}): it looks at its neighbours. Is a batch normalisation in training mode, or something computed "
                "over the whole batch?"
            )


def _reason(error: Exception) -> str:
    return f"{str(error) if isinstance(error, ContractError) else describe_error(error)}".rstrip(".") + "."


def _difference(one: Tensor, other: Tensor) -> float:
    """The largest difference, in pictures or in probabilities."""
    one, other = (values.exp() if values.dim() == 2 else values for values in (one.detach(), other.detach()))
    return (one - other).abs().max().item()
