"""What every search algorithm must do."""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, Evaluation
from gevaldi.settings import Settings


@runtime_checkable
class SearchState(Protocol):
    """A frozen dataclass: an evaluation, and what the algorithm remembers of the way, with samples in the first dimension."""

    @property
    def evaluation(self) -> Evaluation:
        """The objective at the latents where the search now stands."""
        ...


class Algorithm(Settings, ABC):
    """A way from one state of a search to the next; its settings are its fields, and it keeps nothing else.

    Attributes:
        converges: whether it climbs to a maximum and can stop when it gains no more; a sampler wanders for as long as it is let.
    """

    converges: ClassVar[bool] = True

    @abstractmethod
    def start(self, evaluate: Evaluate, z: Float[Tensor, "batch ..."]) -> SearchState:
        """The state before the first step: one evaluation, at z."""

    @abstractmethod
    def step(self, evaluate: Evaluate, state: "SearchState", noise: Noise) -> SearchState:
        """The state after one more step: one evaluation, at the new latents. No sample may look at another."""
