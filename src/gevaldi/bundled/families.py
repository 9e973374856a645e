"""One way of making a small classifier: architecture and training. Needs no torch until a network is built."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gevaldi.bundled.schedule import Schedule

if TYPE_CHECKING:
    from torch import nn

BATCH = 128
Kind = Literal["linear", "dense", "patches", "strided", "pooled", "separable", "residual", "referee"]
Augmentation = Literal["jittered", "mirrored", "stretched, moved and masked", "stretched and moved a little"]


@dataclass(frozen=True)
class Family:
    """One way of making a classifier; networks that differ in their seeds alone are of one family.

    Attributes:
        name: as in `bundled:NAME`.
        sentence: what it is.
        kind, channels, hidden: its architecture; a kind without channels or without a hidden layer ignores the number.
        epochs, rate, batch: how it is trained.
        smoothed: the share of probability that its targets give to the nine other classes.
        pull: how these share it: as exp(-pull · H_w), H_w being the levels from the true class in the taxonomy `mnist-digits`.
        augmentation: what is done to each training picture.
        examples: how many training pictures it learns from, the first ones; by default all.
    """

    name: str
    sentence: str
    kind: Kind
    channels: int = 0
    hidden: int = 0
    epochs: int = 1
    rate: float = 2e-3
    smoothed: float = 0.0
    pull: float = 0.0
    augmentation: Augmentation | None = None
    examples: int | None = None
    batch: int = BATCH

    @property
    def schedule(self) -> Schedule:
        """How long and how fast it is trained."""
        return Schedule(self.epochs, self.batch, self.rate)

    @property
    def recipe(self) -> str:
        """How it is trained, in words."""
        smoothing = f"targets smoothed by {self.smoothed:g} with pull {self.pull:g}" if self.smoothed else ""
        augmentation = f"each picture {self.augmentation}" if self.augmentation else ""
        fewer = f"the first {self.examples:,} pictures only" if self.examples else ""
        return "; ".join(filter(None, (str(self.schedule), smoothing, augmentation, fewer)))

    def build(self, side: int = 28) -> "nn.Module":
        """The network for pictures of this side, with initial weights."""
        from gevaldi.bundled.architectures import KINDS

        return KINDS[self.kind](self.channels, self.hidden, side)
