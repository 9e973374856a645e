"""Files that say what labels are: mappings for first_classes, classes of restricted networks, and labels of a network's file."""

import io
import random
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from hostile._texts import FRAGMENTS, as_json, as_yaml, damaged, nested, no_file, odd
from hostile.case import Case
from hostile.seeds import copied

DIGITS = [str(i) for i in range(10)]


def make(chance: random.Random, folder: Path) -> Case:
    suffix = chance.choice(("csv", "csv", "json", "yaml", "txt"))
    path = folder / f"labels.{suffix}"
    way = chance.choice(("lines", "lines", "mapping", "odd", "fragment", "damaged", "no file"))
    text = {
        "odd": lambda: chance.choice((as_json, as_yaml))(odd(chance)),
        "fragment": lambda: chance.choice((*(fragment(chance) for fragment in FRAGMENTS), nested(50_000), "9" * 5_000)),
        "mapping": lambda: chance.choice((as_json, as_yaml))(mapping(chance)),
    }.get(way, lambda: lines(chance))()
    if way == "no file":
        no_file(chance, path)
    else:
        content = text.encode(errors="replace")
        path.write_bytes(damaged(chance, content) if way == "damaged" else content)
    (folder / "net.pt").write_bytes(network())
    words = command(chance, path.name)
    if words[0] == "export":
        copied(folder / "run")
    return Case(words)


@cache
def network() -> bytes:
    """A TorchScript file with ten classes."""
    import torch

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that TorchScript is no longer developed
        torch.jit.save(torch.jit.script(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))), file)
    return file.getvalue()


def command(chance: random.Random, name: str) -> tuple[str, ...]:
    tail = ("-n", "1", "--steps", "1", "--set", "audited=1", "--no-report", "--out", "out", "--device", "cpu")
    strided, pooled = "bundled:mnist-strided", "bundled:mnist-pooled"
    generator = ("-g", "bundled:mnist-vae" if chance.random() < 0.03 else "bundled:none")
    return chance.choice(
        (
            ("compare", strided, pooled, *generator, "--set", f"first_classes={name}", *tail),
            ("compare", strided, pooled, *generator, "--set", f"second_classes={name}", "--set", "first_classes.1=2", *tail),
            ("compare", f"restricted:{strided},classes={name}", pooled, *generator, *tail),
            ("compare", f"torchscript:net.pt,pickle=true,labels={name}", pooled, *generator, *tail),
            ("compare", f"torchvision:squeezenet1_1,weights=random,labels={name}", pooled, *generator, *tail),
            ("compare", strided, pooled, *generator, "--condition", name, *tail),
            ("export", "run", "--to", "parquet", "--label", name),
        )
    )


def lines(chance: random.Random) -> str:
    count = chance.choice((1, 10, 10, 1_000, 100_000))
    line = chance.choice(
        ("{}", "{},{}", "{}\t{}", "n{:08d}\tx", "{},{},{}", "index,label", '"{}', '"{}","{}"', "=cmd|{}", "\u2028{}", " ")
    )
    text = "\n".join(line.format(i % 10 if count == 10 else i, i, i) for i in range(count))
    return chance.choice(("", "", "index,label\n", "label,index,stage\n")) + text + chance.choice(("", "\n", "\r\n", "x" * 200_000))


def mapping(chance: random.Random) -> dict[Any, Any]:
    keys = chance.sample([*DIGITS, "zero", "", "nowhere", "10", "9" * 5_000, "-1", "\u0661", "1.0"], chance.choice((1, 3, 10)))
    return {key: chance.choice((*DIGITS, None, "", "made up", odd(chance))) for key in keys}
