"""TorchScript archives that write files where nobody allowed them to run, and damaged ones where somebody did."""

import random
import textwrap
import warnings
import zipfile
from pathlib import Path

import torch

from hostile._files import compared, damaged, script
from hostile.case import CANARY, Case

WRITES = """
class Writes(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.ones(1)

    def forward(self, x):
        return x.flatten(1)[:, :10] * self.scale + 0 * {forward}

    @torch.jit.export
    def __getstate__(self):
        return (self.scale, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[torch.Tensor, bool]):
        self.scale = state[0] + 0 * {state}
        self.training = state[1]
"""
WRITE = "torch.from_file({place!r}, True, 4, dtype=torch.uint8).fill_(7).sum()"  # of which torch would not run what is not used


def make(chance: random.Random, folder: Path) -> Case:
    name = chance.choice(("net.pt", "net.pth", "net.ts", "net.jit", "net.torchscript"))
    path = folder / name
    if chance.random() < 0.3:  # of an archive that is allowed to run nothing runs that was not in it
        path.write_bytes(damaged(script(), chance))
        return compared(f"torchscript:{name},pickle=true,size=28")
    precious = folder / "untouched" / "precious"
    precious.parent.mkdir()
    precious.write_bytes(b"precious")
    hostile_archive(chance, path, str(chance.choice((folder / CANARY, precious))))
    if chance.random() < 0.2:
        path.write_bytes(damaged(path.read_bytes(), chance))
    spelled = chance.choice(("", ",pickle=false", ",pickle=no", ",pickle=1", ",pickle=[true]", ",pickle=TRUE", ",gradients=true"))
    source = chance.choice(
        (
            f"torchscript:{name}{spelled}",
            f"half:torchscript:{name}{spelled}",
            f"ensemble:bundled:mnist-pooled+(torchscript:{name}{spelled})",
            f"torchvision:squeezenet1_1,weights={name}{spelled}",
            f"timm:resnet18,weights={name}{spelled}",
        )
    )
    return compared(source)


def hostile_archive(chance: random.Random, path: Path, place: str) -> None:
    """One that writes where it is read, where it is asked, or both."""
    write, at = WRITE.format(place=place), chance.randrange(3)
    source = WRITES.format(forward=write if at != 1 else 1, state=write if at != 0 else 1)
    module = path.with_suffix(".py")
    module.write_text("import torch\nfrom typing import Tuple\n" + textwrap.dedent(source))
    space: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(module.read_text(), str(module), "exec"), space)
        torch.jit.save(torch.jit.script(space["Writes"]()), path)  # type: ignore[operator]
    module.unlink()
    assert zipfile.is_zipfile(path)
