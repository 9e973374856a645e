"""The paths of a run as SVG, in the page's own colours."""

import io
from dataclasses import dataclass

import numpy as np

from gevaldi.measures.paths import Band, band, mean_band
from gevaldi.runs.store import Run

COLOURS = {"forward": "#0a6ebd", "reverse": "#c4570a"}  # told apart by the colour-blind, on light and on dark
SIZES = ("#0a6ebd", "#c4570a", "#6f7d8a")  # for the numbers of top classes, in turn
STYLES = ("-", "--", ":", "-.")  # one more than colours, so that twelve lines are told apart


@dataclass(frozen=True)
class Line:
    """A line with the band around it."""

    band: Band
    colour: str
    style: str
    name: str


def path_figure(run: Run, column: str, label: str) -> str:
    """Median and band of one quantity over the steps, a line for each order; empty if no row has a path."""
    paths = paths_of(run, column)
    if not paths:
        return ""
    length = max(len(path) for found in paths.values() for path in found)
    lines = [
        Line(band(paths[order], length), COLOURS[order], STYLES[order == "reverse"], order) for order in COLOURS if order in paths
    ]
    return drawn(lines, label)


def set_distance_figures(run: Run, label: str) -> dict[str, str]:
    """For each order, the mean set distance over the steps with its 95 % interval, a line for each number of top classes."""
    lines: dict[str, list[Line]] = {}
    for i, n in enumerate(run.record["taxonomy"]["set_sizes"] if run.record.get("taxonomy") else ()):
        for order, paths in paths_of(run, f"path_set_distance_{n}").items():
            found = mean_band(paths)
            above = Band(found.middle, np.maximum(found.low, 0), found.high)  # no distance is below zero
            line = Line(above, SIZES[i % len(SIZES)], STYLES[i % len(STYLES)], f"n = {n}")
            lines.setdefault(order, []).append(line)
    return {order: drawn(found, label) for order, found in lines.items()}


def paths_of(run: Run, column: str) -> dict[str, list[np.ndarray]]:
    """The paths of one quantity, for each order that has any."""
    paths: dict[str, list[np.ndarray]] = {}
    for row in run.each(["order", "status", column]):
        if row["status"] != "failed" and row[column]:
            paths.setdefault(row["order"], []).append(np.asarray(row[column], dtype=np.float32))
    return paths


def drawn(lines: list[Line], label: str) -> str:
    """Lines over the steps as an SVG that takes the page's colour of text."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "gevaldi", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        axes = figure.subplots()
        for line in lines:
            steps = range(len(line.band.middle))
            axes.fill_between(steps, line.band.low, line.band.high, color=line.colour, alpha=0.18, linewidth=0)
            axes.plot(steps, line.band.middle, color=line.colour, linestyle=line.style, label=line.name)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="best")
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    svg = sink.getvalue()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    return svg.replace("<svg ", '<svg class="plot" role="img" ', 1).replace('<g id="text', '<g fill="currentColor" id="text')
