"""Parts that the figures of the paper share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.figures import Line, lines
from gevaldi.figures.base import BLUE, GREY, ORANGE, WIDTHS, style
from gevaldi.measures.limits import limits_of
from gevaldi.measures.paths import Band, filled, mean_band
from gevaldi.reproduction.evidence import Evidence, NotTestable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, "#2e7d4f", GREY)  # each with its own line style, for the colour-blind
STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class PaperFigure:
    """A drawing and the numbers in it.

    Attributes:
        drawing: the matplotlib figure.
        columns: the columns of the table.
        rows: the rows of the table.
    """

    drawing: "Figure"
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Panel:
    """One of the drawings side by side: means over all samples of some runs, with 95 % intervals.

    Attributes:
        title: the title above it.
        label: the quantity with its unit.
        bands: the bands to draw, by the name of each line.
    """

    title: str
    label: str
    bands: Mapping[str, Band]


def panels(shown: Sequence[Panel]) -> PaperFigure:
    """Panels side by side, and every point of every line as a row.

    Raises:
        NotTestable: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    shown = [panel for panel in shown if panel.bands]
    if not shown:
        raise NotTestable("all runs of the figure failed")
    with style():
        figure = Figure(figsize=(WIDTHS["double"], 2.9), layout="constrained")
        for axes, panel in zip(np.ravel(figure.subplots(1, len(shown))), shown, strict=True):
            longest = max(len(band.middle) for band in panel.bands.values())
            drawn = [
                Line(_shortened(band, longest), COLOURS[i % 4], STYLES[i % 4], name)
                for i, (name, band) in enumerate(panel.bands.items())
            ]
            lines(drawn, panel.label, axes=axes)
            axes.set_title(panel.title, loc="left")
            axes.set_ylim(bottom=0)
            names = axes.get_legend()  # below, so that it hides no line
            names.set_loc("upper center")
            names.set_bbox_to_anchor((0.5, -0.24))
    rows = [
        (panel.title, panel.label, name, step, *(float(f"{v:.6g}") for v in values))
        for panel in shown
        for name, band in panel.bands.items()
        for step, values in enumerate(zip(band.middle, band.low, band.high, strict=True))
    ]
    return PaperFigure(figure, ("panel", "quantity", "line", "step", "mean", "low", "high"), rows)


def _shortened(band: Band, longest: int) -> Band:
    """A band extended with its last values to the longest length."""
    return Band(*(np.pad(values, (0, longest - len(values)), mode="edge") for values in (band.middle, band.low, band.high)))


def band_of(evidence: Evidence, run: str, column: str) -> Band | None:
    """The mean over a run along the search, with intervals as in claims; None if the run lacks the path."""
    if run not in evidence.runs:
        return None
    paths = [[row[column] for row in rows if row[column] and np.isfinite(row[column]).all()] for rows in evidence.rows(run)]
    if not all(paths):
        return None
    longest = max(len(path) for own in paths for path in own)
    band = mean_band([filled(own, longest).mean(0) for own in paths] if len(paths) >= 3 else [p for own in paths for p in own])
    return band.within(*limits_of(evidence.runs[run][0].record, column))
