"""Measured properties of pictures: numbers with a name, by which a region of pictures can be described.

Those of form (slant, stroke, size, position, holes ...) describe the ink: brightness above that of the border. They are meant for
pictures of one thing on an even ground, and undefined where there is none. The others describe any picture.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gevaldi.models import Pictures, Sound
from gevaldi.sounds.log_mel import LogMel
from gevaldi.sounds.properties import WORDS
from gevaldi.sounds.properties import measure as measure_sounds

Values = Float[Tensor, " batch"]

INK = 0.5  # of the largest ink in a picture: what is above belongs to the thing
GROUND = 0.15  # standard deviation of the border up to which the ground is even
LEAST = 4  # pixels of ink, without which there is no form


@dataclass(frozen=True)
class Property:
    """A property.

    Attributes:
        unit: its unit, with the space before it.
        more, less: what pictures with a large or a small value are, in a sentence: they are thicker.
    """

    unit: str
    more: str
    less: str


PROPERTIES: Mapping[str, Property] = {
    # of the ink
    "slant": Property("°", "leaning further to the right", "leaning further to the left"),
    "stroke": Property(" px", "drawn with a thicker stroke", "drawn with a thinner stroke"),
    "ink": Property(" %", "larger in area", "smaller in area"),
    "height": Property(" %", "taller", "shorter"),
    "width": Property(" %", "wider", "narrower"),
    "horizontal position": Property(" %", "further to the right", "further to the left"),
    "vertical position": Property(" %", "lower", "higher"),
    "holes": Property("", "with more closed loops", "with fewer closed loops"),
    "pieces": Property("", "in more separate pieces", "in fewer separate pieces"),
    # of any picture
    "asymmetry": Property(" %", "less symmetric", "more symmetric"),
    "brightness": Property(" %", "brighter", "darker"),
    "contrast": Property(" %", "richer in contrast", "flatter"),
    "sharpness": Property("", "sharper", "more blurred"),
    "saturation": Property(" %", "more colourful", "greyer"),
    "warmth": Property(" %", "warmer in colour", "colder in colour"),
    "top left": Property(" %", "brighter at the top left", "darker at the top left"),
    "top right": Property(" %", "brighter at the top right", "darker at the top right"),
    "bottom left": Property(" %", "brighter at the bottom left", "darker at the bottom left"),
    "bottom right": Property(" %", "brighter at the bottom right", "darker at the bottom right"),
    **{name: Property(*words) for name, words in WORDS.items()},  # of sounds
}
"""All properties by name. Percentages are numbers from 0 to 100."""


COUNTS = ("holes", "pieces")
"""Properties that are whole numbers."""


def describe(name: str, more: bool) -> str:
    """What pictures with a large (or small) value of a property are, in a sentence: `drawn with a thicker stroke`."""
    own = PROPERTIES[name]
    return own.more if more else own.less


def unit_of(name: str) -> str:
    """The unit of a property, with the space before it."""
    return PROPERTIES[name].unit


@torch.inference_mode()
def measure(pictures: Pictures, sound: Sound | None = None) -> dict[str, Float[np.ndarray, " batch"]]:
    """The properties of pictures in [0, 1], by name; NaN where a picture does not have one.

    Brightness, contrast (the standard deviation of brightness), saturation (the largest colour minus the smallest), warmth (red
    minus blue) and the four quarters are means in percent of the range. Sharpness is the mean size of the Laplacian over the
    contrast. Asymmetry is the share of the brightness that moves when left and right are exchanged. Grey pictures have no colour.
    Of log-mel spectrograms (`sound`), those of the sound are measured instead.
    """
    pictures = pictures.detach().to("cpu", torch.float64)
    if isinstance(sound, LogMel):
        return {name: values.numpy() for name, values in measure_sounds(pictures, sound).items()}
    grey = pictures.mean(1)
    measured = {name: function(grey) for name, function in OF_GREY.items()}
    if pictures.shape[1] == 3:
        measured |= {
            "saturation": 100 * (pictures.amax(1) - pictures.amin(1)).mean((1, 2)),
            "warmth": 100 * (pictures[:, 0] - pictures[:, 2]).mean((1, 2)),
        }
    measured |= quarters(grey)
    return {**{name: values.numpy() for name, values in measured.items()}, **form(grey)}


def quarters(grey: Float[Tensor, "batch height width"]) -> dict[str, Values]:
    """The mean brightness of each quarter."""
    height, width = grey.shape[1] // 2, grey.shape[2] // 2
    rows = {"top": slice(None, height), "bottom": slice(height, None)}
    columns = {"left": slice(None, width), "right": slice(width, None)}
    return {f"{v} {h}": 100 * grey[:, r, c].mean((1, 2)) for v, r in rows.items() for h, c in columns.items()}


def _sharpness(grey: Float[Tensor, "batch height width"]) -> Values:
    laplacian = 4 * grey[:, 1:-1, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1] - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]
    return laplacian.abs().mean((1, 2)) / grey.flatten(1).std(1, correction=0)


OF_GREY: Mapping[str, Callable[[Tensor], Values]] = {
    "brightness": lambda grey: 100 * grey.mean((1, 2)),
    "contrast": lambda grey: 100 * grey.flatten(1).std(1, correction=0),
    "sharpness": _sharpness,
    "asymmetry": lambda grey: 100 * (grey - grey.flip(2)).abs().sum((1, 2)) / (2 * grey.sum((1, 2))),
}


def form(grey: Float[Tensor, "batch height width"]) -> dict[str, Float[np.ndarray, " batch"]]:
    """The properties of the ink; NaN for pictures without an even ground or without ink.

    The slant is that of the axis x = y tan(slant) that fits the ink best, in degrees, positive to the right. The stroke is twice
    the area over the length of the outline, in pixels. Area, box and position are percentages of the picture's.
    """
    ink = ink_of(grey)
    mask = (ink > INK * ink.amax((1, 2), keepdim=True)) & (ink > 0)
    height, width = grey.shape[1:]
    y, x = torch.arange(height, dtype=grey.dtype)[:, None], torch.arange(width, dtype=grey.dtype)[None]
    total = ink.sum((1, 2))
    middle_x, middle_y = (ink * x).sum((1, 2)) / total, (ink * y).sum((1, 2)) / total
    off_x, off_y = x - middle_x[:, None, None], y - middle_y[:, None, None]
    slant = torch.rad2deg(torch.atan(-(ink * off_x * off_y).sum((1, 2)) / (ink * off_y.square()).sum((1, 2))))
    area = mask.sum((1, 2)).double()
    rows, columns = mask.any(2), mask.any(1)
    measured = {
        "slant": slant,
        "stroke": 2 * area / outline(mask),
        "ink": 100 * area / (height * width),
        "height": 100 * extent(rows) / height,
        "width": 100 * extent(columns) / width,
        "horizontal position": 100 * (middle_x + 0.5) / width,
        "vertical position": 100 * (middle_y + 0.5) / height,
    }
    defined = (area >= LEAST) & (border(grey).std(1) <= GROUND)
    counts = _parts(mask.numpy(), defined.numpy())
    return {name: values.where(defined, torch.nan).numpy() for name, values in measured.items()} | counts


def ink_of(grey: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch height width"]:
    """How much each pixel differs from the ground, which is the median of the border: brighter on dark, darker on bright."""
    return (grey - border(grey).median(1).values[:, None, None]).abs()


def border(grey: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch pixels"]:
    """The outermost pixels."""
    return torch.cat([grey[:, 0], grey[:, -1], grey[:, 1:-1, 0], grey[:, 1:-1, -1]], 1)


def outline(mask: Bool[Tensor, "batch height width"]) -> Values:
    """The number of sides between a pixel of ink and one of ground."""
    padded = torch.nn.functional.pad(mask, (1, 1, 1, 1))
    across = (padded[:, :, 1:] != padded[:, :, :-1]).sum((1, 2)) + (padded[:, 1:] != padded[:, :-1]).sum((1, 2))
    return across.double() * (torch.pi / 4)  # sides overestimate the length of a line by 4/π over all directions


def extent(used: Bool[Tensor, "batch places"]) -> Values:
    """From the first to the last place that is used."""
    first, last = used.int().argmax(1), used.shape[1] - 1 - used.flip(1).int().argmax(1)
    return (last - first + 1).double()


def _parts(mask: np.ndarray, defined: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of holes and of pieces: ink is connected by sides and corners, ground by sides."""
    from scipy.ndimage import label

    corners = np.zeros((3, 3, 3), int)
    corners[1] = 1  # pictures of a batch are not connected
    sides = corners * np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    ground = np.pad(~mask, ((0, 0), (1, 1), (1, 1)), constant_values=True)  # the outside is one part
    pieces, holes = (_count(label(where, shape)[0]) for where, shape in ((mask, corners), (ground, sides)))
    return {name: np.where(defined, counts, np.nan) for name, counts in (("holes", holes - 1), ("pieces", pieces))}


def _count(labelled: np.ndarray) -> np.ndarray:
    """The number of parts in each picture; parts are numbered through all pictures."""
    flat = labelled.reshape(len(labelled), -1)
    last = np.maximum.accumulate(flat.max(1))  # parts are numbered in the order of the pictures
    return np.diff(last, prepend=0)
