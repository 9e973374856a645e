"""Pictures as the rows of a table in one Parquet file, written part by part."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gevaldi.exports._columns import columns_of
from gevaldi.exports.base import Export, Picture, Pictures

ROWS, BYTES = 1000, 16_000_000  # of pictures in memory; also of a group of rows, each of which makes the file's footer longer
TYPES = {int: "int64", float: "float32", str: "string", bool: "bool"}


def write_table(pictures: Pictures, about: Export, label: dict[str, Any]) -> Path:
    """Write data.parquet. `label` describes that column for `datasets`: text, or the index of a class."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = {name: place for place, name in enumerate(label["names"])} if "names" in label else None
    kinds = {name: TYPES[column.kind] for name, column in columns_of(about.spec.set_sizes).items()}
    kinds |= {"label": "int64"} if numbers else {}
    files: dict[str, dict[str, Any]] = {"image": {"_type": "Image"}}
    if about.rate:
        files["audio"] = {"sampling_rate": about.rate, "_type": "Audio"}
    features = files | {name: {"dtype": kind, "_type": "Value"} for name, kind in kinds.items()}
    stored = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [*((name, stored) for name in files), *((name, pa.type_for_alias(kind)) for name, kind in kinds.items())],
        metadata={"huggingface": json.dumps({"info": {"features": features | {"label": label}}})},
    )
    path = about.folder / "data.parquet"
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(pictures):
            rows = [
                {
                    "image": {"bytes": picture.png, "path": picture.name},
                    **({"audio": _audio(picture)} if about.rate else {}),
                    **picture.columns,
                    **({"label": numbers[picture.columns["label"]]} if numbers else {}),
                }
                for picture in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return path


def _audio(picture: Picture) -> dict[str, Any] | None:
    return {"bytes": picture.flac, "path": picture.name_of_sound} if picture.flac else None


def _groups(pictures: Pictures) -> Iterator[list[Picture]]:
    """The pictures in groups small enough for memory."""
    group: list[Picture] = []
    size = 0
    for picture in pictures:
        group.append(picture)
        size += len(picture.png) + len(picture.flac or b"")
        if len(group) == ROWS or size >= BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
