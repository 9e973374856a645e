"""The divergence over the steps, like the paper's Figure 4."""

from typing import TYPE_CHECKING

from gevaldi.figures._lines import drawn_path
from gevaldi.figures._run import unit_of
from gevaldi.runs.store.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def divergence(run: Run, *, order: str | None = None, width: str | float = "single") -> "Figure":
    """Divergence over the steps of the search: the median and the band of 80 % of the samples, with a line for each order.

    A sample that has stopped keeps its last value. `order=forward` draws only one order.

    Raises:
        NothingToDraw: no row of the run has a path.
    """
    return drawn_path(run, "path_divergence", f"divergence ({unit_of(run)})", order, width)
