"""Answers as files that other programs and `gevaldi verdict --labels` read."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gevaldi.labelling.store import COUNTED
from gevaldi.tables import as_csv
from gevaldi.verdicts.responses import Response, read_responses

COLUMNS = ("picture", "class", "person", "time", "real", "kind", "occasion", "choices", "shown_ms")


def _rows(answers: Sequence[Response]) -> list[tuple[str | int | None, ...]]:
    return [
        (one.picture, one.answer, one.person, one.time, one.real, one.kind, one.occasion, " | ".join(one.choices), one.shown_ms)
        for one in answers
    ]


def _counted(folder: Path) -> list[Response]:
    """The answers that a verdict counts: neither controls, nor those given at a second time."""
    return [one for one in read_responses(folder) if one.kind in COUNTED and one.occasion == 1]


def csv_of(folder: Path) -> bytes:
    """The answers that count, as CSV."""
    return as_csv(COLUMNS, _rows(_counted(folder))).encode()


def csv_of_all(folder: Path) -> bytes:
    """All responses as CSV, also to controls and at a second time."""
    return as_csv(COLUMNS, _rows(read_responses(folder))).encode()


def parquet_of(folder: Path) -> bytes:
    """The answers that count, as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"occasion": pa.int32(), "shown_ms": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in _rows(_counted(folder))]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink, compression="zstd")
    return sink.getvalue()


def label_studio_of(folder: Path) -> bytes:
    """The answers that count, as Label Studio exports annotations: one task per picture, with an annotation of each person."""
    tasks: dict[str, list[Response]] = {}
    for one in _counted(folder):
        tasks.setdefault(one.picture, []).append(one)
    content = [{"data": {"picture": picture}, "annotations": [_annotation(one) for one in own]} for picture, own in tasks.items()]
    return json.dumps(content, indent=1).encode()


def _annotation(one: Response) -> dict[str, object]:
    choice = {"type": "choices", "from_name": "label", "to_name": "image", "value": {"choices": [one.answer]}}
    return {"completed_by": {"email": one.person}, "created_at": one.time, "result": [choice]}


FORMATS: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "answers.csv": ("text/csv; charset=utf-8", csv_of),
    "responses.csv": ("text/csv; charset=utf-8", csv_of_all),
    "answers.parquet": ("application/vnd.apache.parquet", parquet_of),
    "label-studio.json": ("application/json", label_studio_of),
}
"""What the owner downloads: by name the type and the function that makes it."""
