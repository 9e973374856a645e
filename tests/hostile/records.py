"""`run.json` with something else in one or several places, with and without parts that were made to fit it."""

import json
import random
from pathlib import Path
from typing import Any

from hostile import seeds
from hostile.case import Case


def make(chance: random.Random, folder: Path) -> Case:
    run = seeds.copied(folder / "run")
    path = run / "run.json"
    if chance.random() < 0.2:
        path.write_bytes(damaged(chance, path.read_bytes()))
    else:
        record = json.loads(path.read_text(encoding="utf-8"))
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            record = changed(chance, record)
        path.write_bytes(json.dumps(record).encode(errors="surrogatepass"))
    if chance.random() < 0.6:
        seeds.adopted(run)
    return Case(chance.choice(seeds.READINGS))


def damaged(chance: random.Random, content: bytes) -> bytes:
    """The bytes of a file with some cut off, doubled, turned or put in between."""
    place = chance.randrange(len(content))
    return chance.choice(
        (
            content[:place],
            b"",
            content + content,
            content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :],
            content[:place] + chance.randbytes(8) + content[place:],
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b'{"format": ' + b"9" * 5_000 + b"}",
            b"\xff\xfe" + content.decode("latin-1").encode("utf-16-le"),
            b"\xef\xbb\xbf" + content,
        )
    )


def changed(chance: random.Random, record: Any) -> Any:
    """One place of a document, anywhere, taken away, named otherwise, or filled with another value, also with one of its own."""
    if not isinstance(record, dict | list) or not record or chance.random() < 0.04:
        return seeds.nonsense(chance)
    key = chance.choice(list(record)) if isinstance(record, dict) else chance.randrange(len(record))
    kind = chance.random()
    if isinstance(record, dict) and kind < 0.1:
        del record[key]
    elif isinstance(record, dict) and kind < 0.15:
        record[str(key) + "x"] = record.pop(key)
    elif kind < 0.2:
        record[key] = chance.choice(list(record.values()) if isinstance(record, dict) else record)
    elif isinstance(record[key], int | float) and kind < 0.5:
        record[key] += chance.choice((1, -1, 7, 1000))
    else:
        record[key] = changed(chance, record[key])
    return record
