"""The confusion matrix as a table for the page."""

from typing import Any

from gevaldi.measures.confusion import ConfusionMatrix
from gevaldi.names import plain


def matrix(found: ConfusionMatrix) -> dict[str, Any] | None:
    """The rows and columns that are not empty, with the colour strength of each cell; None if there are no predictions."""
    if not found.labels:
        return None
    counts, places = found.counts, range(len(found.labels))
    rows, columns = [i for i in places if counts[i].any()], [j for j in places if counts[:, j].any()]
    most = counts.max()
    return {
        "columns": [plain(found.names[j]) for j in columns],
        "rows": [
            {"name": plain(found.names[i]), "cells": [_cell(found, i, j, int(counts[i, j]), int(most)) for j in columns]}
            for i in rows
        ],
        "agree": bool({*rows} & {*columns}),
        "samples": found.samples,
        "left_out": found.left_out,
        "classes_left_out": found.classes_left_out,
    }


def _cell(found: ConfusionMatrix, i: int, j: int, count: int, most: int) -> dict[str, Any]:
    names = plain(found.names[i]), plain(found.names[j])
    return {
        "count": count,
        "heat": round(10 + 40 * count / most) if count else 0,
        "agree": i == j,
        "address": f"#first={found.labels[i]}&second={found.labels[j]}",
        "says": f"{count:,} sample{'s' * (count != 1)}; first: {names[0]}, second: {names[1]}",
    }
