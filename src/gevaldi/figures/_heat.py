"""Square matrices as heat maps, with the numbers in their cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gevaldi.figures._text import fit_name, points_of
from gevaldi.figures.base import inches_of, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = 78  # points for the names at the left and below
SMALLEST = 3.5  # points of the letters in a cell, below which it has none
DARK = 0.6  # of the largest number, from which on letters are white


@dataclass(frozen=True)
class HeatMap:
    """One matrix.

    Attributes:
        title: the name of the quantity.
        values: (rows, columns), not negative; NaN for an empty cell.
        words: the text of each cell.
    """

    title: str
    values: np.ndarray
    words: Sequence[Sequence[str]]


def heat_maps(names: Sequence[str], maps: Sequence[Sequence[HeatMap]], width: str | float = "double") -> "Figure":
    """Heat maps in rows; in each, the darkest cell holds the largest number.

    Args:
        names: names of the rows and columns, the same for all maps.
        maps: the maps, row by row.
        width: single or double, as the columns of a paper, or a number of inches.
    """
    from matplotlib.figure import Figure

    inches, across = inches_of(width), max(map(len, maps))
    side = (72 * inches - NAMES - 14 * across) / across  # points of a matrix
    size = max(4.0, min(7.0, 0.75 * side / len(names)))
    with style():
        figure = Figure(figsize=(inches, (NAMES + len(maps) * (side + 22)) / 72), layout="constrained")
        panels = figure.subplots(len(maps), across, squeeze=False, sharex=True, sharey=True)
        for row, own in zip(panels, maps, strict=True):
            for panel, drawn in zip(row, own, strict=False):
                _one(panel, drawn, side / len(names))
            for panel in row[len(own) :]:
                panel.set_axis_off()
        shown = [fit_name(name, NAMES, size=size)[0] for name in names]
        narrow = max(points_of(name, size) for name in shown) < side / len(names)
        panels[0, 0].set_yticks(range(len(names)), shown, fontsize=size)
        panels[0, 0].set_xticks(range(len(names)), shown, fontsize=size, rotation=0 if narrow else 90)
        for panel in panels.flat:
            panel.tick_params(axis="x", labelsize=size, rotation=0 if narrow else 90)
            panel.tick_params(axis="y", labelsize=size)
        figure.supylabel("row", fontsize=7)
        figure.supxlabel("column", fontsize=7)
    return figure


def _one(axes: "Axes", drawn: HeatMap, side: float) -> None:
    known = drawn.values[np.isfinite(drawn.values)]
    most = float(known.max()) if len(known) and known.max() > 0 else 1.0
    heat = np.where(np.isfinite(drawn.values), drawn.values, np.nan)
    axes.imshow(heat, cmap="Blues", vmin=0, vmax=most / 0.9, aspect="equal")  # never so dark that a number cannot be read
    axes.set_title(drawn.title, fontsize=7)
    between = np.arange(len(heat) + 1) - 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    longest = max((points_of(word, 1) for row in drawn.words for word in row), default=1.0)
    size = min(7.0, 0.9 * side / max(longest, 0.1), 0.7 * side)
    if size < SMALLEST:
        return
    for i, j in np.ndindex(heat.shape):
        dark = heat[i, j] > DARK * most
        axes.text(j, i, drawn.words[i][j], ha="center", va="center", fontsize=size, color="white" if dark else "black")
