"""How the pictures of a generator become sound."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

Waveforms = Float[Tensor, "batch samples"]
"""Sound of one channel in [-1, 1]."""


class Sound(ABC):
    """The way from pictures to waveforms and back. Both are differentiable, and a batch equals its members.

    Attributes:
        rate: samples a second (Hz) of the waveforms.
    """

    rate: int

    @abstractmethod
    def waveform(self, pictures: Float[Tensor, "batch channels height width"]) -> Waveforms:
        """The sound of pictures, always the same for the same picture."""

    @abstractmethod
    def picture(self, waveform: Waveforms) -> Float[Tensor, "batch channels height width"]:
        """The pictures of sounds, which are cut or padded with silence to the length of a picture."""
