"""The confusion matrix of the two classifiers."""

from typing import TYPE_CHECKING

import numpy as np

from gevaldi.errors import SpecError
from gevaldi.figures._run import finished_rows, is_number, models_of, order_named, without_rows
from gevaldi.figures._text import fit_name, points_of
from gevaldi.figures.base import NothingToDraw, inches_of, style
from gevaldi.measures.confusion import COLUMNS, ConfusionMatrix, confusion_of
from gevaldi.runs.store.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = 62  # points for the names of classes at either side
FEW = 5  # samples that are not yet shown in the darkest colour


def confusion(run: Run, *, order: str | None = None, limit: int = 20, width: str | float = "single") -> "Figure":
    """The confusion matrix: how often, after the search, the first names one class (row) and the second another (column).

    Classes are in the order of the hierarchy, if the run has one, so that near confusions lie near the diagonal. If there are
    more than `limit`, those of the most frequent pairs are shown.

    Raises:
        NothingToDraw: no sample has predictions of both classifiers.
    """
    asked = order_named(order)
    if not is_number(limit) or limit < 2:
        raise SpecError(f"limit={limit} is invalid; expected a number of classes, at least 2.")
    found = confusion_of(finished_rows(run, asked, COLUMNS), run.taxonomy(), limit)
    if not found.samples:
        raise NothingToDraw(without_rows(run, asked))
    return _drawn(found, *models_of(run), inches_of(width))


def _drawn(found: ConfusionMatrix, first: str, second: str, inches: float) -> "Figure":
    from matplotlib.figure import Figure

    size = min(7.0, 0.8 * (72 * inches - NAMES) / len(found.names))
    names = ["\n".join(fit_name(name, NAMES, size=size)) for name in found.names]
    with style():
        figure = Figure(figsize=(inches, inches), layout="constrained")
        axes = figure.subplots()
        axes.imshow(
            np.where(found.counts == 0, np.nan, found.counts),
            cmap="Blues",
            vmin=0,
            vmax=max(FEW, found.counts.max()),
            aspect="equal",
        )
        places = range(len(names))
        narrow = max(points_of(name, size) for name in names) < size / 0.8
        axes.set_xticks(places, names, rotation=0 if narrow else 90, fontsize=size)
        axes.set_yticks(places, names, fontsize=size)
        between = np.arange(len(names) + 1) - 0.5
        axes.set_xticks(between, minor=True)
        axes.set_yticks(between, minor=True)
        axes.grid(which="minor", color="#e3e7ea", linewidth=0.4)  # to find the names of a cell far from them
        axes.tick_params(which="both", length=0)
        axes.spines[["left", "bottom"]].set_color("#c8ced3")
        axes.spines[["top", "right"]].set(visible=True, color="#c8ced3")
        axes.set_xlabel(f"{second} says")
        axes.set_ylabel(f"{first} says")
        _numbers(axes, found.counts, size)
        if found.left_out:
            axes.set_title(
                f"{found.left_out} of {found.samples} samples and {found.classes_left_out} more classes are not shown",
                fontsize=6,
            )
    return figure


def _numbers(axes: "Axes", counts: np.ndarray, size: float) -> None:
    """The counts in their cells."""
    for i, j in zip(*counts.nonzero(), strict=True):
        dark = counts[i, j] > 0.6 * max(FEW, counts.max())
        colour = "white" if dark else "black"
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=min(size, 7), color=colour)
