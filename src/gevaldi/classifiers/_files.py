"""What a classifier from a file must be told, since the file does not say it: its classes, its pictures, what it ends in."""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from gevaldi.calls import Call, construct
from gevaldi.classifiers._labels import labels_told
from gevaldi.classifiers._layout import Arranged, FixedBatch, Input, Layout, choice, tensors_in
from gevaldi.classifiers._preprocessing import USUAL, Preprocessing
from gevaldi.errors import GevaldiError, SpecError, WeightsError
from gevaldi.label_files import IMAGENET
from gevaldi.models import Classifier, Output, Pictures, classifier
from gevaldi.provenance import note_files
from gevaldi.settings import Settings
from gevaldi.storage import local_path

MOST_NUMBERS = 2**28  # of pictures that a file takes at once
SIDES = (224, 64, 32, 28)  # tried where nobody says how large the pictures are
SOURCES = {
    ".skops": "sklearn",
    ".joblib": "sklearn",
    ".onnx": "onnx",
    ".pt2": "exported",
    ".pt": "torchscript",
    ".pth": "torchscript",
    ".ts": "torchscript",
}

Numbers = float | tuple[float, ...] | Literal["imagenet"] | None


class FileOptions(Settings):
    """Options of classifiers from files. Without them a file takes pictures in [0, 1] as they come, and gives logits."""

    labels: int | str | None = Field(
        None, description="`imagenet`, a file (a name or `id<TAB>name` a line; JSON or YAML), or the number of classes"
    )
    size: int | None = Field(None, ge=1, description="height and width that the file expects; by default what it states")
    resize: int | None = Field(None, ge=1, description="the shorter side, from whose centre `size` is cut; by default `size`")
    mean: Numbers = Field(None, description="subtracted after scaling: a number, a list such as [0.485,0.456,0.406], or `imagenet`")
    std: Numbers = Field(None, description="divided by after that; with mean=imagenet the usual one")
    scale: float | None = Field(
        None, gt=0, description="the largest value of a picture: 255 for files that expect [0, 255]; by default 1, or 255 for uint8"
    )
    channels: Literal["rgb", "bgr"] = Field("rgb", description="order of the colours, of `mean` and of `std`")
    interpolation: Literal["bilinear", "bicubic", "nearest-exact"] = Field("bilinear", description="how pictures are resized")
    output: int | str | None = Field(
        None,
        description="what the file ends in: logits (the default), log-probabilities or probabilities; where it has several "
        "outputs, the name or number of one, or both: NAME:probabilities",
    )
    layout: Layout | None = Field(
        None, description="axes of the input where the file leaves them open: nchw, nhwc, nhw, chw, hwc, hw, flat-chw, flat-hwc"
    )
    batch: int | None = Field(None, ge=1, description="the number of pictures that the file takes at once, if only that")

    @property
    def part(self) -> int | str | None:
        """The output that was named; it may be a word for what the file ends in, where no output is called so."""
        text = str(self.output)
        return text.rpartition(":")[0] if self.ends_in and text != self.ends_in else self.output

    @property
    def ends_in(self) -> Output | None:
        """What was said of the numbers that the file gives."""
        return next((kind for kind in get_args(Output) if str(self.output).rpartition(":")[2] == kind), None)

    def normalisation(self, dtype: torch.dtype = torch.float32) -> tuple[list[float], list[float]]:
        """Mean and standard deviation that do the scaling too: (scale · x - mean) / std = (x - mean/scale) / (std/scale).

        Raises:
            SpecError: they are of different numbers of channels, or some std is zero; or for whole numbers nobody said the range.
        """
        whole = not dtype.is_floating_point
        if whole and (IMAGENET in (self.mean, self.std) or (dtype != torch.uint8 and self.scale is None)):
            raise SpecError(
                f"The file takes whole numbers ({str(dtype).removeprefix('torch.')}). Say their range: scale=255 for 0 to 255, and "
                "mean=128 with it for -128 to 127; mean=imagenet is for fractions."
            )
        scale = self.scale or (255.0 if whole else 1.0)
        said = {"mean": self.mean, "std": IMAGENET if self.std is None and self.mean == IMAGENET else self.std}
        mean, std = (
            self._usual(key) if value == IMAGENET else _scaled(value, default, scale)
            for (key, value), default in zip(said.items(), (0.0, 1.0), strict=True)
        )
        if len({len(mean), len(std), 1}) > 2 or 0 in (len(mean), len(std), *std):
            raise SpecError(f"mean={self.mean} and std={self.std} were given; one number each, or one per channel and none zero.")
        return mean, std

    def _usual(self, key: str) -> list[float]:
        return list(USUAL[key] if self.channels == "rgb" else reversed(USUAL[key]))  # of [0, 1], whatever the scale


def _scaled(value: Any, default: float, scale: float) -> list[float]:
    numbers = value if isinstance(value, tuple) else (default if value is None else value,)
    return [number / scale for number in numbers]


class Backwards(nn.Module):
    """The colours in the opposite order, as OpenCV and Caffe have them."""

    def forward(self, pictures: Pictures) -> Pictures:
        """Blue first, where red was."""
        return pictures.flip(1)


class Normalisation(nn.Module):
    """(x - mean) / std, for pictures that come in the right size."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, pictures: Pictures) -> Pictures:
        """Grey pictures get as many channels as there are means."""
        return (pictures - self.mean) / self.std


def options_in(call: str, options: dict[str, Any]) -> FileOptions:
    """The options of a file, which a user wrote after its name; a layout in capitals as well.

    Raises:
        SpecError: one is unknown or impossible.
    """
    layout = options.get("layout")
    options = options | ({"layout": layout.lower()} if isinstance(layout, str) else {})
    made: FileOptions = construct(FileOptions, Call(call, options), "classifier")
    return made


def existing(name: str, suffixes: Sequence[str], kind: str) -> Path:
    """The path of a file of this kind.

    Raises:
        WeightsError: there is none, or its suffix is another; the message names the source for that suffix.
    """
    path = local_path(name)
    if not path.is_file():
        raise WeightsError(f"There is no file {str(path)!r}; the current folder is {Path.cwd()}.")
    if path.suffix not in suffixes:
        other = SOURCES.get(path.suffix)
        hint = f" Is it {other}:{name}?" if other else " Weights alone belong to a network: torchvision:NAME,weights=FILE."
        raise WeightsError(f"{path} is no {kind} by its name: one of {', '.join(suffixes)} was expected.{hint}")
    note_files([path])
    return path


def broken(path: Path, kind: str, error: BaseException, remedy: str = "") -> WeightsError:
    """What to raise where a file cannot be read."""
    reason = str(error).strip().partition("\n")[0][:300] or type(error).__name__
    return WeightsError(f"{path} ({path.stat().st_size} bytes) is not a whole {kind}: {reason}. {remedy}".rstrip())


def is_code(path: Path, call: str, reason: str) -> WeightsError:
    """What to raise where reading a file runs what it holds, and nobody has allowed that."""
    return WeightsError(
        f"{path} was not read: {reason}. If you trust where it comes from, say {call},pickle=true; an ONNX file does without."
    )


def behind_preprocessing(network: nn.Module, told: FileOptions, found: Input) -> nn.Module:
    """A network behind the preprocessing that a user told, in evaluation mode, its weights frozen.

    Raises:
        SpecError: sizes contradict each other, or what the file itself says.
    """
    mean, std = told.normalisation(found.dtype)
    if found.channels and len(mean) == len(std) == 1:
        mean, std = mean * found.channels, std * found.channels  # so that grey pictures are seen by a network of colours
    parts: list[nn.Module] = [Backwards()] if told.channels == "bgr" else []
    crop = _crop(told, found)
    if crop:
        mode: Literal["center", "squash"] = "center" if crop[0] == crop[1] else "squash"
        resize = told.resize or crop[0] if mode == "center" else min(crop)
        parts.append(Preprocessing(resize, crop, mean, std, told.interpolation, mode))
    else:
        parts.append(Normalisation(mean, std))
    network = Arranged(network, found.axes, found.dtype, found.part)
    if found.most or found.least > 1:
        network = FixedBatch(network, found.most, found.least)
    module = nn.Sequential()
    module.add_module("preprocessing", nn.Sequential(*parts))
    module.add_module("network", network)
    return module.eval().requires_grad_(False)


def _crop(told: FileOptions, found: Input) -> tuple[int, int] | None:
    """Height and width that the network is given, where somebody says so."""
    stated = (found.height, found.width)
    if told.size and any(side not in (None, told.size) for side in stated):
        raise SpecError(f"size={told.size} was given, but the file takes pictures of {stated[0]} x {stated[1]} only.")
    height, width = (side or told.size for side in stated)
    if told.resize and (height != width or told.resize < (height or math.inf)):
        raise SpecError(
            f"resize={told.resize} was given; it is a shorter side, out of whose middle a smaller or equal size= is cut."
        )
    return (height, width) if height and width else None


def fitting(
    network: nn.Module, told: FileOptions, known: Sequence[Input], name: str
) -> tuple[Input, nn.Module, Pictures, Float[Tensor, "1 classes"]]:
    """The first of several readings of a file's input under which it gives classes; the module, a picture and the answer to it.

    Raises:
        SpecError: there is none; the message is that of the first.
    """
    first: SpecError | None = None
    for reading in known:
        found = replace(reading, part=told.part, most=told.batch or reading.most, least=told.batch or reading.least)
        try:
            module = behind_preprocessing(network, told, found)
            picture, row = probed(module, found, name)
            _say_choice(module, picture, found, name)
            return found, module, picture, row
        except SpecError as error:
            first = first or error
    assert first
    raise first


@torch.no_grad()
def _say_choice(module: nn.Module, picture: Pictures, found: Input, name: str) -> None:
    arranged = next(part for part in module.modules() if isinstance(part, Arranged))
    pictures = module.get_submodule("preprocessing")(picture).expand(found.least, -1, -1, -1)
    output = arranged.raw(pictures)
    if taken := choice(output, found.part, len(pictures)):
        say_which_output(len(tensors_in(output)), name, taken)


def say_which_output(many: int, name: str, taken: str) -> None:
    """Tell a user which of a file's outputs is taken for the classes, since nobody named one."""
    sys.stderr.write(f"gevaldi: of the {many} outputs of {name}, {taken} is taken for the classes\n")


def one_at_a_time_if_needed(network: nn.Module, told: FileOptions, found: Input, module: nn.Module, picture: Pictures) -> nn.Module:
    """A network behind its preprocessing, asked for one picture at a time if it fails on two, as one may that was traced on one."""
    try:
        with torch.no_grad():
            if module(torch.cat([picture, picture.flip(-1)])).shape == (2, module(picture).shape[1]):
                return module
    except Exception:  # whatever code from a file raises where a batch does not fit
        pass
    return behind_preprocessing(network, told, replace(found, most=1))


def probed(module: nn.Module, found: Input, name: str) -> tuple[Pictures, Float[Tensor, "1 classes"]]:
    """A random picture that a network takes, and what it gives for it.

    Raises:
        SpecError: it takes none, or gives anything else than one row of classes.
    """
    chance = torch.Generator().manual_seed(0)
    errors: list[str] = []
    for channels in [found.channels] if found.channels else [3, 1]:
        for height, width in [(found.height or side, found.width or side) for side in SIDES]:
            if channels * height * width * found.least > MOST_NUMBERS:  # which would use up the memory instead of failing
                errors.append(f"{found.least} of {width} x {height} pixels are too many")
                continue
            try:
                picture = torch.rand(1, channels, height, width, generator=chance)
                with torch.no_grad():
                    output = module(picture)
            except GevaldiError:
                raise
            except Exception as error:
                reason = str(error).strip().rpartition("\n")[2]  # where TorchScript says it after a page of code
                errors.append(f"on pictures of shape {(channels, height, width)}: {reason[:300] or type(error).__name__}")
                continue
            return picture, _checked(output, name)
    raise SpecError(
        f"{name} fails on all pictures that were tried; {errors[0]}. Say what it expects: size=SIDE, layout=nhwc (or another), or "
        "the number of pictures, batch=N."
    )


def _checked(output: Any, name: str) -> Tensor:
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != 1 or output.shape[1] < 2:
        came = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise SpecError(f"{name} gives {came} for one picture; (1, classes) was expected. Only classifiers can be compared.")
    return output


def as_classifier(
    module: nn.Module, told: FileOptions, classes: int, name: str, names: Sequence[str] = (), ends_in: Output | None = None
) -> Classifier:
    """A network behind its preprocessing as a classifier, under the labels that were told, or else the names in the file.

    Raises:
        SpecError: there are more or fewer labels than classes.
    """
    labels = labels_told(told.labels, classes, name, names)
    return classifier(module, labels=labels, output=ends_in or told.ends_in or "logits", name=name).eval()
