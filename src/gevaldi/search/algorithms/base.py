"""What every search algorithm must do."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.settings import Settings

Memory = Any
"""A frozen dataclass of what an algorithm remembers of the way, every tensor with samples in the first dimension."""


class Algorithm(Settings, ABC):
    """A way from one latent of a search to the next; its settings are its fields, and it keeps nothing else.

    It is asked for latents and told what the objective is there, so that samples that begin and samples that have long been on
    their way are evaluated together.

    Attributes:
        converges: whether it climbs to a maximum and can stop when it gains no more; a sampler wanders for as long as it is let.
    """

    converges: ClassVar[bool] = True

    @abstractmethod
    def start(self, z: Float[Tensor, "batch ..."]) -> Memory:
        """What is remembered before the first step of searches that start at z."""

    @abstractmethod
    def step(self, now: Evaluation, memory: Memory, noise: Noise) -> tuple[Float[Tensor, "batch ..."], Memory]:
        """The latents to go to, and what is then remembered.

        No sample may look at another. Samples may be at different steps, `noise.steps`, counted from 1.
        """
