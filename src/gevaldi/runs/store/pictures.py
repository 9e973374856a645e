"""`audit.parquet`: both predictions for every real picture and some drawn ones, with some of the pictures. Needs no torch."""

import io
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError
from gevaldi.runs.store.run import PICTURES, Run
from gevaldi.runs.store.schema import Row
from gevaldi.storage import parquet_table, read, reason

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def schema_of_pictures(sound: bool = False) -> "pa.Schema":
    """The columns, with their descriptions as metadata; with the one of sounds if `sound`."""
    import pyarrow as pa

    encoded = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns: list[tuple[str, pa.DataType, str]] = [
        ("kind", pa.string(), "real, or drawn (by the generator, without a search)"),
        ("index", pa.int64(), "the picture's number among the real or the drawn ones"),
        ("name", pa.string(), "the file and its folder, if the picture is a file"),
        (
            "class",
            pa.string(),
            "the true class, by the classifiers' name for it; null if unknown",
        ),
        *(
            (f"{side}_{key}", kind, text)
            for side in ("first", "second")
            for key, kind, text in (
                (
                    "label",
                    pa.int32(),
                    f"index of the {side} classifier's top class, with its own pipeline if it has one; -1 for NaN",
                ),
                ("class", pa.string(), "the name of that class"),
                ("probability", pa.float32(), "its probability of that class"),
                ("right", pa.bool_(), "whether that is the true class; null if that is unknown or not a class of both"),
                ("log_truth", pa.float32(), "its log-probability of the true class"),
                ("resized", pa.int32(), "index of its top class at the generator's picture size"),
            )
        ),
        ("picture", encoded, "the picture, at most 512 pixels a side; null for most pictures on which both agree"),
        *([("sound", encoded, "the recording that the picture is of, as FLAC")] if sound else []),
    ]
    return pa.schema([pa.field(name, kind, metadata={"description": text}) for name, kind, text in columns])


def content_of(rows: Sequence[Row]) -> bytes:
    """The file that holds these rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink, schema = io.BytesIO(), schema_of_pictures(any(row.get("sound") for row in rows))
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def pictures_of(run: Run) -> list[Row]:
    """The rows of a run's `audit.parquet`; none if the audit of its generator failed.

    Raises:
        RunFolderError: the file is missing, cannot be read, or was changed.
    """

    expected = run.record.get("pictures")
    if expected is None:
        return []
    path = run.folder / PICTURES
    try:
        content = read(path)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}. Restore the original file.") from None
    if sha256(content).hexdigest() != expected["sha256"]:
        raise RunFolderError(
            f"{path} was changed since it was written. Restore the original file, or repeat the run in another folder."
        )
    try:
        rows = _checked(parquet_table(content))
    except (ValueError, OSError) as error:  # of Arrow too
        raise RunFolderError(f"{path} was not written by GeValDi: {error}. Restore the original file.") from None
    return rows


def _checked(table: "pa.Table") -> list[Row]:
    """The rows of a table, checked against the schema and the assumptions of reports."""
    if not any(table.schema.equals(schema_of_pictures(sound)) for sound in (False, True)):
        raise ValueError("its columns are different")
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        answers = [row[f"{side}_{key}"] for side in ("first", "second") for key in ("label", "class", "probability")]
        if None in (row["index"], *answers) or not all(0 <= row[f"{side}_probability"] <= 1.001 for side in ("first", "second")):
            raise ValueError("a row lacks its number or the answer of a classifier")
        if row["kind"] not in ("real", "drawn") or any(row.get(own) and row[own]["bytes"] is None for own in ("picture", "sound")):
            raise ValueError(f"picture {row['index']} has an unknown kind or no bytes")
    return rows
