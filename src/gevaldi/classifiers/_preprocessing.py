"""From a picture in [0, 1] to what a network was trained on, as torch operations, so that gradients pass."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.models import Pictures

Mode = Literal["center", "squash"]


class Preprocessing(nn.Module):
    """Resize with antialiasing, crop the centre, clamp what bicubic resizing overshoots, normalise.

    Differs from the same on 8-bit pictures by PIL by rounding only: each value by less than 2.1 of 255 levels.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        resize: int,
        crop: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: Any = "bilinear",
        mode: Mode = "center",
    ) -> None:
        """Pictures become `crop` (height, width): from a shorter side of `resize`, or, where `mode` is squash, directly."""
        from torchvision.transforms.v2 import InterpolationMode

        super().__init__()
        self.resize, self.crop, self.mode = resize, crop, mode
        self.interpolation = InterpolationMode(getattr(interpolation, "value", interpolation))
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.eval()

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch colours crop_height crop_width"]:
        """Grey pictures become three equal channels where the network wants three."""
        from torchvision.transforms.v2 import functional as F

        if pictures.shape[1] == 1 and self.mean.shape[1] == 3:
            pictures = pictures.expand(-1, 3, -1, -1)
        size = list(self.crop) if self.mode == "squash" else [self.resize]
        resized = F.resize(pictures, size, interpolation=self.interpolation, antialias=True)
        cropped: Tensor = F.center_crop(resized, list(self.crop))
        return (cropped.clamp(0, 1) - self.mean) / self.std
