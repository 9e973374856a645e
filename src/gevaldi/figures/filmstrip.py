"""One sample along its search."""

from typing import TYPE_CHECKING

from gevaldi.errors import SpecError
from gevaldi.figures._pictures import LETTERS, LINE, Sheet, height_of, pixels_of, room_of, short
from gevaldi.figures._run import again, chosen_rows, order_named, unit_of
from gevaldi.figures._text import fit_name, points_of
from gevaldi.figures.base import GREY, NothingToDraw, inches_of, style
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ["order", "condition_name", "path_divergence", "path_pictures", "path_picture_steps"]
WIDE = 44  # points that a picture takes at least
BETWEEN, BELOW = 4, 6  # points between pictures, and below a row of them


def filmstrip(run: Run, *, index: int | None = None, order: str | None = None, width: str | float = "double") -> "Figure":
    """One sample's pictures along its search, with the step above and the divergence below each.

    `index` chooses the sample; by default, the one with the largest divergence.

    Raises:
        SpecError: there is no such sample.
        NothingToDraw: the run has no pictures along its searches.
    """
    row, *others = chosen_rows(run, index, 1, order_named(order), COLUMNS)
    if others:
        raise SpecError(f"index={index} names several samples; a filmstrip shows one.")
    if not row["path_pictures"]:
        raise NothingToDraw(f"The run in {run.folder} has no pictures along its searches: an older version made it. {again(run)}")
    across = columns_of(len(row["path_pictures"]), room_of(inches_of(width)))
    return _drawn(row, unit_of(run), room_of(inches_of(width)), across)


def columns_of(pictures: int, points: float) -> int:
    """The number of pictures side by side: as many as stay legible, in rows of about equal length."""
    most = max(1, int((points + BETWEEN) // (WIDE + BETWEEN)))
    return -(-pictures // -(-pictures // most))


@style()
def _drawn(row: Row, unit: str, points: float, across: int) -> "Figure":
    side = (points - BETWEEN * (across - 1)) / across
    pictures = [pixels_of(stored) for stored in row["path_pictures"]]
    high = max(height_of(pixels, side) for pixels in pictures)
    rows = -(-len(pictures) // across)
    each = 2 * LINE + high + 4
    sheet = Sheet.blank(points, LINE + 3 + rows * each + (rows - 1) * BELOW)
    told = f"sample {row['index']}, {row['order']}"
    sheet.text(told, 0, 0, color=GREY)
    if row["condition_name"] is not None:
        left = points_of(told, LETTERS) + 8
        sheet.text(fit_name(row["condition_name"], points - left, size=LETTERS, bold=True)[0], left, 0, fontweight="bold")
    for i, (pixels, step) in enumerate(zip(pictures, row["path_picture_steps"], strict=True)):
        left, top = (i % across) * (side + BETWEEN), LINE + 3 + (i // across) * (each + BELOW)
        sheet.text(f"step {step}" if i == 0 else str(step), left + side / 2, top, ha="center")
        sheet.picture(pixels, left, top + LINE + 1, side, high)
        value = _divergence_at(row, step) + (f" {unit}" if i == 0 else "")
        sheet.text(value, left + side / 2, top + LINE + high + 3, ha="center", color=GREY)
    return sheet.figure


def _divergence_at(row: Row, step: int) -> str:
    path = row["path_divergence"] or ()
    return short(path[step]) if step < len(path) else "–"
