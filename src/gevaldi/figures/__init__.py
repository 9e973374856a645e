"""Figures for papers: the rows of a run as PNG, SVG or PDF. Needs no torch.

A figure is a plain function `(run, **options) -> matplotlib.figure.Figure`. To add one, add a file that holds a function of the
file's name; its keywords are the options of `gevaldi figure RUN NAME,KEY=VALUE`.
"""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.calls import Call, options_for
from gevaldi.figures._heat import HeatMap, heat_maps
from gevaldi.figures._lines import Line, lines, path_figures, path_lines, set_distance_figures, set_distance_lines
from gevaldi.figures._paths import mean_bands
from gevaldi.figures.base import NothingToDraw, as_svg, blank, saved
from gevaldi.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gevaldi.runs.store.run import Run

__all__ = [
    "HeatMap",
    "Line",
    "NothingToDraw",
    "as_svg",
    "blank",
    "figure_of",
    "heat_maps",
    "lines",
    "mean_bands",
    "path_figures",
    "path_lines",
    "registry",
    "saved",
    "set_distance_figures",
    "set_distance_lines",
]

registry = Registry("figure", "gevaldi.figures")


def figure_of(run: "Run", text: str) -> "Figure":
    """The figure that a user names, such as `divergence` or `samples,count=4`.

    Raises:
        UnknownName: there is no such figure.
        SpecError: an option is unknown or invalid.
        NothingToDraw: the run lacks the data for the figure.
    """
    call = Call.parse(text)
    drawn = partial(registry.get(call.name), run)
    figure: Figure = drawn(**options_for(drawn, call, registry.kind))
    return figure
