"""The set distance of several classifiers from the same third one, before and after the search."""

from gevaldi.figures.base import WIDTHS, style
from gevaldi.reproduction.evidence import Evidence, NotTestable, column
from gevaldi.reproduction.figures.base import COLOURS, PaperFigure


def ranking(evidence: Evidence, *, runs: list[str], sizes: list[int]) -> PaperFigure:
    """Means with 95 % intervals, for each number of top classes.

    Raises:
        NotTestable: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    there = [run for run in runs if run in evidence.runs]
    rows = [
        (n, stage, run, estimate.value, estimate.low, estimate.high)
        for n in sizes
        for stage in ("start", "end")
        for run in there
        for estimate in [evidence.contrast({run: 1.0}, column(f"set_distance_{n}_{stage}"))]
    ]
    if not rows:
        raise NotTestable("all runs of the figure failed")
    with style():
        figure = Figure(figsize=(WIDTHS["double"], 2.3), layout="constrained")
        for axes, n in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
            for i, run in enumerate(there):
                own = [row for row in rows if row[0] == n and row[2] == run]
                middle, places = [row[3] for row in own], [k + 0.12 * (i - (len(there) - 1) / 2) for k in range(len(own))]
                around = [[row[3] - row[4] for row in own], [row[5] - row[3] for row in own]]
                axes.errorbar(places, middle, around, fmt="osD^"[i % 4], color=COLOURS[i % 4], capsize=2, markersize=4, label=run)
            axes.set_xticks([0, 1], ["before", "after"])
            axes.set_xlim(-0.5, 1.5)
            axes.set_ylim(bottom=0)
            axes.set_title(f"n = {n}", loc="left")
        figure.axes[0].set_ylabel("set distance (levels)")
        figure.axes[0].legend(loc="best")
    return PaperFigure(figure, ("n", "stage", "run", "mean", "low", "high"), rows)
