"""How a file has its pictures, axis by axis, and how what it gives becomes one row of classes a picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from gevaldi.errors import ContractError, SpecError
from gevaldi.models import Output, Pictures

Layout = Literal["nchw", "nhwc", "nhw", "chw", "hwc", "hw", "flat", "flat-chw", "flat-hwc"]
Shape = Sequence[int | None]

FORMS = {4: ("nchw", "nhwc"), 3: ("nhw", "chw", "hwc"), 2: ("n(chw)", "n(hwc)", "hw"), 1: ("(chw)", "(hwc)")}
SMALLEST = 8  # a side; so few numbers a row are no picture, unless somebody says so
EXPECTED = "batch x 1 or 3 channels x height x width was expected, or one of these without the batch or the channels, or flat"


@dataclass(frozen=True)
class Input:
    """What a file itself says of its input, as far as it does: None for what it leaves open.

    Attributes:
        channels, height, width: of its pictures.
        most: as many pictures it takes at once.
        least: no fewer than these.
        dtype: the kind of their numbers.
        axes: their order, such as `nhwc`; brackets stand for axes that are one, without `n` it takes one picture without a batch.
        part: which of its outputs has the classes, by number or name; None for the only one that can.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    most: int | None = None
    least: int = 1
    dtype: torch.dtype = torch.float32
    axes: str = "nchw"
    part: int | str | None = None


def inputs_of(shape: Shape | None, layout: Layout | None, name: str) -> list[Input]:
    """What a file can mean by the shape of its input, the likeliest first; several only where running it has to decide.

    Args:
        shape: as the file states it, None for sides that it leaves open; None if it states none at all.
        layout: what a user said of it.
        name: of the file, for errors.

    Raises:
        SpecError: it can be no pictures, or is ambiguous.
    """
    if shape is None:
        known = [_axes_of(layout)] if layout else FORMS[4]
        return [Input(None if "c" in axes else 1, most=None if axes.startswith("n") else 1, axes=axes) for axes in known]
    forms = [axes for axes in FORMS.get(len(shape), ()) if layout is None or _says(layout, axes)]
    found = [reading for axes in forms for reading in [_reading(axes, shape, layout)] if reading]
    if layout is None:
        found = _likely(found, shape)
    came = " x ".join(str(side or "any") for side in shape) or "a single number"
    if not found:
        said = f"layout={layout} was said, but {name} takes" if layout else f"{name} takes"
        raise SpecError(f"{said} {came}; {EXPECTED}. layout= says which axis is which: nchw, nhwc, nhw, chw, hwc, hw, flat.")
    if "(" in found[0].axes and found[0].channels != 1 and len(found) > 1:
        raise SpecError(
            f"{name} takes {came}: pictures in three colours, {found[0].height} pixels high, as one row of numbers. Say in which "
            "order: layout=flat-chw (all of red, then of green, then of blue) or layout=flat-hwc (pixel by pixel)."
        )
    if len(shape) == 3 and layout is None and not any(shape):
        raise SpecError(f"{name} takes {came}. Say which axis is which: layout=nhw, layout=chw or layout=hwc.")
    return found[:1] if found[0].channels == 1 and "(" in found[0].axes else found


def _axes_of(layout: Layout) -> str:
    return {"flat": "n(chw)", "flat-chw": "n(chw)", "flat-hwc": "n(hwc)"}.get(layout, layout)


def _says(layout: Layout, axes: str) -> bool:
    """Whether what a user said fits these axes: the order counts, and the number of axes is the file's own to say."""
    order = axes.translate(str.maketrans("", "", "n()"))
    return layout == "flat" if layout == "flat" and "(" in axes else order == layout.removeprefix("flat-").removeprefix("n")


def _reading(axes: str, shape: Shape, layout: Layout | None) -> Input | None:
    """A shape with these axes; None if pictures have no such sides."""
    batch = shape[0] if axes.startswith("n") else 1
    if "(" in axes:
        sides = _unrolled(shape[-1], layout)
        return Input(*sides, most=batch, least=batch or 1, axes=axes) if sides else None
    known = dict(zip(axes, shape, strict=True))
    channels = known.get("c", 1)
    if channels not in (None, 1, 3):
        return None
    return Input(channels, known["h"], known["w"], most=batch, least=batch or 1, axes=axes)


def _unrolled(count: int | None, layout: Layout | None) -> tuple[int | None, int | None, int | None] | None:
    """Channels, height and width of square pictures of so many numbers."""
    if count is None:
        return (1 if layout == "flat" else None, None, None) if layout else None
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side >= (1 if layout else SMALLEST) and channels * side * side == count:
            return channels, side, side
    return None


def _likely(found: list[Input], shape: Shape) -> list[Input]:
    """Without those that a stated number of channels makes unlikely."""
    by_axes = {reading.axes: reading for reading in found}
    if len(shape) == 4:
        stated = [axes for axes in by_axes if by_axes[axes].channels]
        return [by_axes[axes] for axes in stated[:1] or by_axes]
    if len(shape) == 3:
        first, _, last = shape
        likely = "chw" if first == 3 != last else "hwc" if last in (1, 3) and first not in (1, 3) else "nhw"
        return [by_axes[likely]] if likely in by_axes else []
    if len(shape) == 2:
        height, width = shape
        pictures = height is not None and width is not None and min(height, width) >= SMALLEST
        alone = pictures and (height == width or len(found) == 1)
        return [reading for reading in found if (reading.axes == "hw") == alone]
    return found


class FixedBatch(nn.Module):
    """A network that takes only so many pictures at once, asked as often as it takes; the last pictures are filled up."""

    def __init__(self, module: nn.Module, most: int | None, least: int = 1) -> None:
        super().__init__()
        self.module, self.most, self.least = module, most, least

    def forward(self, pictures: Pictures) -> Tensor:
        """The outputs one after another, without those of the filling."""
        return torch.cat([self._outputs(part) for part in pictures.split(self.most or len(pictures))])

    def _outputs(self, part: Pictures) -> Tensor:
        filling = part[-1:].expand(max(0, self.least - len(part)), -1, -1, -1)
        output: Tensor = self.module(torch.cat([part, filling]))
        return output[: len(part)]


class Arranged(nn.Module):
    """A network that is given pictures in its own axes and numbers, and whose output becomes one row of classes a picture."""

    def __init__(self, module: nn.Module, axes: str, dtype: torch.dtype, part: int | str | None = None) -> None:
        super().__init__()
        self.module, self.axes, self.dtype, self.part = module, axes, dtype, part

    def forward(self, pictures: Pictures) -> Tensor:
        """Its classes, (batch, classes) if it has any."""
        return rows(part_of(self.raw(pictures), self.part, len(pictures)), len(pictures))

    def raw(self, pictures: Pictures) -> Any:
        """All that the network gives."""
        return self.module(in_numbers(arranged(pictures, self.axes), self._dtype()))

    def _dtype(self) -> torch.dtype:
        """Double precision is single while a run computes in that, and the other way round."""
        if self.dtype not in (torch.float32, torch.float64):
            return self.dtype
        tensors = (*self.module.parameters(), *self.module.buffers())
        return next((t.dtype for t in tensors if t.dtype in (torch.float32, torch.float64)), self.dtype)


def arranged(pictures: Pictures, axes: str) -> Tensor:
    """Pictures in these axes.

    Raises:
        ContractError: they have colours, and the network takes none.
    """
    if "c" not in axes and pictures.shape[1] != 1:
        raise ContractError(f"The network takes grey pictures, but these have {pictures.shape[1]} channels.")
    order = "nchw" if "c" not in axes else "n" + axes.translate(str.maketrans("", "", "n()"))
    turned = pictures.permute(*("nchw".index(axis) for axis in order))
    turned = turned if "c" in axes else turned.squeeze(1)
    turned = turned.flatten(1) if "(" in axes else turned
    return turned if axes.startswith("n") else turned.squeeze(0)


def in_numbers(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    """Pictures as numbers of this kind; whole ones are the nearest."""
    if dtype.is_floating_point:
        return pictures.to(dtype)
    limits = torch.iinfo(dtype)
    return pictures.round().clamp(limits.min, limits.max).to(dtype)


def rows(output: Tensor, count: int) -> Tensor:
    """One row a picture, without axes of length one, such as the height and width that a last convolution leaves."""
    if count == 1 and sum(side > 1 for side in output.shape) <= 1:
        return output.reshape(1, -1)
    if output.dim() > 2 and len(output) == count and sum(side > 1 for side in output.shape[1:]) <= 1:
        return output.reshape(count, -1)
    return output


def part_of(output: Any, part: int | str | None, count: int) -> Tensor:
    """One tensor of what a network gives.

    Raises:
        SpecError: it has no part of that name, or none was named and several can be classes.
    """
    if isinstance(output, Tensor) and part is None:
        return output
    parts = tensors_in(output)
    if part in get_args(Output) and part not in parts:  # what it ends in, and no name
        return part_of(output, None, count)
    if part is not None and str(part) in parts:
        return parts[str(part)]
    if isinstance(part, int) and isinstance(output, tuple) and len(parts) == len(output) > part:
        return list(parts.values())[part]
    listed = ", ".join(f"{key} ({' x '.join(map(str, value.shape)) or 'one number'})" for key, value in parts.items())
    came = f"a {type(output).__name__} of {listed or 'no tensors'}" if not isinstance(output, Tensor) else "one tensor"
    if part is not None:
        kinds = ", ".join(get_args(Output))
        raise SpecError(f"output={part} was said, but the network gives {came}; what it ends in is one of {kinds}.")
    classes = list({id(value): value for value in parts.values() if are_classes(value, count)}.values())
    if len(classes) != 1:
        how = f"say which has the classes, for example output={next(iter(parts))}" if classes else "none of them has classes"
        raise SpecError(f"The network gives {came} for {count} picture{'s' * (count > 1)}; {how}.")
    return classes[0]


def choice(output: Any, part: int | str | None, count: int) -> str | None:
    """The name of the output that `part_of` takes of several without being told; None if there is nothing to choose."""
    parts = tensors_in(output)
    if len(parts) < 2 or (part is not None and (part in parts or part not in get_args(Output))):
        return None
    return next(key for key, value in parts.items() if are_classes(value, count))


def tensors_in(output: Any) -> dict[str, Tensor]:
    """The tensors in a dictionary or a tuple by their keys, names or numbers."""
    if isinstance(output, Mapping):
        pairs = [(str(key), value) for key, value in output.items()]
    else:
        values = list(output) if isinstance(output, tuple | list) else []
        names: Sequence[Any] = getattr(output, "_fields", tuple(range(len(values))))
        pairs = list(zip(names, values, strict=True))
    return {str(key): value for key, value in pairs if isinstance(value, Tensor)}


def are_classes(output: Tensor, count: int) -> bool:
    """Whether an output can be scores of at least two classes for so many pictures."""
    found = rows(output, count)
    return found.is_floating_point() and found.dim() == 2 and len(found) == count and found.shape[1] > 1
