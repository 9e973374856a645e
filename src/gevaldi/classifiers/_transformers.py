"""The torch side of transformers: logits alone, and what its image processors do to a picture, so that gradients pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.classifiers._preprocessing import Preprocessing, resized
from gevaldi.classifiers._timm import preprocessing_as
from gevaldi.errors import SpecError, describe_error
from gevaldi.models import Pictures

Sides = tuple[int, int]  # height, width
RESAMPLE = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}  # by PIL's numbers; others have no gradient in torch
SHAPES = ((96, 120), (121, 83), (40, 60), (64, 64))  # height and width of the pictures on which a processor is held against ours
LEVELS = 3.0  # of 255, by which a value may differ, for rounding to 8 bits after each direction
WHOLE = 384  # from this side on, ConvNeXt's processor squashes pictures, and does not cut them


class Logits(nn.Module):
    """A classifier of transformers without what else it gives."""

    def __init__(self, network: nn.Module, argument: str = "pixel_values") -> None:
        """`argument` is what the network calls its input."""
        super().__init__()
        self.network, self._argument = network, argument

    def forward(self, inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        """Its logits."""
        found: Tensor = self.network(**{self._argument: inputs}, return_dict=True).logits
        return found


@dataclass(frozen=True)
class Resize:
    """Resize to sides that follow from those of the picture.

    Attributes:
        rule: `both` for (height, width) as they are; `shorter` for the shorter side, `rounded` for the same to the nearest pixel;
            `between` for the shorter side unless the longer one exceeds `second`; `within` for the largest that fits into both;
            `thumbnail` for the same, only if the picture is larger.
        first, second: the sides.
        divisor: of which both have to be multiples.
    """

    rule: Literal["both", "shorter", "rounded", "between", "within", "thumbnail"]
    first: int
    second: int = 0
    divisor: int = 1

    def __call__(self, pictures: Tensor, interpolation: Any) -> Tensor:
        """Resized as 8-bit pictures are."""
        height, width = (-(-side // self.divisor) * self.divisor for side in self._sides(*pictures.shape[-2:]))
        return resized(pictures, (height, width), interpolation)

    def _sides(self, height: int, width: int) -> Sides:
        short, long = min(height, width), max(height, width)
        if self.rule == "both":
            return self.first, self.second
        if self.rule == "within":
            scale = min(self.first / height, self.second / width)
            return int(height * scale), int(width * scale)
        if self.rule == "thumbnail":
            high, wide = min(height, self.first), min(width, self.second)
            if (high, wide) == (height, width):
                return height, width
            return high if height >= width else int(height * wide / width), wide if width >= height else int(width * high / height)
        if self.rule == "rounded":
            scale = self.first / short
            return round(height * scale), round(width * scale)
        new, far = self.first, int(self.first * long / short)
        if self.rule == "between" and long / short * self.first > self.second:
            exact = self.second * short / long
            new, far = round(exact), int(exact * long / short)
        return (far, new) if height >= width else (new, far)


@dataclass(frozen=True)
class Crop:
    """Cut the centre; what lacks to it is black, and of an odd rest the larger part is at the end."""

    height: int
    width: int

    def __call__(self, pictures: Tensor, interpolation: Any) -> Tensor:
        """Pictures of this size."""
        return _cut(pictures, self.height, self.width)


@dataclass(frozen=True)
class Share:
    """Cut the centre to shares of the shorter side, as Perceiver does."""

    height: float
    width: float

    def __call__(self, pictures: Tensor, interpolation: Any) -> Tensor:
        """Pictures of a size that follows from theirs."""
        short = min(pictures.shape[-2:])
        return _cut(pictures, int(self.height * short), int(self.width * short))


def _cut(pictures: Tensor, height: int, width: int) -> Tensor:
    from torchvision.transforms.v2 import functional as F

    down, right = (max(0, to - now) for to, now in zip((height, width), pictures.shape[-2:], strict=True))
    padded = F.pad(pictures, [right // 2, down // 2, (right + 1) // 2, (down + 1) // 2]) if down or right else pictures
    top, left = (padded.shape[-2] - height) // 2, (padded.shape[-1] - width) // 2
    return padded[..., top : top + height, left : left + width]


Step = Resize | Crop | Share


class Framed(Preprocessing):
    """Resize and cut, step by step; turn the colours about; and the rest as ever.

    A kind of `Preprocessing`, not one around it, because the check by the official pipeline and copies look for one.
    """

    def __init__(
        self,
        steps: tuple[Step, ...],
        final: Sides,
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: str,
        backwards: bool,
    ) -> None:
        super().__init__(min(final), final, mean, std, interpolation, "squash")
        self.steps, self.backwards = steps, backwards

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch colours crop_height crop_width"]:
        """The steps one after the other."""
        for step in self.steps:
            pictures = step(pictures, self.interpolation)
        return super().forward(pictures.flip(1) if self.backwards else pictures)


def preprocessing_of(processor: Any, name: str) -> Preprocessing:
    """The same as a processor does, held against it on pictures of several shapes.

    Raises:
        SpecError: it is of a kind that is not known here, or does something that is not; the message says what.
    """
    kind = type(processor).__name__.removesuffix("Fast").removesuffix("Pil").replace("FeatureExtractor", "ImageProcessor")
    if kind == "TimmWrapperImageProcessor":
        return preprocessing_as(processor.data_config, f"transformers:{name}")
    if kind in FRAMES:
        return _compared(_framed(processor, FRAMES[kind], name), processor, name)
    try:  # one of those that no classifier has by default, which may do nothing out of the ordinary
        return _compared(_framed(processor, _plain, name), processor, name)
    except SpecError as error:
        raise _unknown(name, f"by {type(processor).__name__}", f"known are {', '.join(FRAMES)}") from error


def _framed(processor: Any, frame: Callable[[Any], list[Step]], name: str) -> Framed:
    if _get(processor, "resample") not in RESAMPLE:
        raise _unknown(name, f"with resample={_get(processor, 'resample')}", f"known are {', '.join(map(str, RESAMPLE))}")
    if _get(processor, "do_pad") and frame is not _donut:
        raise _unknown(name, "with do_pad", "a frame around a picture would be searched too")
    try:
        steps = frame(processor)
    except (KeyError, TypeError, ZeroDivisionError) as error:  # sizes that this kind of processor cannot work with
        raise _unknown(name, f"to size={_stated_value(processor)}", f"{type(processor).__name__} needs others") from error
    final = _final(steps)
    if final is None:
        raise _unknown(name, f"to size={_stated_value(processor)} without cutting a centre", "pictures of one size were expected")
    mean, std = _colours(processor)
    backwards, afterwards = bool(_get(processor, "do_flip_channel_order")), frame is _pp_lcnet  # which normalises before it turns
    if afterwards:
        mean, std = mean[::-1], std[::-1]
    return Framed(tuple(steps), final, mean, std, RESAMPLE[int(processor.resample)], backwards or afterwards)


def _final(steps: Sequence[Step]) -> Sides | None:
    """What every picture ends in; None if that depends on the picture."""
    last = steps[-1] if steps else None
    if isinstance(last, Crop):
        return last.height, last.width
    fixed = isinstance(last, Resize) and last.rule == "both" and last.divisor == 1
    return (last.first, last.second) if fixed and isinstance(last, Resize) else None


def _compared(ours: Framed, processor: Any, name: str) -> Framed:
    """Our preprocessing, if it does what the processor does: settings that nobody here has heard of are found out by it.

    Raises:
        SpecError: it does not.
    """
    for height, width in SHAPES:
        picture = _picture(height, width)
        try:
            official = processor(to_pil(picture), return_tensors="pt")["pixel_values"][0]
        except Exception as error:  # whatever processors raise at settings that contradict each other
            raise _unknown(
                name, f"so that its own processor fails ({describe_error(error)[:200]})", "see its configuration"
            ) from error
        with torch.no_grad():
            found = ours(picture[None])[0]
        if found.shape != official.shape:
            came = " x ".join(map(str, official.shape))
            raise _unknown(
                name, f"of {width} x {height} pixels as {came} numbers", f"{' x '.join(map(str, found.shape))} were expected"
            )
        away = ((found - official) * ours.std[0]).abs().max().item() * 255
        exact = ours.interpolation.value != "nearest-exact" or _get(processor, "backend") == "torchvision"
        if exact and not away < LEVELS:
            raise _unknown(
                name, "in another way than its settings say", f"it differs from its own processor by {away:.0f} of 255 levels"
            )
    return ours


def to_pil(picture: Tensor) -> Any:
    """A picture in 8 bits."""
    from torchvision.transforms.v2.functional import to_pil_image

    return to_pil_image(picture)


def _picture(height: int, width: int) -> Tensor:
    """A picture with edges and gradients in whole levels, without contrasts at which rounding would count."""
    coarse = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(height))
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0]
    return (fine * 255).round() / 255


def _stated_value(processor: Any) -> dict[str, Any]:
    return {key: value for key, value in dict(_get(processor, "size") or {}).items() if value is not None}


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
    if processor.do_normalize and "MobileViT" not in type(processor).__name__:  # which does not, whatever it is told
        a, b = [x / s for x, s in zip(a, std, strict=True)], [(y + m) / s for y, m, s in zip(b, mean, std, strict=True)]
    if _get(processor, "include_top"):  # EfficientNet divides twice
        a, b = [x / s for x, s in zip(a, std, strict=True)], [y / s for y, s in zip(b, std, strict=True)]
    return [y / x for x, y in zip(a, b, strict=True)], [1 / x for x in a]


def _stated(processor: Any) -> tuple[Any, Any]:
    mean, std = _get(processor, "image_mean"), _get(processor, "image_std")
    return 0.0 if mean is None else mean, 1.0 if std is None else std


def _resize(processor: Any) -> list[Step]:
    """What `size` says, in the order in which transformers looks at its keys."""
    size = _stated_value(processor)
    for keys, rule in (
        (("shortest_edge", "longest_edge"), "between"),
        (("shortest_edge",), "shorter"),
        (("max_height", "max_width"), "within"),
        (("height", "width"), "both"),
    ):
        if all(size.get(key) for key in keys):
            return [Resize(rule, *(size[key] for key in keys))] if processor.do_resize else []  # type: ignore[arg-type]
    return []


def _crop(processor: Any, key: str = "crop_size") -> list[Step]:
    size = {key: value for key, value in dict(_get(processor, key) or {}).items() if value}
    return [Crop(size["height"], size["width"])] if {"height", "width"} <= size.keys() else []


def _centre(processor: Any) -> list[Step]:
    return _crop(processor) if _get(processor, "do_center_crop") else []


def _plain(processor: Any) -> list[Step]:
    return [*_resize(processor), *_centre(processor)]


def _segformer(processor: Any) -> list[Step]:
    return _resize(processor)  # and no more, whatever it is told


def _convnext(processor: Any) -> list[Step]:
    side = _stated_value(processor).get("shortest_edge")
    if not side or not processor.do_resize:
        return _centre(processor)
    whole = [Resize("both", side, side)]
    return [
        *([Resize("shorter", int(side / processor.crop_pct)), Crop(side, side)] if side < WHOLE else whole),
        *_centre(processor),
    ]


def _levit(processor: Any) -> list[Step]:
    steps = [replace(step, first=int((256 / 224) * step.first)) if step.rule != "both" else step for step in _resizes(processor)]
    return [*(replace(step, rule="shorter") if step.rule == "between" else step for step in steps), *_centre(processor)]


def _poolformer(processor: Any) -> list[Step]:
    if not processor.crop_pct:
        return _plain(processor)
    steps = []
    for step in _resizes(processor):
        first, second = int(step.first / processor.crop_pct), int(step.second / processor.crop_pct)
        together = step.rule != "both" or first == second
        steps.append(Resize("shorter", first) if together else Resize("both", first, second))
    return [*steps, *_centre(processor)]


def _textnet(processor: Any) -> list[Step]:
    return [*(replace(step, rule="shorter", divisor=processor.size_divisor) for step in _resizes(processor)), *_centre(processor)]


def _perceiver(processor: Any) -> list[Step]:
    size, crop = _stated_value(processor), dict(processor.crop_size or {})
    cut = [Share(size["height"] / crop["height"], size["width"] / crop["width"])] if processor.do_center_crop else []
    return [*cut, *_resize(processor)]


def _pp_lcnet(processor: Any) -> list[Step]:
    divisor = processor.size_divisor or 1
    steps = _resize(processor) if processor.resize_short is None else [Resize("rounded", processor.resize_short, divisor=divisor)]
    return [*(steps if processor.do_resize else []), *_centre(processor)]


def _donut(processor: Any) -> list[Step]:
    size = _stated_value(processor)
    if processor.do_align_long_axis:  # turns some pictures by 90 degrees
        return []
    resize: list[Step] = [Resize("shorter", min(size["height"], size["width"]))] if processor.do_resize else []
    thumbnail: list[Step] = [Resize("thumbnail", size["height"], size["width"])] if processor.do_thumbnail else []
    return [*resize, *thumbnail, *(_crop(processor, "size") if processor.do_pad else []), *_centre(processor)]


def _resizes(processor: Any) -> list[Resize]:
    return [step for step in _resize(processor) if isinstance(step, Resize)]


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
    "Siglip",
    "ViT",
)
FRAMES: dict[str, Callable[[Any], list[Step]]] = {
    **{f"{kind}ImageProcessor": _plain for kind in PLAIN},
    "ConvNextImageProcessor": _convnext,
    "DonutImageProcessor": _donut,
    "LevitImageProcessor": _levit,
    "PerceiverImageProcessor": _perceiver,
    "PoolFormerImageProcessor": _poolformer,
    "PPLCNetImageProcessor": _pp_lcnet,
    "SegformerImageProcessor": _segformer,
    "TextNetImageProcessor": _textnet,
}
