"""Samples before and after their search, like the paper's Figures 1, 2 and 5."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.errors import SpecError
from gevaldi.figures._pictures import LETTERS, LINE, Sheet, height_of, pixels_of, room_of, short
from gevaldi.figures._run import chosen_rows, is_number, models_of, order_named, unit_of
from gevaldi.figures._text import fit_name, points_of
from gevaldi.figures.base import BLUE, GREY, ORANGE, NothingToDraw, inches_of, style
from gevaldi.measures.predictions import is_condition, top
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = [
    *("order", "condition_name", "target_classes", "divergence_end", "picture_start", "picture_end"),
    *("first_start", "first_end", "second_start", "second_end"),
    *("picture_probable", "first_probable", "second_probable"),
]
"""The columns that the figure needs."""

INK = {"first": BLUE, "second": ORANGE}
STAGES = {"start": "before", "end": "after"}
PROBABLE = {"probable": "most probable", "end": "most divergent"}
WIDE = 95  # points that a pair takes at least, unless it is said how many stand side by side
BETWEEN, INSIDE, BELOW = 18, 8, 7  # points between pairs, between the pictures of one, and between rows of them
MOST_LINES = 2  # of a class's name


def samples(
    run: Run,
    *,
    count: int = 8,
    columns: int | None = None,
    order: str | None = None,
    index: Sequence[int] | int | None = None,
    distinct: bool = False,
    probable: bool = False,
    first: str | None = None,
    second: str | None = None,
    width: str | float = "double",
) -> "Figure":
    """Samples before and after their search, those with the largest divergence, with both classifiers' top classes below.

    The requested class is bold. If the run has both orders, forward searches are drawn unless `order` is reverse or both.
    `probable=true` draws the most probable disagreements beside the most divergent pictures, of samples that have both.
    `index=[3,7]` draws these samples, `distinct=true` leaves out near-duplicates, `columns` sets how many stand side by side, and
    `first` and `second` rename the classifiers.

    Raises:
        SpecError: there is no such sample.
        NothingToDraw: every sample of the run failed, or none has a most probable disagreement.
    """
    asked = run.spec.searches[0] if order is None and index is None else order_named(order)
    rows = chosen_rows(run, index, count, asked, COLUMNS, distinct)
    own = models_of(run)
    names = {"first": str(first or own[0]), "second": str(second or own[1])}
    if not probable:
        return before_and_after(rows, names, unit_of(run), columns=columns, width=width)
    if not (pairs := [row for row in rows if row["picture_probable"]]):
        raise NothingToDraw("No sample has a most probable disagreement. Search with search.goal=both, the default.")
    return before_and_after(pairs, names, unit_of(run), columns=columns, width=width, stages=PROBABLE)


@style()
def before_and_after(
    rows: Sequence[Row],
    names: dict[str, str],
    unit: str,
    *,
    columns: int | None = None,
    width: str | float = "double",
    stages: Mapping[str, str] = STAGES,
) -> "Figure":
    """The same figure for any rows, which may come from several runs.

    Args:
        rows: with `COLUMNS`.
        names: the names of the first and the second classifier.
        unit: the unit of the divergence.
        columns: pairs side by side; by default as many as stay legible.
        width: single, double, or a number of inches.
        stages: the two pictures of a pair, with their titles.

    Raises:
        NothingToDraw: there are no rows.
        SpecError: `columns` is below 1, or too many to fit.
    """
    if not rows:
        raise NothingToDraw("There are no rows; a figure of samples needs at least one.")
    points = room_of(inches_of(width))
    across = min(len(rows), max(1, int((points + BETWEEN) // (WIDE + BETWEEN)))) if columns is None else columns
    room = (points - BETWEEN * (across - 1)) / across if is_number(across) and across > 0 else 0
    if room < 30:
        raise SpecError(f"columns={columns} does not fit; from 1 to {int((points + BETWEEN) // (30 + BETWEEN))} fit side by side.")
    edge = (room - INSIDE) / 2
    told = len({row["order"] for row in rows}) > 1
    pairs = [_pair(row, edge, unit, told, stages) for row in rows]
    shelves = [pairs[i : i + across] for i in range(0, len(pairs), across)]
    head, labels = 1.7 * LINE, LINE
    height = head + labels + sum(_height(shelf, edge) + BELOW for shelf in shelves) - BELOW
    sheet = Sheet.blank(points, height)
    _legend(sheet, names, points)
    for place in range(len(shelves[0])):
        for k, word in enumerate(stages.values()):
            left = place * (room + BETWEEN) + k * (edge + INSIDE)
            sheet.text(word, left + edge / 2, head, ha="center", color=GREY)
    down = head + labels
    for shelf in shelves:
        for place, pair in enumerate(shelf):
            _put(sheet, pair, place * (room + BETWEEN), down, edge, max(p.pictures_high(edge) for p in shelf), _lines(shelf))
        down += _height(shelf, edge) + BELOW
    return sheet.figure


@dataclass(frozen=True)
class Caption:
    """A classifier's prediction on a picture, written below it: the lines of the name, and the probability."""

    lines: list[str]
    probability: str
    bold: bool


@dataclass(frozen=True)
class Pair:
    """The parts of a sample in the figure."""

    asked: str
    found: str
    pictures: dict[str, np.ndarray]
    said: dict[tuple[str, str], Caption]

    def pictures_high(self, edge: float) -> float:
        """The height of its pictures at this width."""
        return max(height_of(pixels, edge) for pixels in self.pictures.values())


def _pair(row: Row, edge: float, unit: str, told: bool, stages: Iterable[str]) -> Pair:
    found = f"{short(row['divergence_end'])} {unit}" + (f", {row['order']}" if told else "")
    room = 2 * edge + INSIDE - points_of(found, LETTERS) - 4
    asked = "" if row["condition_name"] is None else fit_name(row["condition_name"], room, size=LETTERS, bold=True)[0]
    return Pair(
        asked,
        found,
        {stage: pixels_of(row[f"picture_{stage}"]) for stage in stages},
        {(side, stage): _caption(row, side, stage, edge) for side in INK for stage in stages},
    )


def _caption(row: Row, side: str, stage: str, edge: float) -> Caption:
    label: dict[str, Any] | None = top(row, side, stage)
    if label is None:
        return Caption(["no prediction"], "", False)
    bold = is_condition(row, label)
    probability = f"{label['probability']:.2f}"
    room = edge - points_of(probability, LETTERS) - 3
    return Caption(fit_name(label["name"], room, lines=MOST_LINES, size=LETTERS, bold=bold), probability, bold)


def _lines(shelf: Sequence[Pair]) -> dict[str, int]:
    """The number of lines of each classifier's names in a row of pairs, so that neighbours are level."""
    return {side: max(len(pair.said[side, stage].lines) for pair in shelf for stage in pair.pictures) for side in INK}


def _height(shelf: Sequence[Pair], edge: float) -> float:
    return LINE + max(pair.pictures_high(edge) for pair in shelf) + 3 + LINE * sum(_lines(shelf).values())


def _put(sheet: Sheet, pair: Pair, left: float, top: float, edge: float, high: float, lines: dict[str, int]) -> None:
    """Draw one sample: the condition and divergence, below them the two pictures, and below these both predictions."""
    sheet.text(pair.asked, left, top, fontweight="bold")
    sheet.text(pair.found, left + 2 * edge + INSIDE, top, ha="right", color=GREY)
    for k, stage in enumerate(pair.pictures):
        begin = left + k * (edge + INSIDE)
        sheet.picture(pair.pictures[stage], begin, top + LINE + 1, edge, high)
        down = top + LINE + high + 3
        for side, colour in INK.items():
            said = pair.said[side, stage]
            weight = "bold" if said.bold else "normal"
            for i, line in enumerate(said.lines):
                sheet.text(line, begin, down + i * LINE, color=colour, fontweight=weight)
            sheet.text(said.probability, begin + edge, down, ha="right", color=colour)
            down += lines[side] * LINE


def _legend(sheet: Sheet, names: dict[str, str], points: float) -> None:
    """Write the name of each classifier in its colour."""
    left = 0.0
    for side, colour in INK.items():
        words = f"{side}: {fit_name(names[side], points / 2 - 50, size=LETTERS)[0]}"
        sheet.text(words, left, 0, color=colour)
        left += points_of(words, LETTERS) + BETWEEN
