"""The interface of search algorithms."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluation
from gevaldi.settings import Settings

Memory = Any
"""A frozen dataclass with an algorithm's state between steps; every tensor or array has samples in the first dimension."""


class Algorithm(Settings, ABC):
    """A rule for the next latent of a search; its settings are its fields, and it has no other state.

    It proposes latents and receives the objective there, so that samples at different steps are evaluated together.

    Attributes:
        converges: whether it climbs to a maximum, so that a sample ends at its best; a sampler ends at its last step.
        stops_early: whether a sample can stop when it stops gaining; a sampler and a population run for all their steps.
        needs_gradient: whether it reads the gradient of an evaluation.
        needs_both: whether the gradient has to be that of both classifiers; otherwise a black box's part may be missing.
    """

    converges: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True
    needs_gradient: ClassVar[bool] = True
    needs_both: ClassVar[bool] = True

    @abstractmethod
    def start(self, z: Float[Tensor, "batch ..."]) -> Memory:
        """The memory before the first step of searches that start at z."""

    @abstractmethod
    def step(self, now: Evaluation, memory: Memory, noise: Noise) -> tuple[Float[Tensor, "batch ..."], Memory]:
        """The next latents, and the new memory.

        No sample may depend on another. Samples may be at different steps, `noise.steps`, counted from 1.
        """
