"""From a picture in [0, 1] to what a network was trained on, as torch operations, so that gradients pass."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.errors import SpecError
from gevaldi.label_files import IMAGENET
from gevaldi.models import Pictures

Mode = Literal["center", "squash"]
USUAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # of ImageNet's pictures in [0, 1], red first


class Preprocessing(nn.Module):
    """Resize as `resized` does, crop the centre, normalise.

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
        """Pictures become `crop` (height, width), cut out of pictures whose shorter side is `resize`.

        These have the proportions of the picture or, where `mode` is squash, those of `crop`.
        """
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
        height, width = self.crop if self.mode == "squash" else pictures.shape[-2:]
        short = min(height, width)
        size = int(self.resize * height / short), int(self.resize * width / short)
        sized = resized(pictures, size, self.interpolation)
        cropped: Tensor = F.center_crop(sized, list(self.crop))
        return (cropped - self.mean) / self.std


def resized(pictures: Tensor, size: tuple[int, int], interpolation: Any) -> Tensor:
    """Pictures in [0, 1] in a size (height, width), with antialiasing.

    What bicubic resizing overshoots is cut off after each direction, as in 8 bits: across first, then down.
    """
    from torchvision.transforms.v2 import functional as F

    for sides in ((pictures.shape[-2], size[1]), size):
        pictures = F.resize(pictures, [*sides], interpolation=interpolation, antialias=True).clamp(0, 1)
    return pictures


def normalisation(mean: Any, std: Any) -> dict[str, tuple[float, ...] | None]:
    """`mean` and `std` for each of three channels, None where nothing is said; with mean=imagenet the usual std.

    Raises:
        SpecError: one is no number, list of three or `imagenet`, or a standard deviation is not positive.
    """
    return {"mean": of_channels(mean, "mean"), "std": of_channels(IMAGENET if std is None and mean == IMAGENET else std, "std")}


def of_channels(values: Any, name: str) -> tuple[float, ...] | None:
    """A mean or a standard deviation for each of three channels, of a number, a list of three, or `imagenet`.

    Raises:
        SpecError: it is neither, or a standard deviation is not positive.
    """
    if values is None:
        return None
    if values == IMAGENET:
        return USUAL[name]
    numbers = values if isinstance(values, list) else [values] * 3
    if len(numbers) != 3 or not all(isinstance(v, int | float) for v in numbers) or (name == "std" and min(numbers) <= 0):
        raise SpecError(
            f"{name}={values!r} was given; a number, a list of three such as [0.485,0.456,0.406], or imagenet was expected."
        )
    return tuple(map(float, numbers))
