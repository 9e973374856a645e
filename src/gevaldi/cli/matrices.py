"""The matrices of a sweep in a terminal, whatever its width."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gevaldi.measures.sweeps import ALL, DRAWN, END, REAL, Entry, exactly
from gevaldi.names import plain
from gevaldi.reports.sweep.tables import fitting, matrices
from gevaldi.statistics.words import counted, interval

if TYPE_CHECKING:
    from gevaldi.reports.sweep.tables import Matrix
    from gevaldi.sweeps.results import SweepResult

TOGETHER = 4  # most classifiers for which a cell shows all quantities
LONGEST, SHORTEST = 30, 8  # most letters of a name with ample room, and with little


def show_matrices(found: "SweepResult") -> None:
    """Print the matrices after the searches, and how often each classifier was the wrong one before them."""
    from gevaldi.sweeps.spec import unit_of

    names = list(found.sweep.classifiers)
    for divergence in found.sweep.divergences:
        for weight in found.sweep.prior_weights:
            own = [e for e in found.entries if (e.divergence, e.prior_weight, e.stage) == (divergence, weight, END)]
            shown = [m for m in matrices(own, names, unit_of(divergence)) if m.quantity != "row_alone_wrong"]
            heading = f"{plain(divergence)}, λ = {exactly(weight)}, after the search"
            if shown and min(_room(m, names) for m in shown) >= SHORTEST:
                _print(shown, names, heading)
            elif shown:
                _line(f"{heading}: the matrices of {len(names)} classifiers are in index.html and matrix.csv")
    _print_wrong([e for e in found.entries if e.column == ALL], names)


def _room(shown: "Matrix", names: Sequence[str]) -> int:
    """Letters that this terminal leaves for a name beside the numbers of its row."""
    widest = max(len(_words([shown], row, column)) for row in names for column in names)
    return Console().width - (max(widest, len(str(len(names)))) + 1) * len(names) - len(f"{len(names)} ") - 1


def _print(shown: "Sequence[Matrix]", names: Sequence[str], heading: str) -> None:
    """One table with all quantities in each cell if they fit, otherwise one table per quantity."""
    together = len(names) <= TOGETHER
    for group in [shown] if together else [[one] for one in shown]:
        what = [m.title[0].lower() + m.title[1:] for m in group]
        _line(f"{heading}, row against column: {'; '.join(what)}")
        table = Table(box=None, pad_edge=False, padding=(0, 1, 1, 0) if together else (0, 1, 0, 0))
        table.add_column("", no_wrap=True)
        for i in range(len(names)):
            table.add_column(str(i + 1), justify="right", no_wrap=True)
        room = min(LONGEST, *(_room(m, names) for m in group))
        for i, (row, short) in enumerate(zip(names, fitting(names, room), strict=True)):
            cells = ["·" if row == column else _words(group, row, column) for column in names]
            table.add_row(Text(f"{i + 1} {short}"), *cells)
        Console().print(table)


def _line(text: str) -> None:
    Console().print(text, markup=False, highlight=False)


def _words(group: "Sequence[Matrix]", row: str, column: str) -> str:
    return "\n".join(m.words(m.cells[row, column].estimate.value) if (row, column) in m.cells else "–" for m in group)


def _print_wrong(wrong: Sequence[Entry], names: Sequence[str]) -> None:
    """A table that fits the terminal: first puts intervals below their numbers, then drops drawn pictures, which the page has."""
    drawn, real = ({e.row: e for e in wrong if e.stage == stage} for stage in (DRAWN, REAL))
    last = {"real pictures": real} if real else {"drawn pictures": drawn}
    (own,) = last.values()
    if not own:
        return
    ordered = sorted(names, key=lambda name: -own[name].estimate.value if name in own else 0)
    console, both = Console(), ({"drawn pictures": drawn} if real and drawn else {}) | last
    for known, apart in ((both, " "), (both, "\n"), (last, "\n")):
        columns = {head: [_percent(of.get(name), apart) for name in ordered] for head, of in known.items()}
        taken = sum(2 + max(len(line) for cell in (head, *cells) for line in cell.split("\n")) for head, cells in columns.items())
        room = min(LONGEST, console.width - taken)
        if room >= min(LONGEST, max(map(len, names)), SHORTEST + 10):
            break
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("the wrong one of the two", max_width=max(SHORTEST, room))
    for head in columns:
        table.add_column(head, justify="right", overflow="fold")
    shown = dict(zip(names, fitting(names, max(SHORTEST, room)), strict=True))
    for name, *cells in zip(ordered, *columns.values(), strict=True):
        table.add_row(Text(shown[name]), *cells)
    console.print(table)


def _percent(entry: Entry | None, apart: str) -> str:
    if entry is None:
        return "–"
    estimate = replace(entry.estimate, count=entry.samples)
    return f"{counted(estimate)}{apart}({interval(estimate).removesuffix(' %')})"
