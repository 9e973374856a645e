"""Pictures with a list of their classes: lists of every form and of none, and folders in layouts that contradict them."""

import io
import json
import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from hostile._texts import as_json, damaged, no_file, odd
from hostile.case import Case
from hostile.names import NAMES

ENDINGS = ("csv", "csv", "tsv", "txt", "json", "yaml", "CSV", "xlsx", "png", "")
HEADS = (
    "file,label",
    "image,class",
    "ImageId,PredictionString",
    ",file,class",
    "file,cat,dog",
    "label",
    "file,label,label",
    "=1,@x",
    "",
)
LAYOUTS = (
    "x{i}.png",
    "{i}/x{i}.png",
    "{i}/images/x.png",
    "train/{i}/x.png",
    "n0144353{i}_x.png",
    "images/x{i}.png",
    "{name}/{i}.png",
)
CLASSES = ("names", "none", "folders", "FOLDERS", "", "[]", "3", "null", "true", "..", "/dev/zero", "~nobody/x", '"a,b"')


def make(chance: random.Random, folder: Path) -> Case:
    root = folder / "pictures"
    files = [_put(root, chance.choice(LAYOUTS), i, chance) for i in range(chance.choice((1, 3, 10)))]
    name = f"list.{chance.choice(ENDINGS)}".rstrip(".")
    place = chance.choice((root, folder)) / name
    if chance.random() < 0.1:
        no_file(chance, place)
    else:
        content = _text(chance, files).encode(errors="replace")
        place.write_bytes(damaged(chance, content) if chance.random() < 0.2 else content)
    classes = chance.choice((name, name, name, str(place), f'"{name}"', chance.choice(CLASSES)))
    source = f"folder:pictures,classes={classes}".replace("\0", "")
    tail = ("--set", "audited=1", "-n", "1", "--steps", "1", "--no-report", "--out", "out", "--device", "cpu")
    compared = ("compare", "bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "--real", source, *tail)
    return Case(compared if chance.random() < 0.1 else ("doctor", source))


def _put(root: Path, layout: str, number: int, chance: random.Random) -> str:
    """A picture, and its path below the root."""
    name = chance.choice(NAMES).replace("/", "-").replace("\0", "").encode(errors="replace")[:60].decode(errors="ignore")
    path = root / layout.format(i=number, name=name if name.strip(".") else "x")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_picture())
    if chance.random() < 0.05:
        os.symlink(chance.choice((str(root), "/", "nowhere")), path.with_name(f"link{number}"))
    return path.relative_to(root).as_posix()


@cache
def _picture() -> bytes:
    sink = io.BytesIO()
    Image.new("L", (28, 28), 128).save(sink, "PNG")
    return sink.getvalue()


def _text(chance: random.Random, files: list[str]) -> str:
    names = [
        *files,
        *(Path(file).name for file in files),
        *(Path(file).stem for file in files),
        "../x.png",
        "/etc/passwd",
        "C:\\x.png",
    ]

    def lines(separator: str) -> str:
        count = chance.choice((0, 1, len(files), 100_000))
        rows = [f"{names[i % len(names)]}{separator}{chance.choice(('3', '0', 'cat', *NAMES[:40]))}" for i in range(count)]
        return "\n".join([chance.choice(HEADS).replace(",", separator), *rows])

    ways: tuple[Callable[[], str], ...] = (
        lambda: lines(","),
        lambda: lines(","),
        lambda: lines(chance.choice(("\t", ";", " ", "|", "\0", '","'))),
        lambda: json.dumps({name: _odd_class(chance) for name in names}),
        lambda: json.dumps([[name, _odd_class(chance)] for name in names], default=str),
        lambda: as_json(odd(chance)),
        lambda: '"' * chance.choice((1, 3, 200_001)),
        lambda: "file,label\n" + "x" * 300_000 + ",cat",
        lambda: ",".join(["file"] * 20_000) + "\n" + ",".join(files * 2_000),
        lambda: "\n".join(f"{files[0]},{i}" for i in range(50)),  # that contradict each other
    )
    return chance.choice(ways)()


def _odd_class(chance: random.Random) -> Any:
    return chance.choice(("3", 3, True, None, 1.5, [], {}, ["cat"], "", "\u202ex", "9" * 5_000, 10**400))
