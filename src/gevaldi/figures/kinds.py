"""The kinds of change, by order."""

from collections import Counter
from typing import TYPE_CHECKING

from gevaldi.figures._run import finished_rows, order_named, without_rows
from gevaldi.figures.base import BLUE, GREY, NothingToDraw, blank, style
from gevaldi.measures.kinds import WHICH
from gevaldi.runs.store.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

SHIFTS = {"same level": "#a9cdec", "near": BLUE, "lateral": "#063a66"}  # darker is farther


def kinds(run: Run, *, order: str | None = None, width: str | float = "single") -> "Figure":
    """Kinds of change: on how many samples the first, the second or both flipped, and how far in the hierarchy, by order.

    Raises:
        NothingToDraw: no row of the run has a kind.
    """
    asked = order_named(order)
    found = Counter(
        (row["order"], row["flipped"], row["shift"]) for row in finished_rows(run, asked, ["flipped", "shift"]) if row["flipped"]
    )
    if not found:
        raise NothingToDraw(without_rows(run, asked))
    orders = [o for o in run.spec.searches if any(order == o for order, _, _ in found)]
    shown = [s for s in SHIFTS if any(shift == s for _, _, shift in found)]
    figure = blank(width, 0.5)
    with style():
        panels = figure.subplots(1, len(orders), sharey=True, sharex=True, squeeze=False)[0]
        for panel, name in zip(panels, orders, strict=True):
            samples = sum(count for (order, _, _), count in found.items() if order == name)
            for i, side in enumerate(WHICH.values()):
                left = 0.0
                for shift in (*SHIFTS, None):
                    share = 100 * found[name, side, shift] / samples
                    panel.barh(i, share, left=left, height=0.7, color=SHIFTS[shift] if shift else GREY)
                    left += share
            panel.set_xlabel("samples (%)")
            panel.set_title(name)
            panel.tick_params(left=False)
        panels[0].set_yticks(range(len(WHICH)), list(WHICH.values()))
        panels[0].invert_yaxis()
        panels[0].set_ylabel("flipped")
        if shown:
            figure.legend(
                [_patch(SHIFTS[shift]) for shift in shown], shown, loc="outside lower center", ncols=len(shown), handlelength=1
            )
    return figure


def _patch(colour: str) -> "Patch":
    from matplotlib.patches import Patch

    return Patch(color=colour)
