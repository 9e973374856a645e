"""Which columns of a table of pictures hold the pictures, their classes and their ids."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gevaldi.errors import DataError
from gevaldi.names import plain

IMAGES = ("image", "img", "picture", "jpg", "png", "webp")
LABELS = ("label", "labels", "class", "fine_label", "cls", "target")
IDS = ("id", "image_id", "key", "__key__", "file_name", "filename", "path")


@dataclass(frozen=True)
class Columns:
    """The columns of pictures, classes and ids; None where there are none."""

    image: str
    label: str | None
    id: str | None


def columns_of(schema: pa.Schema, image: str, label: str, where: str) -> Columns:
    """The columns of a table of pictures, by what the user says or else by type and usual names.

    Raises:
        DataError: there is no such column, or none holds pictures; the message has those that there are.
    """
    holds = f"It holds the columns {', '.join(plain(name) for name in schema.names[:12])}."
    for option, name in (("image", image), ("label", label)):
        if name and name not in schema.names:
            raise DataError(f"{where} has no column {plain(name)!r}, which {option}= names. {holds}")
    pictures = [name for name in schema.names if _is_picture(schema.field(name).type)]
    chosen = image or _first(IMAGES, pictures) or (pictures[0] if len(pictures) == 1 else None)
    if chosen is None:
        raise DataError(f"It is not apparent which column of {where} holds pictures (PNG, JPEG, ...). Say image=COLUMN. {holds}")
    if chosen not in pictures:
        raise DataError(
            f"The column {plain(chosen)!r} of {where} is of type {schema.field(chosen).type}; encoded pictures were expected."
        )
    return Columns(chosen, label or _first(LABELS, schema.names), _first(IDS, schema.names))


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for name in names if name in known), None)


def _is_picture(kind: pa.DataType) -> bool:
    """Whether a type is bytes, or the struct of bytes and path in which `datasets` stores a picture."""
    if pa.types.is_struct(kind):
        return "bytes" in [field.name for field in kind]
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def class_names(schema: pa.Schema, column: str | None) -> Sequence[str]:
    """The names of the classes of a column of numbers, as `datasets` stores them in the schema; empty if there are none."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return list(map(str, features[column]["names"]))
    except (KeyError, RecursionError, TypeError, ValueError):
        return []


def classes_in(column: pa.ChunkedArray | None, names: Sequence[str], count: int) -> list[str | None]:
    """The name of each row's class: of a number its name where there are names; None for null and for -1."""
    if column is None:
        return [None] * count
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    table = [_class(value, names) for value in encoded.dictionary.to_pylist()] + [None]
    return [table[i] for i in pc.fill_null(encoded.indices, len(table) - 1).to_pylist()]


def _class(value: Any, names: Sequence[str]) -> str | None:
    if value is None or (isinstance(value, int) and value < 0):
        return None
    return names[value] if isinstance(value, int) and value < len(names) else str(value)


def unique_ids(column: pa.ChunkedArray | None) -> list[str] | None:
    """Ids as text, if each row has one of its own."""
    kinds = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    if column is None or not any(kind(column.type) for kind in kinds):
        return None
    if column.null_count or pc.count_distinct(column).as_py() < len(column):
        return None
    return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]


def bytes_of(cell: Any, name: str) -> bytes:
    """The bytes of a picture in a cell.

    Raises:
        DataError: the cell has none.
    """
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(content, bytes):
        raise DataError(f"{name} cannot be read as a picture: its cell has no bytes. Store the pictures in the table.")
    return content
