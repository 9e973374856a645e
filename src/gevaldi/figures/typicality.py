"""The typicality of the samples before and after the search."""

import math
from array import array
from typing import TYPE_CHECKING

import numpy as np

from gevaldi.figures._lines import STYLES
from gevaldi.figures._run import finished_rows, order_named
from gevaldi.figures.base import COLOURS, GREY, NothingToDraw, blank, style
from gevaldi.measures.summary import TYPICAL
from gevaldi.runs.store.run import Run
from gevaldi.statistics.intervals import share
from gevaldi.statistics.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 20


def typicality(run: Run, *, order: str | None = None, width: str | float = "single") -> "Figure":
    """Histograms of the latents' typicality before the search, and after it for each order.

    Typicality is the share of the prior nearer its centre; it is uniform for draws from the prior (the dotted line).

    Raises:
        NothingToDraw: no sample has a typicality.
    """
    asked = order_named(order)
    before, after = array("f"), {o: array("f") for o in COLOURS}
    for row in finished_rows(run, asked, ["typicality_start", "typicality_end"]):
        if all(_known(row[f"typicality_{stage}"]) for stage in ("start", "end")):
            before.append(row["typicality_start"])
            after[row["order"]].append(row["typicality_end"])
    if not before:
        raise NothingToDraw(
            f"The latents in {run.folder} have no typicality, because the prior of {run.spec.generator} gives none."
        )
    edges = np.linspace(0, 1, BINS + 1)
    figure = blank(width)
    with style():
        axes = figure.subplots()
        axes.stairs(_shares(before, edges), edges, fill=True, color=GREY, alpha=0.35, label="before")
        for name, values in after.items():
            if values:
                out = share(sum(value > TYPICAL for value in values), len(values))
                axes.stairs(
                    _shares(values, edges),
                    edges,
                    color=COLOURS[name],
                    linestyle=STYLES[name == "reverse"],
                    linewidth=1.3,
                    label=f"after, {name} ({counted(out)} above {TYPICAL})",
                )
        axes.axhline(100 / BINS, color="black", linewidth=0.8, linestyle=":")
        axes.set_xlabel("typicality (share of the prior nearer its centre)")
        axes.set_ylabel("samples (%)")
        axes.set_xlim(0, 1)
        axes.legend(loc="upper left")
    return figure


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _shares(values: "array[float]", edges: np.ndarray) -> np.ndarray:
    """Percentage of the values in each bin; values that rounding moved beyond 1 count as 1."""
    return 100 * np.histogram(np.clip(np.asarray(values, dtype=float), 0, 1), edges)[0] / len(values)
