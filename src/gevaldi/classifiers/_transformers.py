"""The torch side of transformers: logits alone, and what its image processors do to a picture, so that gradients pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.errors import SpecError
from gevaldi.models import Pictures

Sides = tuple[int, int]  # height, width
RESAMPLE = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}  # by PIL's numbers; others have no gradient in torch
WHOLE = 384  # from this side on, ConvNeXt's processor squashes pictures, and does not cut them


class Logits(nn.Module):
    """A classifier of transformers without what else it gives."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Its logits."""
        found: Tensor = self.network(pixel_values=pictures, return_dict=True).logits
        return found


@dataclass(frozen=True)
class Frame:
    """How a picture gets its size: resized to a shorter side or to both, then cut; None for not at all."""

    resize: int | Sides | None = None
    crop: Sides | None = None

    @property
    def final(self) -> Sides:
        """What every picture ends in; (0, 0) if that depends on the picture."""
        return self.crop or (self.resize if isinstance(self.resize, tuple) else (0, 0))


class Framed(Preprocessing):
    """Resize, the shorter side to a number or both sides to a pair; cut the centre; turn the colours about; and the rest as ever.

    A kind of `Preprocessing`, not one around it, because the check by the official pipeline and copies look for one.
    """

    def __init__(
        self,
        frame: Frame,
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: str,
        backwards: bool,
    ) -> None:
        super().__init__(frame.final[0], frame.final, mean, std, interpolation, "squash")
        self.frame, self.backwards = frame, backwards

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch colours crop_height crop_width"]:
        """Of what is cut away, an odd row or column is at the end, as transformers has it."""
        from torchvision.transforms.v2 import functional as F

        if self.frame.resize:
            sides = [self.frame.resize] if isinstance(self.frame.resize, int) else list(self.frame.resize)
            pictures = F.resize(pictures, sides, interpolation=self.interpolation, antialias=True)
        if self.frame.crop:
            height, width = (now - max(0, now - to) % 2 for now, to in zip(pictures.shape[2:], self.frame.crop, strict=True))
            pictures = F.center_crop(pictures[:, :, :height, :width], list(self.frame.crop))  # else half of it is at the start
        return super().forward(pictures.flip(1) if self.backwards else pictures)


def preprocessing_of(processor: Any, name: str) -> Framed:
    """The same as a processor does.

    Raises:
        SpecError: it is of a kind that is not known here, or has a setting that is not; the message says which.
    """
    kind = type(processor).__name__.removesuffix("Fast").removesuffix("Pil").replace("FeatureExtractor", "ImageProcessor")
    if kind not in FRAMES:
        raise _unknown(name, f"by {type(processor).__name__}", f"known are {', '.join(FRAMES)}")
    if _get(processor, "resample") not in RESAMPLE:
        raise _unknown(name, f"with resample={_get(processor, 'resample')}", f"known are {', '.join(map(str, RESAMPLE))}")
    if _get(processor, "do_pad"):
        raise _unknown(name, "with do_pad", "a frame around a picture would be searched too")
    frame = FRAMES[kind](processor)
    if not all(frame.final):
        raise _unknown(name, f"to size={dict(processor.size)} without cutting a centre", "pictures of one size were expected")
    return Framed(frame, *_colours(processor), RESAMPLE[int(processor.resample)], bool(_get(processor, "do_flip_channel_order")))


def _unknown(name: str, what: str, but: str) -> SpecError:
    return SpecError(f"transformers:{name} prepares pictures {what}, which is not known here: {but}.")


def _get(processor: Any, key: str) -> Any:
    return getattr(processor, key, None)


def _colours(processor: Any) -> tuple[list[float], list[float]]:
    """Mean and standard deviation for pictures x in [0, 1] that do the same as all of its arithmetic, a·x - b."""
    mean, std = (list(value) if isinstance(value, Sequence) else [value] * 3 for value in _stated(processor))
    factor = 255 * processor.rescale_factor if processor.do_rescale else 255.0
    offset = 1.0 if processor.do_rescale and _get(processor, "rescale_offset") else 0.0
    a, b = [factor] * len(std), [offset] * len(std)
    if processor.do_normalize:
        a, b = [x / s for x, s in zip(a, std, strict=True)], [(y + m) / s for y, m, s in zip(b, mean, std, strict=True)]
    if _get(processor, "include_top"):  # EfficientNet divides twice
        a, b = [x / s for x, s in zip(a, std, strict=True)], [y / s for y, s in zip(b, std, strict=True)]
    return [y / x for x, y in zip(a, b, strict=True)], [1 / x for x in a]


def _stated(processor: Any) -> tuple[Any, Any]:
    mean, std = _get(processor, "image_mean"), _get(processor, "image_std")
    return 0.0 if mean is None else mean, 1.0 if std is None else std


def _pair(size: Any) -> Sides | None:
    known = dict(size or {})
    return (known["height"], known["width"]) if {"height", "width"} <= known.keys() else None


def _shorter(processor: Any) -> int | None:
    """The shorter side that is stated, if that is all that is stated."""
    known = dict(processor.size)
    return int(known["shortest_edge"]) if known.keys() == {"shortest_edge"} else None


def _as_stated(processor: Any) -> Frame:
    resize = (_pair(processor.size) or _shorter(processor)) if processor.do_resize else None
    return Frame(resize, _pair(_get(processor, "crop_size")) if _get(processor, "do_center_crop") else None)


def _convnext(processor: Any) -> Frame:
    side = _shorter(processor)
    if side is None or not processor.do_resize or _get(processor, "do_center_crop"):
        return Frame()
    return Frame(int(side / processor.crop_pct), (side, side)) if side < WHOLE else Frame((side, side))


def _levit(processor: Any) -> Frame:
    frame = _as_stated(processor)
    return replace(frame, resize=int((256 / 224) * frame.resize)) if isinstance(frame.resize, int) else frame


def _poolformer(processor: Any) -> Frame:
    frame = _as_stated(processor)
    sides = {frame.resize} if isinstance(frame.resize, int) else set(frame.resize or ())
    return replace(frame, resize=int(sides.pop() / processor.crop_pct)) if processor.crop_pct and len(sides) == 1 else frame


PLAIN = (
    "Beit",
    "Bit",
    "CLIP",
    "DeiT",
    "EfficientNet",
    "MobileNetV1",
    "MobileNetV2",
    "MobileViT",
    "Pvt",
    "Segformer",
    "Siglip",
    "ViT",
)
FRAMES: dict[str, Callable[[Any], Frame]] = {
    **{f"{kind}ImageProcessor": _as_stated for kind in PLAIN},
    "ConvNextImageProcessor": _convnext,
    "LevitImageProcessor": _levit,
    "PoolFormerImageProcessor": _poolformer,
}
