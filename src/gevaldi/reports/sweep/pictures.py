"""A picture for each cell of a sweep's matrix: the sample on which its two classifiers differ most."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gevaldi.images import open_picture, stored_bytes
from gevaldi.measures.predictions import rank, top
from gevaldi.names import plain
from gevaldi.reports.environment import link
from gevaldi.reports.numbers import number
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row

SIDE = 112  # pixels of the longer side, at most
LOSSLESS = 64  # pixels up to which a picture stays as it is


@dataclass(frozen=True)
class Source:
    """The comparison behind a cell of the matrix.

    Attributes:
        run: the comparison of its two classifiers.
        order: the order of its rows.
        row: the role of the row's classifier in the comparison, first or second.
    """

    run: Run
    order: str
    row: str


def pictures(names: Sequence[str], sources: Mapping[tuple[str, str], Source]) -> list[dict[str, Any]]:
    """For each cell, the final picture with the largest divergence, and both predictions on it."""
    return [{"name": plain(row), "cells": [_cell(row, column, sources.get((row, column))) for column in names]} for row in names]


def _cell(row: str, column: str, source: Source | None) -> dict[str, Any] | None:
    sample = _largest(source) if source else None
    if source is None or sample is None:
        return None
    said = [_prediction(sample, side) for side in (source.row, "second" if source.row == "first" else "first")]
    address, small = _small(stored_bytes(sample["picture_end"], "A picture of the sweep"))
    return {
        "source": address,
        "small": small,
        "said": said,
        "alt": f"{plain(row)}: {said[0]}, {plain(column)}: {said[1]}; divergence {number(sample['divergence_end'])}",
        "address": f"{link(f'{source.run.folder.name}/report.html')}#sample-{sample['index']}",
    }


def _largest(source: Source) -> Row | None:
    """The successful sample of an order with the largest divergence."""
    found, best = None, (-math.inf, 0)
    for row in source.run.each(["index", "order", "status", "divergence_end"]):
        if row["order"] == source.order and row["status"] != "failed":
            place = (rank(row["divergence_end"]), -row["index"])
            found, best = (row["index"], place) if found is None or place > best else (found, best)
    columns = ["divergence_end", "first_end", "second_end", "picture_end"]
    rows = source.run.some([found], columns) if found is not None else []
    return next((row for row in rows if row["picture_end"]), None)


def _prediction(row: Row, side: str) -> str:
    named = top(row, side, "end")
    return plain(named["name"]) if named else "no prediction"


def _small(content: bytes) -> tuple[str, bool]:
    """A picture as a data URL, and whether it is lossless."""
    picture = open_picture(content, "A picture of the sweep")
    if max(picture.size) <= LOSSLESS:
        return _address(content, "png"), True
    picture = picture.convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    sink = io.BytesIO()
    picture.save(sink, "WEBP", quality=70)
    return _address(sink.getvalue(), "webp"), False


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
