"""ONNX graphs as they are written: reading them, and cutting one down to what one of its outputs needs."""

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gevaldi.classifiers._files import MOST_NUMBERS, broken
from gevaldi.classifiers._layout import Shape
from gevaldi.errors import SpecError, describe_error
from gevaldi.models import Output

# By the numbers of onnx.TensorProto.DataType.
FLOATS = {1: torch.float32, 10: torch.float16, 11: torch.float64}
WHOLE = {2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64}
FLOAT, OTHERS = 1, (11, 16)  # double precision and bfloat16
PASSING = ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast")  # what may stand between a softmax and the output


def read(path: Path) -> Any:
    """A graph that onnxruntime can run; in single precision where it has no operators for double precision or bfloat16.

    What the format's own checker objects to is let pass if onnxruntime runs it: graphs without a name, in another order.

    Raises:
        WeightsError: the file is damaged, or lacks the file of its weights.
    """
    import onnx
    import onnx.inliner

    complaint: Exception | None = None
    try:
        try:
            onnx.checker.check_model(str(path))
        except Exception as error:
            complaint = error
        model = onnx.load(str(path))  # without following links, or reading outside its folder
        model = onnx.inliner.inline_local_functions(model) if model.functions else model
        single = _single(model)
        if (complaint or single) and not _runs(model):
            if not single or not _runs(single):
                raise complaint or SpecError("onnxruntime cannot run it")
            return single
        return model
    except Exception as error:
        reason = complaint or error
        remedy = "That file has to come along with this one." if "should be stored in" in str(reason) else ""
        raise broken(path, "ONNX file", reason, remedy) from error


def session(source: bytes | str) -> Any:
    """A graph opened by onnxruntime, which says nothing of it."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.intra_op_num_threads = 4, torch.get_num_threads()
    return onnxruntime.InferenceSession(source, settings, providers=["CPUExecutionProvider"])


def _runs(model: Any) -> bool:
    try:
        session(model.SerializeToString())
    except Exception:  # of whatever kind
        return False
    return True


def _single(model: Any) -> Any:
    """The same model with single precision in the place of double precision and bfloat16; None where it has neither."""
    from onnx import numpy_helper

    values, tensors, casts = _typed(model.graph)
    kinds = {*(value.elem_type for value in values), *(tensor.data_type for tensor in tensors), *(cast.i for cast in casts)}
    if not kinds.intersection(OTHERS):
        return None
    model = deepcopy(model)
    values, tensors, casts = _typed(model.graph)
    for value in values:
        value.elem_type = FLOAT if value.elem_type in OTHERS else value.elem_type
    for tensor in tensors:
        if tensor.data_type in OTHERS:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for cast in casts:
        cast.i = FLOAT if cast.i in OTHERS else cast.i
    return model


def _typed(graph: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """What has a type of its own in a graph: values, constants, and the targets of casts."""
    attributes = [(node, part) for node in graph.node for part in node.attribute]
    constants = [part.t for _, part in attributes if part.HasField("t")]
    values = [value.type.tensor_type for value in (*graph.input, *graph.output, *graph.value_info)]
    casts = [part for node, part in attributes if node.op_type == "Cast" and part.name == "to"]
    return [value for value in values if value.elem_type], [*graph.initializer, *constants], casts


def inputs(graph: Any) -> list[Any]:
    """The inputs of a graph, without the constants that older files list among them."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def shape_of(value: Any) -> Shape | None:
    """The sides of a tensor as the file states them; None for sides that it leaves open, and if it states none."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [side.dim_value if side.dim_value > 0 else None for side in kind.shape.dim]


def cut_to(model: Any, output: str) -> Any:
    """A model with this output only, and with no more inputs and nodes than it needs, in the order of computation."""
    import onnx

    graph = model.graph
    nodes = _needed(graph, output)
    used = {name for node in nodes for name in (*node.input, *_names_below(node))} | {output}
    known = {value.name: value for value in (*graph.output, *graph.value_info)}
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.node[:], cut.graph.output[:], cut.graph.input[:]
    cut.graph.name = graph.name or "graph"
    cut.graph.node.extend(nodes)
    cut.graph.input.extend(value for value in graph.input if value.name in used)
    cut.graph.output.append(known.get(output) or onnx.ValueInfoProto(name=output))
    return cut


def _needed(graph: Any, output: str) -> list[Any]:
    """The nodes that an output needs, each after those that it needs itself."""
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    ordered: dict[int, None] = {}
    stack = [(makers[output], False)] if output in makers else []
    entered = set()
    while stack:
        i, done = stack.pop()
        if done:
            ordered[i] = None
        elif i not in entered:
            entered.add(i)
            node = graph.node[i]
            stack.append((i, True))
            stack += [(makers[name], False) for name in (*node.input, *_names_below(node)) if name in makers]
    return [graph.node[i] for i in ordered]


def _names_below(node: Any) -> Iterator[str]:
    """The tensors that the graphs inside a node use, of whichever graph they are."""
    for part in node.attribute:
        for graph in (*([part.g] if part.HasField("g") else ()), *part.graphs):
            yield from (value.name for value in graph.output)
            for inner in graph.node:
                yield from inner.input
                yield from _names_below(inner)


def with_constants(model: Any, constants: dict[str, float], name: str) -> Any:
    """A model in which these inputs have fixed values.

    Raises:
        SpecError: it has no such input.
    """
    from onnx import helper, numpy_helper

    known = {value.name: value for value in inputs(model.graph)}
    for key, number in constants.items():
        if key not in known:
            raise SpecError(f"constants={{{key}: {number}}} was said, but the inputs of {name} are {', '.join(known)}.")
        try:
            kind = helper.tensor_dtype_to_np_dtype(known[key].type.tensor_type.elem_type)
            filled = np.full(_few([side or 1 for side in shape_of(known[key]) or ()]), number, kind)
            model.graph.initializer.append(numpy_helper.from_array(filled, key))
        except Exception as error:  # whatever NumPy raises at sizes and kinds that no memory has
            raise SpecError(f"{key}={number:g} cannot be fixed in {name}: {describe_error(error)[:200]}.") from error
        model.graph.input.remove(known[key])
    return model


def _few(shape: list[int]) -> list[int]:
    if math.prod(shape) > MOST_NUMBERS:
        raise ValueError(f"its shape {' x '.join(map(str, shape))} is too large")
    return shape


def ends_in(graph: Any, name: str) -> Output | None:
    """What the only output of a graph is, where its last operator says so.

    Raises:
        SpecError: it scores each class for itself.
    """
    makers = {key: node for node in graph.node for key in node.output}
    node = makers.get(graph.output[0].name)
    while node is not None and node.op_type in PASSING:
        node = makers.get(node.input[0])
    if node is not None and node.op_type == "Sigmoid":
        raise SpecError(
            f"{name} ends in Sigmoid, which scores each class for itself; probabilities that add up to 1 were expected. "
            f"output={node.input[0]}:logits takes the scores before it as logits, where a picture has one class only."
        )
    kinds: dict[str, Output] = {"Softmax": "probabilities", "LogSoftmax": "log-probabilities"}
    return None if node is None else kinds.get(node.op_type)


def fed_by(graph: Any, start: str, measuring: Sequence[str]) -> list[Any]:
    """The operators that work on what became of a tensor's values, which those of shapes are not."""
    reached, nodes = {start}, []
    for node in graph.node:  # in the order of computation
        if reached.intersection(node.input):
            nodes.append(node)
            reached.update(() if node.op_type in measuring else node.output)
    return nodes
