"""How long and how fast a network is trained. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: Adam with decoupled weight decay, one cycle of the rate [Smith 2018], clipped gradients."""

    epochs: int
    batch: int
    rate: float
    decay: float = 0.0
    clip: float = 100.0

    def __str__(self) -> str:
        length = f"{self.epochs} epochs, batches of {self.batch}"
        return f"{length}, rate {self.rate:g}, decay {self.decay:g}, gradients up to {self.clip:g}"
