"""Labels that people bring to a verdict, in every form that is read, and other things under the names of such."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from gevaldi.verdicts.answers import SCHEMA
from hostile._cells import altered, odd_cell, rows_of, written
from hostile._texts import FRAGMENTS, as_json, damaged, nested, no_file, odd
from hostile.case import Case

ENDINGS = (
    "csv",
    "csv",
    "tsv",
    "json",
    "json",
    "jsonl",
    "parquet",
    "parquet",
    "sqlite",
    "sqlite",
    "folder",
    "verdict",
    "txt",
    "CSV",
)
CLASSES = ("cat", "dog", "bird", "neither", "Cannot tell", "horse", "")


def make(chance: random.Random, folder: Path) -> Case:
    (folder / "untouched").mkdir()
    tables(folder)
    ending = chance.choice(ENDINGS)
    path = folder / "untouched" / (f"labels.{ending}" if ending not in ("folder", "verdict") else "labels")
    if chance.random() < 0.04:
        no_file(chance, path)
    elif ending == "folder":
        _folder(chance, path)
    elif ending in ("sqlite", "verdict"):
        (path if ending == "verdict" else path.parent).mkdir(exist_ok=True)
        _answers(chance, path / "answers.sqlite" if ending == "verdict" else path)
    else:
        content = _content(chance, ending, folder)
        path.write_bytes(damaged(chance, content) if chance.random() < 0.15 else content)
    again = ("--labels", f"untouched/{path.name}") if chance.random() < 0.1 else ()
    return Case(("verdict", *TABLES, "--out", "v", "--labels", f"untouched/{path.name}", *again), makes=("first.csv",))


TABLES = ("table:first.csv", "table:second.csv")


def tables(folder: Path) -> None:
    """Write two tables that differ on a third of their 30 pictures."""
    for name, classes in (("first", ("cat", "dog", "bird")), ("second", ("cat", "dog", "dog"))):
        rows = "".join(f"a/p{i}.png,{classes[i % 3]}\n" for i in range(30))
        (folder / f"{name}.csv").write_text(f"id,class\n{rows}")


def _content(chance: random.Random, ending: str, folder: Path) -> bytes:
    columns = {"picture": [f"a/p{i}.png" for i in range(30)], "class": [chance.choice(CLASSES) for _ in range(30)]}
    if chance.random() < 0.3:
        columns["person"] = [chance.choice(("anna", "ben", "")) for _ in range(30)]
    changed = altered(chance, columns) if chance.random() < 0.7 else columns
    if ending != "json":
        return written(chance, changed, ending.lower(), folder)
    way = chance.choice(("mapping", "rows", "studio", "studio", "odd", "fragment"))
    values: Any = {
        "mapping": lambda: {str(picture): answer for picture, answer in zip(*[*changed.values(), [0] * 60][:2], strict=False)},
        "rows": lambda: rows_of(changed),
        "studio": lambda: [_task(chance, i) for i in range(12)],
        "odd": lambda: odd(chance),
        "fragment": lambda: 0,
    }[way]()
    if way == "fragment":
        return chance.choice((*(one(chance) for one in FRAGMENTS[:6]), nested(50_000), "9" * 5_000, '{"a":' * 5_000)).encode()
    return as_json(values).encode(errors="replace")


def _task(chance: random.Random, number: int) -> Any:
    """A task of Label Studio, often with something else in one place."""
    task: dict[str, Any] = {
        "data": {"picture": f"/data/upload/1/0123abcd-p{number}.png"},
        "annotations": [
            {"completed_by": 7, "created_at": "2026-01-01", "result": [{"value": {"choices": [chance.choice(CLASSES[:3])]}}]}
        ],
    }
    if chance.random() < 0.4:
        at: Any = task
        for _ in range(chance.choice((1, 2, 3, 4, 5))):
            key = chance.choice([*at]) if isinstance(at, dict) and at else 0 if isinstance(at, list) and at else None
            if key is None or not isinstance(at[key], dict | list) or chance.random() < 0.3:
                break
            at = at[key]
        if isinstance(at, dict) and at:
            at[chance.choice([*at])] = odd(chance)
        elif isinstance(at, list) and at:
            at[0] = odd(chance)
    return task


def _folder(chance: random.Random, path: Path) -> None:
    for i in range(30):
        place = chance.choice((f"{chance.choice(CLASSES)}/p{i}.png", f"cat/a/p{i}.png", f"dog/p{i}.txt"))
        if chance.random() < 0.02:
            place = chance.choice((f"p{i}.png", f"cat/{odd(chance)}/x.png"[:90], "\udcff/x.png"))
        own = path / place.lstrip("/").replace("\0", "")
        try:
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_bytes(b"")
        except (OSError, ValueError):
            continue


def _answers(chance: random.Random, path: Path) -> None:
    """The answers of another verdict, damaged, of another schema, or with values that a verdict does not write."""
    schema = SCHEMA if chance.random() < 0.8 else chance.choice(("CREATE TABLE answers (number)", "CREATE TABLE x (y)"))
    with closing(sqlite3.connect(path)) as connection, connection:
        if chance.random() < 0.5:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(schema.replace(" NOT NULL", ""))
        for i in range(20 if schema == SCHEMA else 0):
            row: list[Any] = [f"a/p{i}.png", chance.choice(CLASSES), "anna", "2026-01-01", "file", json.dumps([])]
            if chance.random() < 0.1:
                cell = odd_cell(chance)
                row[chance.randrange(6)] = cell if isinstance(cell, str | bytes | int | float | None) else nested(9_000)
            connection.execute("INSERT INTO answers (picture, answer, person, time, source, named) VALUES (?, ?, ?, ?, ?, ?)", row)
    if chance.random() < 0.3:
        path.write_bytes(damaged(chance, path.read_bytes()))
