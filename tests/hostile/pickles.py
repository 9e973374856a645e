"""Pickles that run code, of all formats of torch and of none, in every place from which weights are read."""

import io
import pickle
import random
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

from hostile._files import Bomb, compared, pickled, squeezenet
from hostile.case import CANARY, Case

PLACES = (
    "torchvision:squeezenet1_1,weights={}",
    "torchvision:squeezenet1_1,weights={}",
    "timm:resnet18.a1_in1k,weights={}",
    "pruned:(torchvision:squeezenet1_1,weights={}),amount=0.5",
    "ensemble:bundled:mnist-pooled+(torchvision:squeezenet1_1,weights={})",
    "transformers:folder,weights={}",
    "transformers:folder",
    "torchscript:{}",
    "exported:{}",
    "restricted:bundled:mnist-pooled,classes={}",
    "onnx:{}",
)
GENERATORS = ("diffusers:folder", "autoencoder:diffusers:folder,pictures=bundled:mnist-digits", "biggan:biggan-deep-128,weights={}")


class Global:
    """Something that a pickle calls, with these arguments."""

    def __init__(self, called: object, *arguments: object) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.called, self.arguments  # type: ignore[return-value]


def make(chance: random.Random, folder: Path) -> Case:
    suffix = chance.choice((".pt", ".pth", ".bin", ".ckpt", ".tar", ".pt2", ".safetensors", ".onnx", ".pkl"))
    content = hostile_pickle(chance, folder / CANARY)
    (folder / f"bomb{suffix}").write_bytes(content)
    spelled = chance.choice(("", "", ",pickle=false", ",pickle=no", ",pickle=0"))
    (folder / "folder").mkdir()
    for name in ("pytorch_model.bin", "diffusion_pytorch_model.bin", "model.safetensors", "biggan-deep-128-pytorch_model.bin"):
        (folder / "folder" / name).write_bytes(content)
    (folder / "folder" / "config.json").write_text('{"model_type": "resnet", "_class_name": "AutoencoderTiny", "num_labels": 3}')
    (folder / "folder" / "preprocessor_config.json").write_text('{"image_processor_type": "ConvNextImageProcessor"}')
    if chance.random() < 0.15:
        generator = chance.choice(GENERATORS).format(f"bomb{suffix}")
        return compared("bundled:mnist-strided", generator + (spelled if generator.startswith("biggan") else ""))
    return compared(chance.choice(PLACES).format(f"bomb{suffix}") + spelled)


def hostile_pickle(chance: random.Random, canary: Path) -> bytes:
    weights: dict[str, object] = dict(squeezenet())
    bomb = chance.choice(bombs(canary))
    key = chance.choice((*weights, "state_dict", "epoch"))
    value: object = chance.choice((bomb, {"x": bomb}, [bomb], {"state_dict": weights, "args": bomb}, weights | {key: bomb}))
    way = chance.randrange(6)
    if way == 0:
        return pickled(bomb, chance.randint(0, 5))
    if way == 1:
        return legacy_tar(bomb)
    sink = io.BytesIO()
    torch.save(value, sink, _use_new_zipfile_serialization=way != 2, pickle_protocol=chance.choice((2, 2, 3, 4)))
    if way == 3:
        return with_another_member(sink.getvalue(), "archive/data.pkl", pickled(bomb, 2))
    if way == 4:
        return with_another_member(sink.getvalue(), chance.choice(("../../x", "archive/code/x.py", "archive/constants.pkl")), b"x")
    return sink.getvalue()


def bombs(canary: Path) -> tuple[object, ...]:
    """Calls that write, directly or by a detour over what may be called, and calls that take memory."""
    write = f"open({str(canary)!r}, 'w').write('it ran')"
    return (
        Bomb(canary),
        Bomb(canary),
        Global(exec, write),
        Global(eval, write),
        Global(getattr, Global(__import__, "os"), "system"),
        Global(torch.load, str(canary.with_name("bomb.pt"))),
        Global(torch.serialization.add_safe_globals, [exec]),
        Global(torch.from_file, str(canary), True, 4),
        Global(torch.hub.load, str(canary.parent), "x", "local"),
        Global(bytearray, 10**11),
        Global(OrderedDict, Global(exec, write)),
        Global(torch._utils._rebuild_tensor_v2, torch.ones(1).untyped_storage(), 10**6, (10**9,), (10**6,), False, OrderedDict()),
        Global(torch._utils._rebuild_parameter, Bomb(canary), False, OrderedDict()),
    )


def legacy_tar(bomb: object) -> bytes:
    """The format of torch before 0.1.10."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(bomb, protocol=2)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return sink.getvalue()


def with_another_member(archive: bytes, name: str, content: bytes) -> bytes:
    """One that stands there twice, or where nothing may stand."""
    sink = io.BytesIO(archive)
    with zipfile.ZipFile(sink, "a") as opened:
        prefix = opened.namelist()[0].partition("/")[0]
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened.writestr(name.replace("archive", prefix), content)
    return sink.getvalue()
