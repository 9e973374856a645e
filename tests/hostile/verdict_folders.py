"""Folders of verdicts with their predictions: record, queue, answers and stored parts that are damaged or other than they are."""

import hashlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hostile import seeds
from hostile._cells import odd_cell
from hostile._texts import damaged, no_file
from hostile.case import Case
from hostile.records import changed
from hostile.rows import altered

MORE = (
    (),
    (),
    ("--margin", "1%"),
    ("--seed", "1"),
    ("--require", "better"),
    ("--no-truth",),
    ("--score", "top-2"),
    ("--json", "j"),
)


def make(chance: random.Random, folder: Path) -> Case:
    for name in ("v", "predictions", "pictures"):
        shutil.copytree(seeds.verdict() / name, folder / name)
    way = chance.choice(("record", "record", "queue", "queue", "answers", "part", "part", "entry", "pools", "report"))
    target = {
        "queue": folder / "v/queue.csv",
        "answers": folder / "v/answers.sqlite",
        "part": chance.choice(sorted(folder.glob("predictions/*/part-*.parquet"))),
        "entry": chance.choice(sorted(folder.glob("predictions/*/record.json"))),
        "pools": next(folder.glob("predictions/pools/*.json")),
    }.get(way, folder / "v/verdict.json")
    how = chance.random()
    if how < 0.1:
        target.unlink()
        no_file(chance, target)
    elif how < 0.3:
        target.write_bytes(damaged(chance, target.read_bytes()))
    else:
        _change(chance, target)
    if way == "report":
        shutil.copytree(seeds.run(), folder / "run")
        (folder / "v").rename(folder / "run/verdict")
        return Case(("report", "run"))
    return Case((*seeds.VERDICT, "--seed", "0", *chance.choice(MORE)))


def _change(chance: random.Random, path: Path) -> None:
    """Change values of a file so that it stays of its format."""
    if path.suffix == ".json":
        record = json.loads(path.read_text())
        for _ in range(chance.choice((1, 1, 2, 5))):
            record = changed(chance, record)
        path.write_bytes(json.dumps(record).encode(errors="surrogatepass"))
    elif path.suffix == ".parquet":
        _rewrite(chance, path)
    elif path.suffix == ".csv":
        lines = path.read_text().splitlines()
        for _ in range(chance.choice((1, 3))):
            at = chance.randrange(len(lines))
            lines[at] = chance.choice((lines[at].replace(",,", f",{odd_cell(chance)},"), str(odd_cell(chance)), '"', lines[0]))
        path.write_bytes("\n".join(lines).encode(errors="replace"))
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            value = odd_cell(chance)
            known = isinstance(value, str | bytes | int | float)
            if chance.random() < 0.1:
                connection.execute("DROP TABLE answers")
            else:
                column = chance.choice(("answer", "picture", "named", "time"))
                connection.execute(f"UPDATE answers SET {column} = ?", (value if known else str(value),))


def _rewrite(chance: random.Random, part: Path) -> None:
    table = pq.read_table(part)
    if chance.random() < 0.9:  # types that are not of a fixed size, so that values may be of any
        lists = {"top": pa.list_(pa.int32()), "probability": pa.list_(pa.float32()), "sha256": pa.binary()}
        fields = [(field.name, lists.get(field.name, field.type)) for field in table.schema]
        table = altered(chance, table.cast(pa.schema(fields)))
    else:
        table = table.slice(0, chance.choice((0, 1, 10)))
    pq.write_table(table, part)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()[:32]
    first, last = part.stem.split("-")[1:3]
    if chance.random() < 0.1:
        last = chance.choice(("000000000", "000000099", "9" * 30))
    part.rename(part.with_name(f"part-{first}-{last}-{digest}.parquet"))
