"""Tables with odd values, columns and types, in every format in which people bring predictions, labels and pictures."""

import csv
import io
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hostile._files import Bomb
from hostile.case import CANARY
from hostile.names import NAMES

Columns = Mapping[str, Sequence[Any]]

TYPES = (
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
    pa.int8(),
    pa.uint64(),
    pa.float16(),
    pa.bool_(),
    pa.decimal128(38, 3),
    pa.timestamp("ns"),
    pa.duration("s"),
    pa.date32(),
    pa.list_(pa.string()),
    pa.list_(pa.float64()),
    pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    pa.map_(pa.string(), pa.int8()),
    pa.null(),
)
HEADS = (
    "id",
    "ID",
    "class",
    "label",
    "top1",
    "probability",
    "probabilities",
    "truth",
    "person",
    "",
    " ",
    "a,b",
    "\u202e",
    "x" * 9_000,
)


def odd_cell(chance: random.Random) -> Any:
    return chance.choice(
        (
            None,
            "",
            " ",
            "nan",
            "NULL",
            "None",
            True,
            -1,
            2,
            2.0,
            0.5,
            -0.0,
            1e308,
            float("nan"),
            float("inf"),
            2**62,
            "1" * 30,
            "9" * 5_000,
            "x" * 200_000,
            "=cmd|x",
            "'=1",
            "a\nb",
            'a"b',
            "a\rb\u2028c\x85d",
            "\u0663",
            "neither",
            "cannot tell",
            "../../etc/passwd",
            b"\xff\xfe",
            [],
            [0.5, 0.5],
            ["cat", None],
            {"bytes": b"x", "path": "/etc/passwd"},
            {"a": 1},
            chance.choice(NAMES).replace("\0", ""),
        )
    )


def altered(chance: random.Random, columns: Columns) -> dict[str, list[Any]]:
    """Columns with other cells, names, lengths, or without rows."""
    found = {name: [*values] for name, values in columns.items()}
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        name = chance.choice([*found])
        values, way = found[name], chance.random()
        if way < 0.1 and len(found) > 1:
            del found[name]
        elif way < 0.25:
            found = {chance.choice(HEADS) if key == name else key: values for key, values in found.items()}
        elif way < 0.3:
            count = chance.choice((0, 1))
            found = {key: values[:count] for key, values in found.items()}
        elif way < 0.35:
            found = {key: values + values for key, values in found.items()}
        elif way < 0.45:
            found[name] = [odd_cell(chance)] * len(values)
        elif way < 0.5:
            found[chance.choice(HEADS)] = [odd_cell(chance) for _ in values]
        else:
            found[name] = [odd_cell(chance) if chance.random() < 0.3 else value for value in values]
    return found


def written(chance: random.Random, columns: Columns, suffix: str, folder: Path) -> bytes:
    """The bytes of a file with these columns; a Parquet or NumPy file may have columns of other types."""
    ways = {"parquet": _parquet, "npz": _arrays, "jsonl": _lines}
    return (
        ways[suffix](chance, columns, folder) if suffix in ways else _separated(chance, columns, "\t" if suffix == "tsv" else ",")
    )


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _separated(chance: random.Random, columns: Columns, separator: str) -> bytes:
    text = io.StringIO()
    mark = separator if chance.random() < 0.9 else chance.choice((";", "|"))
    writer = csv.writer(text, delimiter=mark, lineterminator=chance.choice(("\n", "\n", "\r\n")))
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([*row, *(["more"] if chance.random() < 0.001 else [])])
    return text.getvalue().encode(errors="replace")


def _lines(chance: random.Random, columns: Columns, folder: Path) -> bytes:
    lines = [json.dumps(row, default=str) for row in rows_of(columns)]
    for _ in range(chance.choice((0, 0, 1))):
        line = chance.choice(
            ("", "null", "3", "[]", "{}", '{"id": {"id": 1}}', "[" * 5_000, '{"id": ' + "9" * 5_000 + "}", "\ufeff{}")
        )
        lines.insert(chance.randrange(len(lines) + 1), line)
    return "\n".join(lines).encode(errors="replace")


def array_of(chance: random.Random, values: Sequence[Any]) -> pa.Array:
    """Values as Arrow takes them, else as text; now and then of another type."""
    try:
        found = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        found = pa.array([None if value is None else str(value).encode(errors="replace").decode() for value in values], pa.string())
    if chance.random() < 0.15:
        kind = chance.choice(TYPES)
        try:
            found = found.cast(kind)
        except (pa.ArrowException, ValueError):
            found = pa.nulls(len(values), kind) if chance.random() < 0.3 else found
    return found


def parquet_of(table: pa.Table, chance: random.Random) -> bytes:
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(
            table, sink, row_group_size=chance.choice((1, 7, 1_000)), compression=chance.choice(("zstd", "snappy", "none"))
        )
    except pa.ArrowException:  # a type that Parquet does not have
        pq.write_table(pa.table({name: pa.array(map(str, table[name].to_pylist())) for name in table.column_names}), sink)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _parquet(chance: random.Random, columns: Columns, folder: Path) -> bytes:
    names = [*columns]
    if chance.random() < 0.05:
        names[-1] = names[0]  # two columns of one name
    return parquet_of(pa.Table.from_arrays([array_of(chance, values) for values in columns.values()], names), chance)


def _arrays(chance: random.Random, columns: Columns, folder: Path) -> bytes:
    arrays = {
        ("ids" if name == "id" else "classes" if name == "class" else name): _array(values) for name, values in columns.items()
    }
    for _ in range(chance.choice((0, 0, 1, 2))):
        name = chance.choice([*arrays])
        own = arrays[name]
        arrays[name] = chance.choice(
            (
                np.array(0),
                np.zeros((3, 3)),
                own[..., None],
                own.reshape(-1)[:1],
                np.array([Bomb(folder / CANARY)] * 3, object),
                np.array([(1, "a")], [("a", "i4"), ("b", "U3")]),
                np.arange(own.size).astype("M8[s]"),
                np.arange(own.size).astype(">i2"),
                np.full(own.size, 1j),
                np.array([b"\xff"] * own.size),
                np.zeros((own.size, 0)),
                np.zeros((own.size, 3), np.float16),
                np.full((own.size, 3), np.nan),
            )
        )
    sink = io.BytesIO()
    chance.choice((np.savez, np.savez_compressed))(
        sink, **{name.replace("/", "_")[:99] or "x": own for name, own in arrays.items()}
    )
    return sink.getvalue()


def _array(values: Sequence[Any]) -> np.ndarray:
    try:
        return np.array(values)
    except ValueError:
        return np.array([str(value) for value in values])
