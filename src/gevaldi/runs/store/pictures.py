"""`audit.parquet`: what both classifiers say of every real picture, and some pictures, real and drawn, to look at. No torch."""

import io
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError
from gevaldi.runs.store.run import PICTURES, Run
from gevaldi.runs.store.schema import Row
from gevaldi.storage import read, reason

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def schema_of_pictures() -> "pa.Schema":
    """The columns, with what each holds as its field's metadata."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns: list[tuple[str, pa.DataType, str]] = [
        ("kind", pa.string(), "real, or drawn by the generator and not searched"),
        ("index", pa.int64(), "its number among the real pictures, or among those drawn"),
        ("name", pa.string(), "the file and its folder, where it is one"),
        (
            "class",
            pa.string(),
            "the class that it shows, as the classifiers call it; null where it is not known",
        ),
        *(
            (f"{side}_{key}", kind, text)
            for side in ("first", "second")
            for key, kind, text in (
                (
                    "label",
                    pa.int32(),
                    f"index of the {side} classifier's top class, by its own pipeline where it has one; -1 for no number",
                ),
                ("class", pa.string(), "the name of that class"),
                ("probability", pa.float32(), "the probability that it gives to it"),
                ("right", pa.bool_(), "whether it is the class shown; null where that is unknown or no class of both"),
                ("log_truth", pa.float32(), "the log-probability that it gives to the class shown"),
                ("resized", pa.int32(), "index of its top class for the picture at the generator's size"),
            )
        ),
        ("picture", image, "the picture, at most 512 pixels a side; null for most, of which both say the same"),
    ]
    return pa.schema([pa.field(name, kind, metadata={"description": text}) for name, kind, text in columns])


def content_of(rows: Sequence[Row]) -> bytes:
    """The file that holds these rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema_of_pictures()), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def pictures_of(run: Run) -> list[Row]:
    """The rows of a run's `audit.parquet`; none where its generator could not be audited.

    Raises:
        RunFolderError: the file is missing, cannot be read, or is not the one that was written.
    """
    import pyarrow.parquet as pq

    expected = run.record.get("pictures")
    if expected is None:
        return []
    path = run.folder / PICTURES
    try:
        content = read(path)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}. Put back the file that GeValDi wrote.") from None
    if sha256(content).hexdigest() != expected["sha256"]:
        raise RunFolderError(f"{path} was changed since it was written. Put it back as it was, or make the run again elsewhere.")
    try:
        rows = _checked(pq.read_table(io.BytesIO(content)))
    except (ValueError, OSError) as error:  # of Arrow too
        raise RunFolderError(f"{path} is not what GeValDi writes: {error}. Put back the file that it wrote.") from None
    return rows


def _checked(table: "pa.Table") -> list[Row]:
    """The rows of a table that has the columns of the schema, and in them what a page relies on."""
    if not table.schema.equals(schema_of_pictures()):
        raise ValueError("it has other columns")
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        answers = [row[f"{side}_{key}"] for side in ("first", "second") for key in ("label", "class", "probability")]
        if None in (row["index"], *answers) or not all(0 <= row[f"{side}_probability"] <= 1.001 for side in ("first", "second")):
            raise ValueError("a row has no number, or no answer of one of the two")
        if row["kind"] not in ("real", "drawn") or (row["picture"] is not None and row["picture"]["bytes"] is None):
            raise ValueError(f"picture {row['index']} is of no kind, or has no bytes")
    return rows
