"""Pictures before and after the search with both predictions, as in the paper's Figures 1, 2 and 5."""

from typing import Any

from gevaldi.figures.samples import COLUMNS, before_and_after
from gevaldi.measures.predictions import top
from gevaldi.names import plain, told_apart
from gevaldi.reproduction.evidence import Evidence
from gevaldi.reproduction.figures.base import PaperFigure
from gevaldi.runs.store.schema import Row

TABLE = (
    "index",
    "order",
    "condition_name",
    "divergence_start",
    "divergence_end",
    "delta_z",
    "typicality_end",
    "shift",
    "survives_storage",
)
"""Columns of the table beside the predictions."""


def samples(evidence: Evidence, *, run: str, count: int) -> PaperFigure:
    """The `count` samples of a run with the largest divergence, over all its orders."""
    evidence.rows(run)  # raises an error if there are none
    opened = evidence.runs[run][0]
    models = opened.record["models"]
    names = dict(zip(("first", "second"), told_apart(models["first"]["name"], models["second"]["name"]), strict=True))
    shown = opened.largest(count, [*dict.fromkeys([*COLUMNS, *TABLE])])
    figure = before_and_after(shown, names, plain(opened.record["divergence"]["unit"]))
    answers = [f"{side}_{stage}{what}" for side in names for stage in ("start", "end") for what in ("", "_probability")]
    return PaperFigure(figure, (*TABLE, *answers), [(*(row[key] for key in TABLE), *_predictions(row)) for row in shown])


def _predictions(row: Row) -> list[Any]:
    labels = [top(row, side, stage) or {} for side in ("first", "second") for stage in ("start", "end")]
    return [value for label in labels for value in (label.get("name"), label.get("probability"))]
