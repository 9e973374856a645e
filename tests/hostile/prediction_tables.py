"""Two tables of predictions, of which one or both are other than they should be, in every format that is read."""

import random
from pathlib import Path

from hostile._cells import altered, written
from hostile._texts import damaged, no_file
from hostile.case import Case
from hostile.names import NAMES

ENDINGS = (*2 * ("csv", "tsv", "jsonl", "parquet", "npz"), *2 * ("csv", "jsonl", "parquet", "npz"), "txt", "pq", "xlsx", "")
FORMS = ("classes", "confidences", "ranked", "columns", "lists", "numbers")
CLASSES = ("cat", "dog", "bird", "fish")
OPTIONS = (
    "id=id",
    "id=class",
    "class=class",
    "class=nowhere",
    'id=""',
    "partial=true",
    "name=a b",
    "classes=imagenet",
    "classes=[cat,dog]",
)
OPTIONS += ("classes=[cat,dog,bird,fish]", "classes=nowhere.txt", "classes=3", "classes=/dev/zero", "classes=[]", "shape=3")


def make(chance: random.Random, folder: Path) -> Case:
    (folder / "untouched").mkdir()
    count = chance.choice((1, 3, 30, 30, 300))
    ids = [chance.choice(NAMES).replace("\0", "") + str(i) if chance.random() < 0.05 else f"p{i}.png" for i in range(count)]
    forms = [chance.choice(FORMS)] * 2 if chance.random() < 0.9 else [chance.choice(FORMS), chance.choice(FORMS)]
    names = [
        _table(chance, folder, f"untouched/{which}", _columns(chance, ids, form))
        for which, form in zip(("first", "second"), forms, strict=True)
    ]
    words = [f"table:{name}" + (f",{chance.choice(OPTIONS)}" if chance.random() < 0.2 else "") for name in names]
    tail = chance.choice(
        ((), (), ("--score", "top-2"), ("--score", "class:cat"), ("--where", "p1*"), ("--budget", "3"), ("--markdown", "m"))
    )
    return Case(("verdict", *words, "--out", "v", "--queue", "5", *tail))


def _table(chance: random.Random, folder: Path, stem: str, columns: dict[str, list[object]]) -> str:
    """Write a table and return its name."""
    ending = chance.choice(ENDINGS)
    path = folder / f"{stem}.{ending}".rstrip(".")
    content = written(
        chance, altered(chance, columns) if chance.random() < 0.4 else columns, "parquet" if ending == "pq" else ending, folder
    )
    if chance.random() < 0.04:
        no_file(chance, path)
    else:
        path.write_bytes(damaged(chance, content) if chance.random() < 0.08 else content)
    return str(path.relative_to(folder))


def _columns(chance: random.Random, ids: list[str], form: str) -> dict[str, list[object]]:
    answers: list[object] = [chance.choice(CLASSES) for _ in ids]
    seconds: list[object] = [chance.choice(CLASSES) for _ in ids]
    p = [chance.sample((0.1, 0.2, 0.3, 0.4), 4) for _ in ids]
    forms: dict[str, dict[str, list[object]]] = {
        "classes": {"class": answers},
        "confidences": {"class": answers, "probability": [chance.random() for _ in ids]},
        "ranked": {"top1": answers, "top2": seconds, "top1_probability": [0.5 for _ in ids]},
        "columns": {name: [row[k] for row in p] for k, name in enumerate(CLASSES)},
        "lists": {"probabilities": [*p]},
        "numbers": {"class": [chance.randrange(4) for _ in ids]},
    }
    return {"id": [*ids]} | forms[form]
