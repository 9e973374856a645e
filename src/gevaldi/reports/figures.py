"""The paths of a run as SVG, in the page's own colours."""

import io

import numpy as np

from gevaldi.measures.paths import band
from gevaldi.runs.store import Run

COLOURS = {"forward": "#0a6ebd", "reverse": "#c4570a"}  # told apart by the colour-blind, on light and on dark


def path_figure(run: Run, column: str, label: str) -> str:
    """Median and band of one quantity over the steps, a line for each order; empty if no row has a path."""
    import matplotlib

    paths: dict[str, list[np.ndarray]] = {order: [] for order in COLOURS}
    for row in run.each(["order", "status", column]):
        if row["status"] != "failed" and row[column]:
            paths[row["order"]].append(np.asarray(row[column], dtype=np.float32))
    if not any(paths.values()):
        return ""
    length = max(len(path) for found in paths.values() for path in found)
    with matplotlib.rc_context({"svg.hashsalt": "gevaldi", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        axes = figure.subplots()
        for order, colour in COLOURS.items():
            if not paths[order]:
                continue
            found = band(paths[order], length)
            steps = range(len(found.median))
            axes.fill_between(steps, found.low, found.high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(steps, found.median, color=colour, linestyle="-" if order == "forward" else "--", label=order)
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
