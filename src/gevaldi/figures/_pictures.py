"""Pictures laid out by the inch."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.images import open_picture, stored_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "A picture of the run"
LETTERS = 6.5  # points
LINE = 8.2  # points from one line to the next
MARGIN = 1.5  # points around a sheet, because letters reach a little beyond their places


@dataclass(frozen=True)
class Sheet:
    """A figure with positions in points from its upper left corner; the caller sets the style."""

    figure: "Figure"

    @classmethod
    def blank(cls, width: float, height: float) -> "Sheet":
        """An empty sheet with this many points between its margins."""
        from matplotlib.figure import Figure

        return cls(Figure(figsize=((width + 2 * MARGIN) / 72, (height + 2 * MARGIN) / 72)))

    def picture(self, pixels: np.ndarray, left: float, top: float, width: float, height: float) -> "Axes":
        """Draw a picture in its own proportions, centred in the given rectangle."""
        x, y = self._place(left, top + height)
        across, down = self.figure.get_size_inches() * 72
        axes = self.figure.add_axes((x, y, width / across, height / down))
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        axes.set_axis_off()
        return axes

    def text(self, words: str, left: float, top: float, **how: Any) -> None:
        """Write a line of text that starts at this point, or ends or is centred there with `ha`."""
        settings: dict[str, Any] = {"va": "top", "fontsize": LETTERS} | how
        self.figure.text(*self._place(left, top), words, **settings)

    def _place(self, left: float, top: float) -> tuple[float, float]:
        across, down = self.figure.get_size_inches() * 72
        return float((left + MARGIN) / across), float(1 - (top + MARGIN) / down)


def pixels_of(stored: dict[str, Any] | None) -> np.ndarray:
    """A stored picture as levels from 0 to 255: (height, width) if it is grey, otherwise (height, width, 3)."""
    return np.asarray(open_picture(stored_bytes(stored, NAME), NAME))


def room_of(inches: float) -> float:
    """The points between the margins of a sheet of this many inches."""
    return 72 * inches - 2 * MARGIN


def short(value: float | None) -> str:
    """A divergence with one or two significant digits, or a question mark if it is not known."""
    if value is None or math.isnan(value):
        return "?"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}" if abs(value) >= 0.01 else "< 0.01" if value > 0 else "0"


def height_of(pixels: np.ndarray, width: float) -> float:
    """The height of a picture at this width."""
    down, across = pixels.shape[:2]
    return width * int(down) / int(across)
