"""What a set of real pictures is."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class RealPictures:
    """Pictures in [0, 1], and the name of each one's class where it is known.

    Attributes:
        pictures: one tensor a picture, because those of a folder differ in size.
        classes: name or taxonomy id of the class; None where unknown.
        paths: the file of each; empty where several lie in one.
    """

    pictures: list[Float[Tensor, "channels height width"]]
    classes: list[str | None]
    paths: list[Path] = field(default_factory=list)

    def spread(self, count: int) -> "RealPictures":
        """So many of them, evenly spaced over all; all where there are no more."""
        total = len(self.pictures)
        places = [round(i * (total - 1) / max(1, count - 1)) for i in range(count)] if count < total else range(total)
        chosen = [self.paths[i] for i in places] if self.paths else []
        return RealPictures([self.pictures[i] for i in places], [self.classes[i] for i in places], chosen)


def brought_to(found: RealPictures, shape: tuple[int, int, int]) -> RealPictures:
    """Every picture with these channels and this size: grey or colour as asked for, shorter side scaled, centre cut out."""
    return replace(found, pictures=[_fitted(picture, shape) for picture in found.pictures])


def _fitted(picture: Float[Tensor, "channels height width"], shape: tuple[int, int, int]) -> Tensor:
    channels, height, width = shape
    if picture.shape[0] != channels:
        picture = picture.mean(0, keepdim=True).expand(channels, -1, -1)
    if picture.shape[1:] == (height, width):
        return picture
    scale = max(height / picture.shape[1], width / picture.shape[2])
    size = [max(height, round(picture.shape[1] * scale)), max(width, round(picture.shape[2] * scale))]
    scaled = torch.nn.functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[:, top : top + height, left : left + width].clamp(0, 1)
