"""What a notebook shows of a comparison: a few sentences, the table of both orders, and the first samples."""

import base64
from collections.abc import Sequence
from typing import Any

from gevaldi.images import stored_bytes
from gevaldi.measures.predictions import top
from gevaldi.measures.summary import Summary
from gevaldi.names import plain, told_apart
from gevaldi.reports.answer import answer
from gevaldi.reports.environment import environment
from gevaldi.runs.near_duplicates import summary_of
from gevaldi.runs.store import Run

SHOWN = 6  # samples
COLUMNS = ["index", *(f"{key}_{stage}" for key in ("picture", "first", "second") for stage in ("end", "probable"))]


def comparison_as_html(run: Run) -> str:
    """A comparison that is complete or not."""
    first, second = told_apart(*(run.record["models"][side]["name"] for side in ("first", "second")))
    found = summary_of(run)
    return (
        environment()
        .get_template("notebook.html")
        .render(
            title=f"{first} vs {second}",
            sentences=answer(run.record, {"first": first, "second": second}).sentences,
            summaries=found,
            unit=plain(run.record["divergence"]["unit"]),
            pictures=[_figure(row) for row in run.largest(SHOWN, COLUMNS)],
        )
    )


def summaries_as_html(found: Sequence[Summary]) -> str:
    """The table alone."""
    return environment().get_template("notebook.html").render(title="", sentences=(), summaries=found, unit="", pictures=())


def _figure(row: dict[str, Any]) -> dict[str, Any]:
    stage = "probable" if row["picture_probable"] else "end"
    names = {side: (top(row, side, stage) or {"name": "–"})["name"] for side in ("first", "second")}
    content = base64.b64encode(stored_bytes(row[f"picture_{stage}"], "A picture of the run")).decode()
    return {"index": row["index"], "address": f"data:image/png;base64,{content}", **names}
