"""Values of options that are to allow something, or to forbid it, in every spelling that people write."""

import pickle
import random
from pathlib import Path

from hostile.case import CANARY, Case

SPELLINGS = (
    "no",
    "off",
    "FALSE",
    "False",
    '"false"',
    "0",
    "1",
    "yes",
    "on",
    "null",
    "None",
    "n",
    "[]",
    "[1]",
    "{}",
    "",
    "2",
    "nan",
)
SOURCES = (
    "torchvision:squeezenet1_0,weights={}",
    "timm:resnet18.a1_in1k,weights={}",
    "exported:{}",
    "torchscript:{}",
    "pruned:torchvision:squeezenet1_0,amount=0.5,weights={}",
)


class Bomb:
    """A pickle that writes the canary where it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str, bytes]]:
        return _write, (str(self.place), b"it ran")


def _write(place: str, content: bytes) -> None:
    Path(place).write_bytes(content)


def make(chance: random.Random, folder: Path) -> Case:
    name, source = chance.choice(("bomb.pt", "bomb.pth", "bomb.bin", "bomb.pt2", "bomb.ckpt")), chance.choice(SOURCES)
    (folder / name).write_bytes(pickle.dumps({"state_dict": Bomb(folder / CANARY)}))
    spelled = chance.choice(SPELLINGS)
    return Case(
        ("compare", f"{source.format(name)},pickle={spelled}", "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "-n", "1")
    )
