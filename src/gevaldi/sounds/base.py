"""How the pictures of a generator become sound."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.errors import SpecError

Waveforms = Float[Tensor, "batch samples"]
"""Sound of one channel in [-1, 1]."""

SAME = 0.01  # by which pictures of the same sound may differ


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


@torch.no_grad()
def refuse_other_sound(generated: Sound | None, real: Sound | None) -> None:
    """Check that the pictures of a generator and those of recordings are of one kind: both make one picture of the same noise.

    Raises:
        SpecError: they do not.
    """
    if generated is None or real is None or generated == real:
        return
    noise = 0.1 * torch.randn(1, 2 * real.rate, generator=torch.Generator().manual_seed(0))
    one, other = generated.picture(noise), real.picture(noise)
    if generated.rate != real.rate or one.shape != other.shape or bool(((one - other).abs() > SAME).any()):
        raise SpecError(
            f"The generator's pictures are of sound by {generated}, and the real ones by {real}, so that both cannot be compared. "
            "Give the recordings the same options, such as sounds:FOLDER,rate=8000,mels=64."
        )
