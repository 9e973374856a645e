"""Exported programs with pickles or expressions that run code, where nobody allowed it; and damaged ones, where somebody did."""

import io
import random
import zipfile
from pathlib import Path

import torch

from hostile._files import Bomb, compared, damaged, pickled, program
from hostile.case import CANARY, Case


def make(chance: random.Random, folder: Path) -> Case:
    path = folder / "net.pt2"
    if chance.random() < 0.3:
        path.write_bytes(damaged(program(), chance))
        return compared("exported:net.pt2,pickle=true")
    path.write_bytes(hostile_program(chance, folder / CANARY))
    if chance.random() < 0.2:
        path.write_bytes(damaged(path.read_bytes(), chance))
    spelled = chance.choice(("", ",pickle=false", ",pickle=no", ",pickle=0", ',pickle="true"', ",pickle=yes", ",pickle={}"))
    wrap = chance.choice(("{}", "pruned:{},amount=0.5", "surrogate:({})+(bundled:mnist-pooled)", "quantised:{}"))
    return compared(wrap.format(f"exported:net.pt2{spelled}"))


def hostile_program(chance: random.Random, canary: Path) -> bytes:
    """A pickle alone, or an archive of which one member holds one, or an expression that is evaluated."""
    bomb = Bomb(canary)
    if chance.random() < 0.2:
        return pickled(bomb, chance.randint(0, 5))
    saved = io.BytesIO()
    torch.save({"x": bomb}, saved)
    sink, expression = io.BytesIO(), f"__import__('pathlib').Path({str(canary)!r}).write_text('it ran')"
    with zipfile.ZipFile(io.BytesIO(program())) as whole, zipfile.ZipFile(sink, "w") as archive:
        names = whole.namelist()
        chosen = chance.choice(names)
        for name in names:
            content = whole.read(name)
            if name == chosen or chance.random() < 0.3:
                content = chance.choice((saved.getvalue(), pickled(bomb, 2), content.replace(b"28", expression.encode())))
            archive.writestr(name, content)
    return sink.getvalue()
