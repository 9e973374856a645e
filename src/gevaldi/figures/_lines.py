"""Quantities over the steps of a search, as lines with bands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gevaldi.figures._paths import mean_bands, median_bands
from gevaldi.figures._run import order_named, without_rows
from gevaldi.figures.base import BLUE, COLOURS, GREY, ORANGE, NothingToDraw, as_svg, blank, style
from gevaldi.measures.paths import Band
from gevaldi.runs.store.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = (BLUE, ORANGE, GREY)  # for the numbers of top classes, in turn
STYLES = ("-", "--", ":", "-.")  # one more than colours, so that twelve lines are told apart
BESIDE = 5  # lines above which their names stand below the plot, where they hide nothing
ON_PAGE = 4.2  # inches, which a page stretches to its columns


@dataclass(frozen=True)
class Line:
    """A line with the band around it."""

    band: Band
    colour: str
    style: str
    name: str


def lines(lines: Sequence[Line], label: str, *, axes: "Axes | None" = None, width: str | float = "single") -> "Figure":
    """Lines over the steps, each with the band around it.

    Args:
        lines: the lines to draw.
        label: the name of the quantity, with its unit.
        axes: where to draw; by default a new figure.
        width: the width of a new figure: single, double, or a number of inches.
    """
    own = None if axes else blank(width)
    with style():
        place = axes if axes else own.subplots()  # type: ignore[union-attr]
        for line in lines:
            steps = np.arange(len(line.band.middle))
            place.fill_between(steps, line.band.low, line.band.high, color=line.colour, alpha=0.18, linewidth=0)
            place.plot(steps, line.band.middle, color=line.colour, linestyle=line.style)
        place.set_xlabel("step")
        place.set_ylabel(label)
        place.margins(x=0.01)
        _legend(place, lines, own if len(lines) > BESIDE else None)
    return own or place.get_figure(root=True)  # type: ignore[return-value]


def _legend(axes: "Axes", lines: Sequence[Line], figure: "Figure | None") -> None:
    """The names of the lines, in the plot, or below it if `figure` is given; names may begin with "_", which labels must not."""
    drawn = list(axes.lines)[len(axes.lines) - len(lines) :]
    places = [str(i) for i in range(len(lines))]
    if figure:
        legend = figure.legend(drawn, places, loc="outside lower center", ncols=2, handlelength=2.6)
    else:
        legend = axes.legend(drawn, places, loc="best", handlelength=2.6)
    for text, line in zip(legend.get_texts(), lines, strict=True):
        text.set_text(line.name)


def path_lines(run: Run, columns: Sequence[str], order: str | None = None) -> dict[str, list[Line]]:
    """Median and band from 10 to 90 % of the samples for each quantity, with a line for each order or for the one named."""
    found = {}
    for column, bands in median_bands(run, columns).items():
        length = max((len(band.middle) for band in bands.values()), default=0)
        asked = [o for o in bands if order in (None, o)]
        found[column] = [Line(bands[o].extended(length), COLOURS[o], STYLES[o == "reverse"], o) for o in asked]
    return found


def drawn_path(run: Run, column: str, label: str, order: str | None, width: str | float) -> "Figure":
    """The lines of `path_lines` as a figure.

    Raises:
        NothingToDraw: no row of the run has a path.
    """
    asked = order_named(order)
    found = path_lines(run, [column], asked)[column]
    if not found:
        raise NothingToDraw(without_rows(run, asked))
    return lines(found, label, width=width)


def set_distance_lines(run: Run) -> dict[str, list[Line]]:
    """For each order, the mean set distance with its 95 % interval, with a line for each number of top classes."""
    sizes = run.record["taxonomy"]["set_sizes"] if run.record.get("taxonomy") else ()
    found: dict[str, list[Line]] = {}
    for i, (n, bands) in enumerate(zip(sizes, mean_bands(run, [f"path_set_distance_{n}" for n in sizes]).values(), strict=True)):
        for order, around in bands.items():
            found.setdefault(order, []).append(Line(around, SIZES[i % len(SIZES)], STYLES[i % len(STYLES)], f"n = {n}"))
    return {order: found[order] for order in COLOURS if order in found}


def path_figures(run: Run, labels: Mapping[str, str]) -> dict[str, str]:
    """The lines of `path_lines` as SVGs for a page, for each column that has paths; `labels` maps columns to axis labels."""
    return {
        column: as_svg(lines(found, labels[column], width=ON_PAGE), f"{labels[column]} over the steps of the search")
        for column, found in path_lines(run, list(labels)).items()
        if found
    }


def set_distance_figures(run: Run, label: str) -> dict[str, str]:
    """The lines of `set_distance_lines` as an SVG for each order."""
    return {
        order: as_svg(lines(found, label, width=ON_PAGE), f"{label} over the steps of the search, {order} order")
        for order, found in set_distance_lines(run).items()
    }
