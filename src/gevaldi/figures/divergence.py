"""The divergence over the steps, like the paper's Figure 4."""

from typing import TYPE_CHECKING

from gevaldi.figures._lines import lines, path_lines
from gevaldi.figures._run import order_named, unit_of, without_rows
from gevaldi.figures.base import NothingToDraw
from gevaldi.runs.store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def divergence(run: Run, *, order: str | None = None, width: str | float = "single") -> "Figure":
    """Divergence over the steps of the search: the median and the band of 80 % of the samples, a line for each order.

    A sample that stopped keeps its last value. `order=forward` draws one of the two.

    Raises:
        NothingToDraw: no row of the run has a path.
    """
    asked = order_named(order)
    found = path_lines(run, "path_divergence", asked)
    if not found:
        raise NothingToDraw(without_rows(run, asked))
    return lines(found, f"divergence ({unit_of(run)})", width=width)
