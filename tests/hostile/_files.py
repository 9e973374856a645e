"""Whole files of models, which kinds of input damage, and code that writes the canary where it is run."""

import io
import pickle
import random
import warnings
from functools import cache
from pathlib import Path

import diffusers.models.autoencoders
import diffusers.pipelines.consistency_models
import onnx
import onnx2pytorch
import onnxruntime
import timm
import torch
import torch.export.pt2_archive
import torchvision
import transformers.models.auto
from torch import nn

from hostile.case import CANARY, Case

PACKAGES = (diffusers, onnx, onnx2pytorch, onnxruntime, timm, torchvision, transformers)  # imported once, and not in every child


class Bomb:
    """A pickle that writes the canary where it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str, bytes]]:
        return _write, (str(self.place), b"it ran")


def _write(place: str, content: bytes) -> None:
    Path(place).write_bytes(content)


def code(folder: Path) -> str:
    """A Python file that writes the canary where it is imported, and then is what any name may be looked for in."""
    return f"open({str(folder / CANARY)!r}, 'w').write('it ran')\ndef __getattr__(name):\n    return type(name, (), {{}})\n"


def compared(first: str, generator: str = "bundled:mnist-vae") -> Case:
    """The shortest comparison with a classifier."""
    words = ("compare", first, "bundled:mnist-pooled", "-g", generator, "-n", "1", "--steps", "1", "--orders", "forward")
    return Case(words)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut, with some other bytes, with a piece taken out, doubled or put in, or whole."""
    way, place = chance.randrange(6), chance.randrange(len(content))
    if way == 0:
        return content[:place]
    if way == 1:
        return content[:place] + content[place + chance.randint(1, 64) :]
    if way == 2:
        return content[:place] + chance.randbytes(chance.randint(1, 64)) + content[place:]
    if way == 3:
        return content[:place] + content[place:] * 2
    if way == 4:
        return content
    changed = bytearray(content)
    head = chance.choice((40, 400, len(content)))
    for _ in range(chance.choice((1, 3, 30))):
        changed[chance.randrange(min(head, len(content)))] = chance.choice((0, 255, 127, chance.randrange(256)))
    return bytes(changed)


def net() -> nn.Sequential:
    """A network of digits."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval().requires_grad_(False)


@cache
def script() -> bytes:
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(net()), sink)
    return sink.getvalue()


@cache
def program() -> bytes:
    sink = io.BytesIO()
    torch.export.save(torch.export.export(net(), (torch.rand(2, 1, 28, 28),)), sink)
    return sink.getvalue()


@cache
def squeezenet() -> dict[str, torch.Tensor]:
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    return dict(squeezenet1_1(weights=None).state_dict())


def pickled(value: object, protocol: int) -> bytes:
    return pickle.dumps(value, protocol=protocol)
