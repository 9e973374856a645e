"""Files of safetensors: damaged headers, sizes that are none, numbers of other kinds, keys too many and too few."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from hostile._files import compared, damaged, squeezenet
from hostile.case import Case

KINDS = ("F64", "F16", "BF16", "I64", "I32", "BOOL", "U8", "F8_E4M3", "C64", "F4", "X", "", 7, None, [])
NUMBERS: tuple[Any, ...] = (0, -1, 1, 2**31, 2**40, 2**63, 2**64, 10**30, 1.5, "3", None, [], True)
PLACES = ("torchvision:squeezenet1_1,weights={}", "half:torchvision:squeezenet1_1,weights={}", "timm:resnet18,weights={}")


def make(chance: random.Random, folder: Path) -> Case:
    path = folder / "net.safetensors"
    content = save(
        {key: value.contiguous() for key, value in tensors(chance).items()}, {"a": "b"} if chance.random() < 0.2 else None
    )
    way = chance.randrange(3)
    if way == 0:
        content = damaged(content, chance)
    elif way == 1:
        length = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + length])
        written = changed(header, chance).encode("utf-8", "surrogatepass")
        announced = chance.choice(
            (len(written), len(written), len(written), len(written), 0, 1, 2**63, 2**64 - 1, 10**8, len(written) + 1)
        )
        content = struct.pack("<Q", announced) + written + content[8 + length :]
    path.write_bytes(content)
    return compared(chance.choice(PLACES[:2] if chance.random() < 0.9 else PLACES).format(path.name))


def tensors(chance: random.Random) -> dict[str, torch.Tensor]:
    """The weights of the network, or of others: some missing, more than there are, of other shapes or kinds."""
    found, way = squeezenet(), chance.randrange(8)
    key = chance.choice(list(found))
    if way == 0:
        return {}
    if way == 1:
        return {k: v for k, v in found.items() if k != key}
    if way == 2:
        return found | {f"x{i}": torch.ones(1) for i in range(chance.choice((1, 20_000)))}
    if way == 3:
        kind = chance.choice(
            (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.uint8, torch.float8_e4m3fn)
        )
        return found | {key: found[key].to(kind)}
    if way == 4:
        return found | {key: torch.full_like(found[key], chance.choice((float("nan"), float("inf"), 1e38)))}
    if way == 5:
        return found | {key: chance.choice((found[key][:0], found[key].flatten(), torch.ones(()), found[key][None]))}
    return found


def changed(header: dict[str, Any], chance: random.Random) -> str:
    """A header as JSON, of which one place holds what it should not, or that is no such JSON."""
    key = chance.choice([key for key in header if key != "__metadata__"] or ["x"])
    entry = header.setdefault(key, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})
    way = chance.randrange(10)
    if way == 0:
        entry["dtype"] = chance.choice(KINDS)
    elif way == 1:
        entry["shape"] = chance.choice((entry["shape"] + [chance.choice(NUMBERS)], [2**31, 2**33], [], None, [1] * 10_000, "x"))
    elif way == 2:
        entry["data_offsets"] = chance.choice(([chance.choice(NUMBERS), chance.choice(NUMBERS)], [], [0], [4, 0], None))
    elif way == 3:
        entry["x"] = chance.choice(NUMBERS)
        del entry[chance.choice(("dtype", "shape", "data_offsets"))]
    elif way == 4:
        header["__metadata__"] = chance.choice(({"a": 1}, [], None, {"a": "x" * 10**6}, {"\ud800": "b"}))
    elif way == 5:
        return chance.choice(("[]", "{", "", "null", "{" * 10**5, '{"a":' * 10**5, "[" * 10**6, "\0" * 100, '{"a":1,"a":2}', "{}"))
    elif way == 6:
        header[chance.choice(("", "../x", "\0", "é\u202e", "x" * 10**6, "__metadata__"))] = header.pop(key)
    elif way == 7:
        text = json.dumps(header)
        return text[:-1] + "," + text[1:]
    return json.dumps(header)
