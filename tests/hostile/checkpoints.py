"""Checkpoints of training programs: nested and prefixed in every way, damaged, and in several files with an index that lies."""

import json
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hostile._files import compared, damaged, squeezenet
from hostile._texts import as_json, odd
from hostile.case import Case

NAMES = (
    "model",
    "state_dict",
    "model_ema",
    "state_dict_ema",
    "ema",
    "module",
    "_orig_mod",
    "x",
    "",
    ".",
    "\udcff",
    "é\u202e",
    "a" * 10_000,
)
KEYS = (
    "",
    "",
    ",key=model",
    ",key=ema",
    ",key=x",
    ",key=.",
    ",key=model.module",
    ",classes=1000",
    ",classes=3",
    ",classes=999999999",
    ",labels=0",
)
SHARDS = (
    "../a.safetensors",
    "/etc/passwd",
    "",
    ".",
    "a\0b",
    "model.safetensors.index.json",
    "x" * 5_000,
    3,
    None,
    [],
    {},
    "none.bin",
)
INDEX = "model.safetensors.index.json"


def make(chance: random.Random, folder: Path) -> Case:
    if chance.random() < 0.5:
        index(chance, folder)
        return compared(f"torchvision:squeezenet1_1,weights={chance.choice((INDEX, '.', 'a.safetensors'))}")
    path = folder / "net.ckpt"
    torch.save(nested(chance, squeezenet(), chance.choice((0, 1, 2, 3, 50))), path)
    if chance.random() < 0.3:
        path.write_bytes(damaged(path.read_bytes(), chance))
    return compared(f"torchvision:squeezenet1_1,weights={path.name}{chance.choice(KEYS)}")


def nested(chance: random.Random, content: Any, depth: int) -> Any:
    """The weights behind prefixes, and in mappings and lists."""
    if depth == 0:
        prefix = "".join(f"{chance.choice(NAMES)}." for _ in range(chance.choice((0, 0, 1, 2, 5))))
        return {f"{prefix}{key}": value for key, value in content.items()} | chance.choice(({}, {3: "x"}, {"x": odd(chance)}))
    inner = nested(chance, content, depth - 1)
    way = chance.randrange(4)
    if way == 0:
        return [inner, 3]
    if way == 1:
        return {chance.choice(NAMES): inner, chance.choice(NAMES): nested(chance, content, 0)}
    if way == 2:
        found: dict[Any, Any] = {chance.choice(NAMES): inner}
        found["itself"] = found
        return found
    return {chance.choice((*NAMES, 3)): inner, "epoch": 3}


def index(chance: random.Random, folder: Path) -> None:
    """An index of one file, of which one place holds what it should not."""
    save_file({key: value.contiguous() for key, value in squeezenet().items()}, folder / "a.safetensors")
    places: dict[str, Any] = dict.fromkeys(squeezenet(), "a.safetensors")
    key = chance.choice(list(places))
    way = chance.randrange(6)
    if way == 0:
        places[key] = chance.choice(SHARDS)
    elif way == 1:
        places[chance.choice(NAMES)] = places.pop(key)
    elif way == 2:
        places |= {f"x{i}": f"{i}.safetensors" for i in range(chance.choice((1, 100_000)))}
    whole = {"weight_map": chance.choice((places, places, places, odd(chance)))}
    text = as_json(odd(chance)) if way == 3 else json.dumps(whole)
    content = text.encode(errors="replace")
    (folder / INDEX).write_bytes(damaged(content, chance) if way == 4 and content else content)
