"""Costs of confusing classes with each other, as `--score cost:FILE` reads them, and what is no such table."""

import random
from pathlib import Path

from hostile._cells import HEADS, altered, written
from hostile._texts import damaged, no_file
from hostile.case import Case
from hostile.verdict_labels import TABLES, tables


def make(chance: random.Random, folder: Path) -> Case:
    (folder / "untouched").mkdir()
    tables(folder)
    path = folder / "untouched" / "costs.csv"
    names = [*("cat", "dog", "bird")]
    if chance.random() < 0.1:
        names[chance.randrange(3)] = chance.choice(HEADS)
    columns = {"truth": names} | {name: [chance.choice((0, 1, 0.5, 10)) * (name != own) for own in names] for name in names}
    content = written(chance, altered(chance, columns) if chance.random() < 0.8 else columns, "csv", folder)
    if chance.random() < 0.1:
        no_file(chance, path)
    else:
        path.write_bytes(damaged(chance, content) if chance.random() < 0.3 else content)
    margin = chance.choice(("0", "0", "0.5", "1%", "100%", "1e308", "nan", "-1"))
    return Case(("verdict", *TABLES, "--out", "v", "--score", "cost:untouched/costs.csv", "--margin", margin))
