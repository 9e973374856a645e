"""Values of options, of yes and no above all, in every spelling that people write and in some that nobody does."""

import pickle
import random
from pathlib import Path

from hostile._files import Bomb, compared
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
VALUES = (
    *SPELLINGS,
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "-1",
    "1e5",
    "9" * 5000,
    "[" * 3000 + "]" * 3000,
    "[[1,2],[3]]",
    '{"a":1}',
    "~",
    "~nobody/x",
    "~/x",
    "/dev/zero",
    "..",
    "x" * 5000,
    "\udcff",
    "é\u202e",
    '"\\u0000"',
    '"\\ud800"',
)
OTHERS = (
    ("torchscript:{}", ("labels", "size", "resize", "mean", "std", "scale", "channels", "interpolation", "output", "pickle", "x")),
    ("exported:{}", ("labels", "pickle", "size")),
    ("onnx:{}", ("gradients", "labels", "mean")),
    (
        "torchvision:squeezenet1_0",
        ("weights", "pickle", "classes", "labels", "key", "mean", "std", "size", "padding", "name", "self"),
    ),
    ("transformers:{}", ("weights", "revision", "classes", "labels", "key", "pickle")),
    ("transformers:nobody/nothing", ("revision",)),
    ("bundled:mnist-strided-1k", ("seed", "name")),
    ("quantised:bundled:mnist-strided", ("bits", "pictures", "pictures_count", "pictures_size")),
    ("pruned:bundled:mnist-strided", ("amount",)),
    ("tempered:bundled:mnist-strided", ("temperature",)),
    ("half:bundled:mnist-strided", ("dtype",)),
    ("restricted:bundled:mnist-strided", ("classes",)),
)
GENERATORS = (
    ("bundled:mnist-vae", ("name", "seed")),
    ("biggan:biggan-deep-128,weights=none.bin", ("truncation", "pickle", "weights")),
    ("diffusers:none", ("steps", "guidance", "prompts", "dtype", "variant", "checkpointing")),
    ("autoencoder:python:none.py:make,pictures=bundled:mnist-digits", ("count", "size", "radius", "low", "high", "subfolder")),
)


def make(chance: random.Random, folder: Path) -> Case:
    name = chance.choice(("bomb.pt", "bomb.pth", "bomb.bin", "bomb.pt2", "bomb.ckpt", "bomb.onnx"))
    (folder / name).write_bytes(pickle.dumps({"state_dict": Bomb(folder / CANARY)}, protocol=chance.choice((2, 4))))
    if chance.random() < 0.3:
        return compared(f"{chance.choice(SOURCES).format(name)},pickle={chance.choice(SPELLINGS)}")
    known = chance.choice(OTHERS + GENERATORS)
    source, options = known
    values = [f"{option}={chance.choice(VALUES)}" for option in chance.sample(options, min(len(options), chance.choice((1, 1, 2))))]
    allowed = [value for value in values if value not in ("pickle=true", "weights=hub")]
    written = ",".join([source.format(name), *allowed])
    return compared("bundled:mnist-strided", written) if known in GENERATORS else compared(written)
