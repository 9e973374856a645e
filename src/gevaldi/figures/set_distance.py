"""The set distance of equation 4 over the steps, like the paper's Figure 3."""

from typing import TYPE_CHECKING

from gevaldi.figures._lines import lines, set_distance_lines
from gevaldi.figures._run import again, order_named, without_rows
from gevaldi.figures.base import NothingToDraw, blank, style
from gevaldi.runs.store.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def set_distance(run: Run, *, order: str | None = None, width: str | float = "single") -> "Figure":
    """Set distance over the steps of the search: the mean and its 95 % interval, with a line for each n, orders side by side.

    A sample that has stopped keeps its last value. `order=forward` draws only one order.

    Raises:
        NothingToDraw: the run has no hierarchy of classes, or no row with a path.
    """
    asked = order_named(order)
    if not run.record.get("taxonomy"):
        raise NothingToDraw(
            f"The classes of the run in {run.folder} have no hierarchy, which set distances need. {again(run)} "
            "--taxonomy NAME_OR_FILE (gevaldi list taxonomies; gevaldi cluster learns one)."
        )
    found = {o: drawn for o, drawn in set_distance_lines(run).items() if asked in (None, o)}
    if not found:
        raise NothingToDraw(without_rows(run, asked))
    figure = blank(width, 0.62 / len(found) + 0.15 * (len(found) - 1))
    with style():
        panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for i, (panel, (name, drawn)) in enumerate(zip(panels, found.items(), strict=True)):
            lines(drawn, "" if i else "set distance (levels)", axes=panel)
            panel.set_title(name)
            if i:
                panel.get_legend().remove()  # the same as in the first panel
    return figure
