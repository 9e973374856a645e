"""ONNX files: damaged, with weights where no weights are, with impossible sizes, and with very many or deep nodes."""

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from hostile._files import compared, damaged
from hostile.case import Case

LOCATIONS = (
    "weights.bin",
    "none.bin",
    "../secret.bin",
    "untouched/secret.bin",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "pipe",
    "link",
    "device",
    ".",
    "",
    "weights.bin\0x",
    "a" * 5000,
    "é\u202e",
)
NUMBERS = (0, 1, -1, 31_359, 31_360, 2**31, 2**40, 2**62)
OPTIONS = (
    "",
    "",
    ",gradients=false",
    ",size=28",
    ",size=99999",
    ",labels=1000000000",
    ",channels=bgr",
    ",mean=[0.1,0.2]",
    ",scale=255",
    ",layout=nhwc",
    ",layout=flat,size=28",
    ",output=f",
    ",output=7",
    ",output=y:probabilities",
    ",input=x",
    ',constants={"x":0}',
    ',constants={"x":"é"}',
    ",batch=99999999",
)


def make(chance: random.Random, folder: Path) -> Case:
    (folder / "untouched").mkdir()
    (folder / "untouched" / "secret.bin").write_bytes(bytes(40_000))
    (folder.parent / "secret.bin").write_bytes(bytes(40_000))
    (folder / "weights.bin").write_bytes(np.zeros((784, 10), np.float32).tobytes())
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "device").symlink_to("/dev/zero")
    model = digits()
    if chance.random() < 0.85:
        chance.choice(CHANGES)(model, chance)
    content = model.SerializeToString()
    if chance.random() < 0.25:
        content = damaged(content, chance)
    (folder / "net.onnx").write_bytes(content)
    return compared(f"onnx:net.onnx{chance.choice(OPTIONS)}")


def digits() -> Any:
    """A linear network of digits."""
    chance = np.random.default_rng(0)
    weights = numpy_helper.from_array(chance.normal(size=(784, 10)).astype(np.float32) / 28, "w")
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    graph = helper.make_graph(nodes, "digits", [value("x", ["n", 1, 28, 28])], [value("y", ["n", 10])], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def value(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def outside(model: Any, chance: random.Random) -> None:
    """The weights lie in another file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": chance.choice(LOCATIONS)}
    if chance.random() < 0.6:
        entries |= {chance.choice(("offset", "length")): str(chance.choice((*NUMBERS, "x", 10**30))), "checksum": "0"}
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)


def sizes(model: Any, chance: random.Random) -> None:
    """An initializer, input or output announces other sides."""
    shape = [chance.choice(NUMBERS) for _ in range(chance.choice((0, 1, 2, 4, 50)))]
    if chance.random() < 0.5:
        tensor = model.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(shape)
    else:
        part = chance.choice((model.graph.input, model.graph.output))[0].type.tensor_type
        part.shape.CopyFrom(value("x", shape).type.tensor_type.shape)


def kinds(model: Any, chance: random.Random) -> None:
    """Numbers of another kind."""
    kind = chance.choice((0, 2, 7, 8, 9, 10, 11, 14, 16, 17, 20, 23, 99))
    chance.choice((model.graph.input[0].type.tensor_type, model.graph.output[0].type.tensor_type)).elem_type = kind
    if chance.random() < 0.5:
        model.graph.initializer[0].data_type = kind


def many(model: Any, chance: random.Random) -> None:
    """A long chain, or very many nodes side by side."""
    count = chance.choice((100, 500, 2_000))  # more is a large network, and no hostile one
    model.graph.node.pop()
    if chance.random() < 0.5:
        chain = [helper.make_node("Relu", [f"f{i}" if i else "f"], [f"f{i + 1}"]) for i in range(count)]
        model.graph.node.extend([*chain, helper.make_node("MatMul", [f"f{count}", "w"], ["y"])])
    else:
        beside = [helper.make_node("Relu", ["f"], [f"g{i}"]) for i in range(count)]
        model.graph.node.extend([*beside, helper.make_node("MatMul", ["f", "w"], ["y"])])


def deep(model: Any, chance: random.Random) -> None:
    """Graphs inside graphs."""
    inside = helper.make_graph([helper.make_node("Identity", ["f"], ["o"])], "g", [], [value("o", ["n", 784])])
    condition = numpy_helper.from_array(np.array(True), "c")
    model.graph.initializer.append(condition)
    for i in range(chance.choice((1, 5, 20))):
        node = helper.make_node("If", ["c"], [f"o{i}"], then_branch=inside, else_branch=inside if i < 3 else shallow())
        inside = helper.make_graph([node], f"g{i}", [], [value(f"o{i}", ["n", 784])])
    last = inside.node[0]
    model.graph.node.insert(1, last)
    model.graph.node[2].input[0] = last.output[0]


def shallow() -> Any:
    return helper.make_graph([helper.make_node("Identity", ["f"], ["o"])], "g", [], [value("o", ["n", 784])])


def nodes(model: Any, chance: random.Random) -> None:
    """Operators that are unknown, of other domains, in a circle, without inputs, or that make something very large."""
    way = chance.randrange(8)
    if way == 0:
        model.graph.node[1].op_type = chance.choice(
            ("Nothing", "", "Loop", "Scan", "If", "__import__", "Round", "QuantizeLinear", "Cast")
        )
    elif way == 1:
        model.graph.node[1].domain = chance.choice(("ai.onnx.ml", "com.microsoft", "x", "../x.so"))
    elif way == 2:
        model.graph.node[0].input[0] = chance.choice(("y", "f", "", "nothing", "w"))
    elif way == 3:
        del model.graph.node[chance.randrange(2)].input[:]
    elif way == 4:
        shape = numpy_helper.from_array(np.array([chance.choice((10**5, 10**12, -5)), 784]), "s")
        model.graph.initializer.append(shape)
        model.graph.node[1].input[0] = "z"
        model.graph.node.insert(1, helper.make_node("ConstantOfShape", ["s"], ["z"]))
    elif way == 5:
        model.graph.node[0].attribute.add(
            name=chance.choice(("axis", "x")), i=chance.choice(NUMBERS), type=chance.choice((2, 1, 3))
        )
    elif way == 6:
        model.graph.output.append(value("f", ["n", 784]))
    else:
        model.graph.input.append(value(chance.choice(("x", "w", "v")), [1]))


def words(model: Any, chance: random.Random) -> None:
    """Versions, names and labels that are none."""
    way = chance.randrange(5)
    if way == 0:
        model.opset_import[0].version = chance.choice((0, 1, 6, 9999, 2**40, -1))
    elif way == 1:
        model.ir_version = chance.choice((0, 1, 3, 99, 2**40))
    elif way == 2:
        texts = (
            "[" * 10**5,
            "9" * 5000,
            "a\n" * 10,
            "[1]",
            "{}",
            '{"x": 1}',
            "null",
            "[" + ",".join('"<b>"' for _ in range(10)) + "]",
        )
        model.metadata_props.add(key="labels", value=chance.choice(texts))
    elif way == 3:
        model.graph.name = model.graph.node[0].name = chance.choice(("", "../x", "x" * 10**6, "\x1b[31m"))
    else:
        del model.opset_import[:]


CHANGES = (outside, outside, sizes, sizes, kinds, many, deep, nodes, nodes, words)
