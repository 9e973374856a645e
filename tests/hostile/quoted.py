"""Model strings in which names and paths are quoted, half quoted, nested and doubled, in every place, with files of these names."""

import io
import random
from functools import cache
from pathlib import Path

import torch

from hostile._files import code, compared, squeezenet
from hostile.case import CANARY, Case
from hostile.names import NAMES

PIECES = (
    *('"', '""', '"""', ",", "=", "+", "(", ")", "[", "]", "{", "}", ":", " ", "\t", "\\", "'", "\u201c", "\u201d"),
    *(
        "weights=",
        "pickle=true",
        "python:evil.py:make",
        "folder:",
        "timm:",
        "a,b",
        "x",
        "key=",
        "\udcff",
        "\u202e",
        "(" * 2_000,
        '"' * 3_001,
    ),
)
TEMPLATES = (
    "torchvision:squeezenet1_1,weights={}",
    "torchvision:squeezenet1_1,weights={},labels={}",
    "torchvision:squeezenet1_1,weights=random,classes={}",
    "torchvision:{},weights=random",
    "timm:{}",
    "timm:local-dir:{}",
    "timm:resnet18,weights={}",
    "transformers:{}",
    "onnx:{},labels={}",
    "onnx:{},constants={{{}:0}}",
    "torchscript:{},pickle=false",
    "pruned:({}),amount=0.5",
    "pruned:torchvision:squeezenet1_1,weights={},amount=0.5",
    "ensemble:({})+({})",
    "ensemble:bundled:mnist-strided+{}",
    "surrogate:({})+(bundled:mnist-pooled)",
    "restricted:bundled:mnist-strided,classes={}",
    "calibrated:bundled:mnist-strided,pictures=(folder:{},classes={})",
    "quantised:bundled:mnist-strided,pictures=folder:{},pictures_size=28",
    "folder:{}",
    "folder:{},classes={}",
    "autoencoder:diffusers:{},pictures=folder:{}",
    "biggan:biggan-deep-128,weights={}",
    "diffusers:{},prompts={}",
    "{}",
)
SETTINGS = ("first_classes.{}={}", "second_classes.{}=1", "conditions={}", "generator={}", "title={}", "{}.{}=1", "{}")


def make(chance: random.Random, folder: Path) -> Case:
    (folder / "evil.py").write_text(code(folder))
    (folder / "untouched").mkdir()
    (folder / "untouched" / "x").write_text("of somebody else")
    names = [_name(chance) + chance.choice(("", ".pth")) for _ in range(2)]
    for name in names:
        _put(chance, folder, name)
    if chance.random() < 0.25:
        setting = chance.choice(SETTINGS).format(*(_quoted(chance, name) for name in names))
        return _case("compare", "bundled:mnist-strided", "bundled:none", "-g", "bundled:mnist-vae", "--set", setting)
    template = chance.choice(TEMPLATES[:1] if chance.random() < 0.2 else TEMPLATES)
    text = template.format(*(_quoted(chance, name) for name in names))
    return _case("doctor", text) if chance.random() < 0.5 else _case(*compared(text).words)


def _case(*words: str) -> Case:
    return Case(tuple(word.replace("\0", "") for word in words))  # no command line holds the byte zero


def _name(chance: random.Random) -> str:
    if chance.random() < 0.4:
        return chance.choice(NAMES)[:200]
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))


def _quoted(chance: random.Random, name: str) -> str:
    """A name in quotes as they should be, or nearly."""
    right = '"' + name.replace('"', '""') + '"'
    way = chance.random()
    if way < 0.6:
        return right
    at = chance.randrange(len(right) + 1)
    return chance.choice((f'"{name}"', right[:-1], right[1:], right[:at] + right[at + 1 :], f" {right} ", f'"{right}"', right * 2))


def _put(chance: random.Random, folder: Path, name: str) -> None:
    """Weights or a folder of that name, where a file system takes it."""
    bare = name.replace("\0", "").replace("/", "-")
    short = bare.encode(errors="replace").decode() == bare and len(bare.encode()) < 200
    path = folder / bare
    if not short or bare in ("", ".", "..", CANARY) or path.exists():
        return
    if chance.random() < 0.3:
        path.mkdir()
    else:
        path.write_bytes(_weights())


@cache
def _weights() -> bytes:
    sink = io.BytesIO()
    torch.save(squeezenet(), sink)
    return sink.getvalue()
