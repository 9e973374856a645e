"""Pictures in 256 levels a colour, as files hold them."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from gevaldi.sounds.recordings import carrying, recording_of

if TYPE_CHECKING:
    from PIL import Image

Levels = UInt8[Tensor, "... channels height width"]
"""Pictures in 256 levels a colour."""


def in_levels(pictures: Float[Tensor, "... channels height width"]) -> Levels:
    """Pictures in [0, 1] with 8 bits a colour, off the device; what is not a number becomes black."""
    return (pictures.nan_to_num(0.0).clamp(0, 1) * 255).round().byte().cpu()


def image_of(picture: Float[Tensor, "channels height width"]) -> "Image.Image":
    """A picture as PIL has it, with the recording that it is of, if it is of one."""
    found: Image.Image = carrying(as_image(in_levels(picture)), recording_of(picture))
    return found


def as_image(picture: Levels) -> "Image.Image":
    """A picture as PIL has it."""
    from PIL import Image

    return Image.fromarray(picture.numpy()[0] if len(picture) == 1 else np.moveaxis(picture.numpy(), 0, -1))
