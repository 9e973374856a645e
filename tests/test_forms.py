"""Files as people export them, in every form of input and output: read as onnxruntime or torch runs them, or refused."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from gevaldi.classifiers import load_classifier
from gevaldi.contract import on_device
from gevaldi.errors import GevaldiError, SpecError, WeightsError

SIDE, CLASSES = 28, 5
FLOAT, HALF, DOUBLE, BFLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16
UINT8, INT32, INT64 = TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64
Arrange = Callable[[np.ndarray], np.ndarray]


def pictures(count: int, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(count))


class Graph:
    """A small network of `channels` x 28 x 28, at whose ends other nodes can be put."""

    def __init__(self, channels: int = 3, kind: int = FLOAT, scale: float = 1.0) -> None:
        chance = np.random.default_rng(channels)
        self.kind, self.nodes, self.outputs, self.inputs, self.last = kind, [], [], [], "x"
        self.constants: list[Any] = []
        self.domains = [helper.make_opsetid("", 17)]
        weights = chance.normal(size=(8, channels, 5, 5)) / 3 / scale, chance.normal(size=8), chance.normal(size=(8, CLASSES)) * 2
        for name, value in zip("wbv", weights, strict=True):
            self.constants.append(helper.make_tensor(name, kind, value.shape, value.flatten().tolist()))

    def then(self, operator: str, *more: str, **how: Any) -> "Graph":
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.last, *more], [name], **how))
        self.last = name
        return self

    def shaped(self, *shape: int) -> "Graph":
        name = f"shape{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(shape, np.int64), name))
        return self.then("Reshape", name)

    def network(self) -> "Graph":
        return (
            self.then("Conv", "w", "b", strides=[2, 2]).then("Relu").then("GlobalAveragePool").then("Flatten").then("MatMul", "v")
        )

    def takes(self, *shape: Any, kind: int | None = None, name: str = "x") -> "Graph":
        self.inputs.append(helper.make_tensor_value_info(name, kind or self.kind, shape))
        return self

    def gives(self, *shape: Any, name: str | None = None, kind: int | None = None) -> "Graph":
        self.outputs.append(helper.make_tensor_value_info(name or self.last, kind or self.kind, shape))
        return self

    def model(self) -> Any:
        graph = helper.make_graph(self.nodes, "graph", self.inputs, self.outputs, self.constants)
        return helper.make_model(graph, opset_imports=self.domains, ir_version=9)


def plain(*batch: Any) -> Graph:
    return Graph().takes(*batch, 3, SIDE, SIDE).network().gives(*batch, CLASSES)


def turned(order: list[int], *shape: Any) -> Graph:
    """A network of pictures in other axes."""
    return Graph().takes(*shape).then("Transpose", perm=order).network().gives(shape[0], CLASSES)


def reshaped(channels: int, *shape: Any, to: tuple[int, ...] = (), order: tuple[int, ...] = ()) -> Graph:
    """A network whose pictures come without some of their axes."""
    graph = Graph(channels).takes(*shape).shaped(*(to or (-1, channels, SIDE, SIDE)))
    return (graph.then("Transpose", perm=order) if order else graph).network()


def whole(kind: int, *shape: Any, order: tuple[int, ...] = ()) -> Graph:
    graph = Graph(scale=255).takes(*shape, kind=kind).then("Cast", to=FLOAT)
    return (graph.then("Transpose", perm=order) if order else graph).network().gives(shape[0], CLASSES)


def nameless() -> Any:
    model = plain("n").model()
    model.graph.name = ""
    return model


def without_shape() -> Any:
    model = plain("n").model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return model


def without_types() -> Any:
    model = plain("n").model()
    model.graph.output[0].ClearField("type")
    return model


def disordered() -> Any:
    model = plain("n").model()
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def with_constants_among_the_inputs() -> Any:
    model = plain("n").model()
    model.ir_version = 3
    model.graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in model.graph.initializer)
    return model


def of_functions() -> Any:
    model = plain("n").model()
    body = [helper.make_node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("own", "Rectify", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    model.opset_import.append(helper.make_opsetid("own", 1))
    (node,) = [node for node in model.graph.node if node.op_type == "Relu"]
    node.op_type, node.domain = "Rectify", "own"
    return model


def of_another_domain() -> Any:
    model = plain("n").model()
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    node = helper.make_node("FusedMatMul", [*model.graph.node[-1].input], ["fused"], domain="com.microsoft")
    model.graph.node.append(node)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("fused", FLOAT, ["n", CLASSES]))
    return model


def with_an_unused_input() -> Graph:
    graph = plain("n").takes(1, name="unused")
    graph.last = "unused"
    return graph.then("Identity").gives(1)


def with_a_flag() -> Graph:
    graph = Graph().takes("n", 3, SIDE, SIDE).takes(name="training", kind=FLOAT).network()
    return graph.then("Add", "training").gives("n", CLASSES)


def with_features() -> Graph:
    graph = plain("n")
    graph.last = graph.nodes[1].output[0]
    return graph.gives("n", 8, 12, 12)


def with_embedding() -> Graph:
    graph = plain("n")
    graph.last = graph.nodes[3].output[0]
    return graph.gives("n", 8)


def with_class_number() -> Graph:
    graph = Graph().takes("n", 3, SIDE, SIDE).network()
    scores = graph.last
    graph.then("ArgMax", axis=1, keepdims=0).gives("n", kind=INT64)
    graph.last = scores
    return graph.then("Softmax").gives("n", CLASSES)


def with_map() -> Any:
    """As scikit-learn's converter writes probabilities: a list of dictionaries."""
    graph = Graph().takes("n", 3, SIDE, SIDE).network().then("Softmax").gives("n", CLASSES)
    model = graph.model()
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    model.graph.node.append(
        helper.make_node("ZipMap", [graph.last], ["map"], domain="ai.onnx.ml", classlabels_int64s=range(CLASSES))
    )
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, None)))
    model.graph.output.append(helper.make_value_info("map", kind))
    return model


def numbered() -> Any:
    """Names as older exporters of torch write them."""
    model = plain("n").model()
    model.graph.node[-1].output[0] = model.graph.output[0].name = "495"
    model.graph.node[0].input[0] = model.graph.input[0].name = "0"
    return model


def ending(*operators: tuple[str, dict[str, Any]]) -> Graph:
    graph = Graph().takes("n", 3, SIDE, SIDE).network()
    for operator, how in operators:
        graph.then(operator, **how)
    return graph.gives("n", CLASSES)


def linear(kind: int) -> Graph:
    """A network of operators that onnxruntime has in every precision."""
    graph, weights = Graph(kind=kind).takes("n", 3, SIDE, SIDE), np.random.default_rng(0).normal(size=(2352, CLASSES)) / 9
    graph.constants.append(helper.make_tensor("m", kind, weights.shape, weights.flatten().tolist()))
    return graph.then("Flatten").then("MatMul", "m").gives("n", CLASSES)


def as_is(x: np.ndarray) -> np.ndarray:
    return x


def bytes_of(x: np.ndarray) -> np.ndarray:
    return np.round(x * 255).astype(np.uint8)


def last(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, 2, 3, 1)


class Form(NamedTuple):
    """A file; the pictures as it takes them; options; and whether its numbers are probabilities."""

    graph: Callable[[], Any]
    arrange: Arrange = as_is
    options: str = ""
    ends_in: str = "logits"
    channels: int = 3


FORMS: dict[str, Form] = {
    "any number of pictures": Form(lambda: plain("n")),
    "one picture": Form(lambda: plain(1)),
    "four pictures": Form(lambda: plain(4)),
    "sides of minus one": Form(lambda: Graph().takes(-1, 3, -1, -1).network().gives(-1, CLASSES)),
    "colours last": Form(lambda: turned([0, 3, 1, 2], "n", SIDE, SIDE, 3), last),
    "colours last, one picture": Form(lambda: turned([0, 3, 1, 2], 1, SIDE, SIDE, 3), last),
    "colours last, open sides": Form(lambda: turned([0, 3, 1, 2], "n", "h", "w", 3), last),
    "colours last, nothing stated": Form(lambda: turned([0, 3, 1, 2], "n", "h", "w", "c"), last, f"size={SIDE}"),
    "colours last, as was said": Form(lambda: turned([0, 3, 1, 2], "n", "h", "w", "c"), last, f"size={SIDE},layout=NHWC"),
    "colours first, as was said": Form(lambda: plain("n"), as_is, "layout=nchw"),
    "width before height": Form(lambda: turned([0, 1, 2, 3], "n", 3, SIDE, SIDE)),
    "flat and grey": Form(lambda: reshaped(1, "n", 784).gives("n", CLASSES), lambda x: x.reshape(len(x), -1), channels=1),
    "flat and grey, one": Form(lambda: reshaped(1, 1, 784).gives(1, CLASSES), lambda x: x.reshape(len(x), -1), channels=1),
    "flat and grey, as was said": Form(
        lambda: reshaped(1, "n", "f").gives("n", CLASSES), lambda x: x.reshape(len(x), -1), "layout=flat,size=28", channels=1
    ),
    "flat without a batch": Form(
        lambda: reshaped(1, 784, to=(1, 1, SIDE, SIDE)).gives(1, CLASSES), lambda x: x.reshape(-1), channels=1
    ),
    "flat, one colour after the other": Form(
        lambda: reshaped(3, "n", 3 * 784).gives("n", CLASSES), lambda x: x.reshape(len(x), -1), "layout=flat-chw"
    ),
    "flat, pixel by pixel": Form(
        lambda: reshaped(3, "n", 3 * 784, to=(-1, SIDE, SIDE, 3), order=(0, 3, 1, 2)).gives("n", CLASSES),
        lambda x: last(x).reshape(len(x), -1),
        "layout=flat-hwc",
    ),
    "without channels": Form(lambda: reshaped(1, "n", SIDE, SIDE).gives("n", CLASSES), lambda x: x[:, 0], channels=1),
    "without channels, one": Form(lambda: reshaped(1, 1, SIDE, SIDE).gives(1, CLASSES), lambda x: x[:, 0], channels=1),
    "height and width only": Form(lambda: reshaped(1, SIDE, SIDE).gives(1, CLASSES), lambda x: x[0, 0], channels=1),
    "without a batch": Form(lambda: reshaped(3, 3, SIDE, SIDE).gives(1, CLASSES), lambda x: x[0]),
    "without a batch, colours last": Form(
        lambda: reshaped(3, SIDE, SIDE, 3, to=(1, SIDE, SIDE, 3), order=(0, 3, 1, 2)).gives(1, CLASSES), lambda x: last(x)[0]
    ),
    "8 bits": Form(lambda: whole(UINT8, "n", 3, SIDE, SIDE), bytes_of, "gradients=false"),
    "8 bits, colours last": Form(
        lambda: whole(UINT8, "n", SIDE, SIDE, 3, order=(0, 3, 1, 2)), lambda x: bytes_of(last(x)), "gradients=false"
    ),
    "whole numbers of a range that was said": Form(
        lambda: whole(INT32, "n", 3, SIDE, SIDE), lambda x: bytes_of(x).astype(np.int32), "gradients=false,scale=255"
    ),
    "half precision": Form(
        lambda: Graph(kind=HALF).takes("n", 3, SIDE, SIDE).network().gives("n", CLASSES), lambda x: x.astype(np.float16)
    ),
    "double precision": Form(lambda: linear(DOUBLE), lambda x: x.astype(np.float64)),
    "features besides": Form(with_features),
    "the number of the class besides": Form(with_class_number, ends_in="probabilities"),
    "an embedding besides": Form(with_embedding, options="output=matmul4"),
    "an embedding besides, by number": Form(with_embedding, options="output=0"),
    "a list of dictionaries besides": Form(with_map, ends_in="probabilities"),
    "a tensor inside": Form(lambda: ending(("Softmax", {}), ("Sigmoid", {})), options="output=softmax5", ends_in="probabilities"),
    "rows of height and width one": Form(
        lambda: Graph().takes("n", 3, SIDE, SIDE).network().shaped(-1, CLASSES, 1, 1).gives("n", CLASSES, 1, 1)
    ),
    "rows of height and width one, first": Form(
        lambda: Graph().takes("n", 3, SIDE, SIDE).network().shaped(-1, 1, 1, CLASSES).gives("n", 1, 1, CLASSES)
    ),
    "a vector for one picture": Form(lambda: Graph().takes(1, 3, SIDE, SIDE).network().shaped(CLASSES).gives(CLASSES)),
    "a softmax": Form(lambda: ending(("Softmax", {})), ends_in="probabilities"),
    "a logarithm of a softmax": Form(lambda: ending(("LogSoftmax", {})), ends_in="log-probabilities"),
    "a softmax that is named": Form(
        lambda: ending(("Softmax", {})), options="output=softmax5:probabilities", ends_in="probabilities"
    ),
    "names that are numbers": Form(numbered, options="input=0,output=495"),
    "an input besides that nothing here needs": Form(with_an_unused_input),
    "a flag": Form(with_a_flag, options='constants={"training":0}'),
    "a graph without a name": Form(nameless),
    "a graph without shapes": Form(without_shape, options=f"size={SIDE}"),
    "outputs without a type": Form(without_types),
    "nodes in another order": Form(disordered),
    "constants among the inputs": Form(with_constants_among_the_inputs),
    "functions of its own": Form(of_functions),
    "operators of onnxruntime's own": Form(of_another_domain, options="gradients=false"),
}


def saved(model: Any, path: Path) -> Any:
    path.write_bytes((model.model() if isinstance(model, Graph) else model).SerializeToString())
    return path


def expected_of(path: Path, form: Form, x: Tensor) -> Tensor:
    """What onnxruntime gives for pictures one by one as the file takes them, filled up to as many as it takes at once."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    fixed = first.shape[0] if len(first.shape) > 3 and isinstance(first.shape[0], int) else 1
    rows = []
    for alone in x.numpy():
        fed = {value.name: np.zeros([1] * len(value.shape), np.float32) for value in session.get_inputs()[1:]}
        values = session.run(None, fed | {first.name: form.arrange(np.repeat(alone[None], max(1, fixed), 0))})
        scores = [np.asarray(v) for v in values if not isinstance(v, list) and np.asarray(v).dtype.kind == "f"]
        (found,) = [v for v in scores if v.size == CLASSES * max(1, fixed)]
        rows.append(torch.from_numpy(found.reshape(-1, CLASSES)[0]).double())
    values = torch.stack(rows)
    return {"logits": values.log_softmax(-1), "probabilities": values.log(), "log-probabilities": values}[form.ends_in]


@pytest.mark.parametrize("name", FORMS)
def test_an_onnx_file_is_read_as_onnxruntime_runs_it(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    form = FORMS[name]
    path = saved(form.graph(), tmp_path / "net.onnx")
    loaded = load_classifier(f"onnx:{path}{',' * bool(form.options)}{form.options}")
    assert ("is taken for the classes" in capsys.readouterr().err) == ("besides" in name and "output=" not in form.options)
    reference = Form(lambda: None) if name == "a tensor inside" else form
    if reference is not form:  # which the file itself does not give
        saved(ending(("Softmax", {})), path)
    for count in (1, 3):
        x = pictures(count, form.channels).requires_grad_()
        found, expected = loaded(x), expected_of(path, form, x.detach())
        assert found.shape == (count, CLASSES)
        assert (found - expected).abs().max() < (2e-2 if "half" in name else 1e-4)
        assert expected.exp().max() > 1.2 / CLASSES
        if "gradients=false" not in form.options:
            (gradient,) = torch.autograd.grad(found[:, 1:].sum(), x)
            assert (gradient.flatten(1) != 0).any(1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["half precision", "double precision", "any number of pictures"])
def test_a_run_computes_a_file_in_either_precision(tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    form, x = FORMS[name], pictures(2)
    path = saved(form.graph(), tmp_path / "net.onnx")
    loaded = load_classifier(f"onnx:{path}")
    with on_device(loaded, device=torch.device("cpu"), dtype=dtype):
        found = loaded(x.to(dtype))
    assert (found - expected_of(path, form, x)).abs().max() < (2e-2 if "half" in name else 1e-4)


@pytest.mark.parametrize("options", ["", ",gradients=false"])
@pytest.mark.parametrize("kind", [BFLOAT16, DOUBLE])
def test_what_onnxruntime_has_no_operators_for_is_computed_in_single_precision(tmp_path: Path, kind: int, options: str) -> None:
    narrow, wide = (Graph(kind=one).takes("n", 3, SIDE, SIDE).network().gives("n", CLASSES) for one in (kind, FLOAT))
    wide.constants = [numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float32), t.name) for t in narrow.constants]
    path, other = saved(narrow, tmp_path / "net.onnx"), saved(wide, tmp_path / "wide.onnx")
    with pytest.raises(Exception, match=r"invalid|implementation"):
        onnxruntime.InferenceSession(str(path))
    loaded, x = load_classifier(f"onnx:{path}{options}"), pictures(3)
    assert (loaded(x) - expected_of(other, Form(lambda: wide), x)).abs().max() < 1e-4


REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "flat colours": (
        lambda: reshaped(3, "n", 3 * 784).gives("n", CLASSES),
        "",
        r"takes any x 2352: pictures in three colours, 28 pixels high, .*layout=flat-chw .* or layout=flat-hwc",
    ),
    "four measurements": (
        lambda: Graph().takes("n", 4).network().gives("n", CLASSES),
        "",
        "takes any x 4; batch x 1 or 3 channels",
    ),
    "three open sides": (
        lambda: reshaped(1, "a", "b", "c").gives("n", CLASSES),
        "",
        "takes any x any x any. Say which axis is which",
    ),
    "two channels": (
        lambda: Graph(2).takes("n", 2, SIDE, SIDE).network().gives("n", CLASSES),
        "",
        "takes any x 2 x 28 x 28; batch",
    ),
    "a film": (
        lambda: Graph().takes("n", 8, 3, SIDE, SIDE).shaped(-1, 3, SIDE, SIDE).network().gives("n", CLASSES),
        "",
        "takes any x 8 x 3 x 28 x 28; batch",
    ),
    "pictures that fit into no memory": (
        lambda: Graph().takes("n", 3, 2**31, 2**62).network().gives("n", CLASSES),
        "",
        "fails on all pictures that were tried; 1 of 4611686018427387904 x 2147483648 pixels are too many",
    ),
    "a batch that fits into no memory": (lambda: plain(2**40), "", "1099511627776 of 28 x 28 pixels are too many"),
    "a constant that fits into no memory": (
        lambda: plain("n").takes(2**30, 4, name="second"),
        ',constants={"second":0}',
        "second=0 cannot be fixed in net.onnx: .*1073741824 x 4 is too large",
    ),
    "another layout": (lambda: plain("n"), ",layout=nhwc", "layout=nhwc was said, but net.onnx takes any x 3 x 28 x 28"),
    "no layout": (lambda: plain("n"), ",layout=whcn", "layout"),
    "8 bits with gradients": (
        lambda: whole(UINT8, "n", 3, SIDE, SIDE),
        "",
        r"takes whole numbers \(uint8\), through which no gradient passes.*surrogate:\(onnx:.*,gradients=false\)",
    ),
    "whole numbers of any range": (
        lambda: whole(INT64, "n", 3, SIDE, SIDE),
        ",gradients=false",
        r"takes whole numbers \(int64\). Say their range: scale=255",
    ),
    "8 bits that ImageNet's mean is to be subtracted from": (
        lambda: whole(UINT8, "n", 3, SIDE, SIDE),
        ",gradients=false,mean=imagenet",
        "mean=imagenet is for fractions",
    ),
    "text": (
        lambda: Graph().takes("n", 3, SIDE, SIDE, kind=TensorProto.STRING).then("Identity").gives("n", kind=TensorProto.STRING),
        "",
        "takes string; pictures as float",
    ),
    "two of them": (
        with_embedding,
        "",
        r"several outputs that can be classes: matmul4 \(5\), flatten3 \(8\). Say which are, for example output=matmul4",
    ),
    "another name": (
        with_embedding,
        ",output=logitz",
        "output=logitz was said, but net.onnx has no such output; it gives matmul4, fl",
    ),
    "a third output": (with_embedding, ",output=2", "output=2 was said, but net.onnx has no such output"),
    "another input": (lambda: plain("n"), ",input=image", "input=image was said, but the inputs .* needs are x"),
    "a flag that nobody set": (with_a_flag, "", r"has 2 inputs \(x, training\).*such as constants=\{\"training\":0\}"),
    "a constant that is no input": (with_a_flag, ',constants={"train":0}', "the inputs of net.onnx are x, training"),
    "the number of the class only": (
        lambda: Graph().takes("n", 3, SIDE, SIDE).network().then("ArgMax", axis=1).gives("n", 1, kind=INT64),
        "",
        r"gives argmax5 as tensor\(int64\), made by ArgMax; scores .* output=matmul4 takes what went into it",
    ),
    "classes each for itself": (lambda: ending(("Sigmoid", {})), "", "ends in Sigmoid, .*output=matmul4:logits"),
    "one class": (
        lambda: Graph().takes("n", 3, SIDE, SIDE).network().then("ReduceMean", axes=[1]).gives("n", 1),
        "",
        r"gives a tensor of shape \(1, 1\) for one picture; \(1, classes\) was expected",
    ),
    "a map of classes": (
        lambda: Graph().takes("n", 3, SIDE, SIDE).then("Relu").gives("n", 3, SIDE, SIDE),
        "",
        r"gives a tensor of shape \(1, 3, 28, 28\) for one picture",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_onnx_file_that_can_be_read_in_two_ways_or_none_is_refused_with_what_to_say(tmp_path: Path, name: str) -> None:
    graph, options, words = REFUSED[name]
    path = saved(graph(), tmp_path / "net.onnx")
    with pytest.raises(SpecError, match=words) as refused:
        load_classifier(f"onnx:{path}{options}")
    assert len(str(refused.value)) < 700


def test_a_graph_that_neither_the_checker_nor_onnxruntime_takes_is_damaged(tmp_path: Path) -> None:
    model = plain("n").model()
    model.graph.name, model.graph.node[0].op_type = "", "Convolve"
    with pytest.raises(WeightsError, match=r"net\.onnx \(\d+ bytes\) is not a whole ONNX file"):
        load_classifier(f"onnx:{saved(model, tmp_path / 'net.onnx')}")


def net(channels: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Conv2d(channels, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))
    made = nn.Sequential(*layers).eval().requires_grad_(False)
    made[0].weight.normal_()
    return made


class Wrapped(nn.Module):
    """A network whose input or output is changed."""

    def __init__(self, network: nn.Module, before: Callable[[Any], Any], after: Callable[[Any], Any]) -> None:
        super().__init__()
        self.network, self.before, self.after = network, before, after

    def forward(self, x: Tensor) -> Any:
        return self.after(self.network(self.before(x)))


def same(x: Any) -> Any:
    return x


class Script(NamedTuple):
    """What was traced, on which pictures, in which precision; and what has to be said."""

    network: Callable[[], nn.Module]
    shape: tuple[int, ...] = (2, 3, SIDE, SIDE)
    options: str = ""
    dtype: torch.dtype = torch.float32
    frozen: bool = False
    channels: int = 3


SCRIPTS: dict[str, Script] = {
    "any number of pictures": Script(net),
    "one picture": Script(lambda: Wrapped(net(), same, lambda y: y.view(1, CLASSES)), (1, 3, SIDE, SIDE)),
    "one picture, a vector": Script(lambda: Wrapped(net(), same, lambda y: y[0]), (1, 3, SIDE, SIDE)),
    "four pictures": Script(
        lambda: Wrapped(net(), lambda x: x.view(4, 3, SIDE, SIDE), same), (4, 3, SIDE, SIDE), "batch=4,size=28"
    ),
    "without a batch": Script(lambda: Wrapped(net(), lambda x: x[None], lambda y: y[0]), (3, SIDE, SIDE), "layout=chw"),
    "colours last": Script(lambda: Wrapped(net(), lambda x: x.permute(0, 3, 1, 2), same), (2, SIDE, SIDE, 3)),
    "without channels": Script(
        lambda: Wrapped(net(1), lambda x: x[:, None], same), (2, SIDE, SIDE), "layout=nhw,size=28", channels=1
    ),
    "flat": Script(
        lambda: Wrapped(net(1), lambda x: x.unflatten(1, (1, SIDE, SIDE)), same), (2, 784), "layout=flat,size=28", channels=1
    ),
    "half precision": Script(net, dtype=torch.float16),
    "double precision": Script(net, dtype=torch.float64),
    "bfloat16": Script(net, dtype=torch.bfloat16),
    "half precision, frozen": Script(net, dtype=torch.float16, frozen=True),
    "double precision, frozen": Script(net, dtype=torch.float64, frozen=True),
    "single precision, frozen": Script(net, frozen=True),
    "half precision, one picture": Script(
        lambda: Wrapped(net(), same, lambda y: y.view(1, CLASSES)), (1, 3, SIDE, SIDE), dtype=torch.float16
    ),
    "height and width one": Script(lambda: Wrapped(net(), same, lambda y: y[..., None, None])),
    "two outputs, one of classes": Script(lambda: Wrapped(net(), same, lambda y: (y, y.sum()))),
    "a dictionary, one of classes": Script(
        lambda: Wrapped(net(), same, lambda y: {"sum": y.sum(1), "out": y.softmax(-1)}), options="output=probabilities"
    ),
    "two outputs": Script(lambda: Wrapped(net(), same, lambda y: (y * 2, y)), options="output=1"),
    "a dictionary": Script(lambda: Wrapped(net(), same, lambda y: {"aux": y * 2, "out": y}), options="output=out"),
    "probabilities by name": Script(
        lambda: Wrapped(net(), same, lambda y: {"p": y.softmax(-1), "s": y}), options="output=p:probabilities"
    ),
}


CHOSEN = {
    "two outputs, one of classes": "gevaldi: of the 2 outputs of net.pt, 0 is taken for the classes\n",
    "a dictionary, one of classes": "gevaldi: of the 2 outputs of net.pt, out is taken for the classes\n",
}


def traced(script: Script, path: Path) -> Path:
    network = script.network().to(script.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = torch.jit.trace(network, torch.rand(script.shape, dtype=script.dtype), strict=False)
        torch.jit.save(torch.jit.freeze(written) if script.frozen else written, path)
    return path


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_archive_is_read_as_its_network_computes(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = SCRIPTS[name]
    path = traced(script, tmp_path / "net.pt")
    loaded = load_classifier(f"torchscript:{path},pickle=true{',' * bool(script.options)}{script.options}")
    assert capsys.readouterr().err == CHOSEN.get(name, "")
    tolerance = {torch.float16: 1e-2, torch.bfloat16: 0.1}.get(script.dtype, 1e-5)
    for count in (1, 3):
        x = pictures(count, script.channels).requires_grad_()
        found, expected = loaded(x), net(script.channels)(x).log_softmax(-1)
        assert found.shape == (count, CLASSES)
        assert (found - expected).abs().max() < tolerance
        (gradient,) = torch.autograd.grad(found[:, 1:].sum(), x)
        assert (gradient.flatten(1) != 0).any(1).all()
    x = pictures(2, script.channels)
    for dtype in (torch.float32, torch.float64):
        if script.frozen and script.dtype == torch.float32 and dtype == torch.float64:
            continue  # its numbers are in its program, and a run sees that it computes in single precision only
        with on_device(loaded, device=torch.device("cpu"), dtype=dtype):
            assert (loaded(x.to(dtype)) - net(script.channels)(x).log_softmax(-1)).abs().max() < tolerance


@pytest.mark.parametrize(
    ("after", "options", "words"),
    [
        (lambda y: (y, y * 2), "", r"a tuple of 0 \(1 x 5\), 1 \(1 x 5\) for 1 picture; say which has the classes, .* output=0"),
        (lambda y: {"a": y, "b": y * 2}, "", r"a dict of a \(1 x 5\), b \(1 x 5\)"),
        (lambda y: {"a": y, "b": y * 2}, ",output=logits", r"say which has the classes, for example output=a"),
        (lambda y: (y, y * 2), ",output=2", "output=2 was said, but the network gives a tuple of 0"),
        (lambda y: (y.sum(), y.mean()), "", "none of them has classes"),
        (
            lambda y: y,
            ",output=scores",
            "output=scores was said, but the network gives one tensor; what it ends in is one of logits",
        ),
    ],
)
def test_an_archive_of_several_outputs_is_refused_with_what_to_say(tmp_path: Path, after: Any, options: str, words: str) -> None:
    path = traced(Script(lambda: Wrapped(net(), same, after)), tmp_path / "net.pt")
    with pytest.raises(SpecError, match=words):
        load_classifier(f"torchscript:{path},pickle=true{options}")


PROGRAMS: dict[str, Script] = {
    "colours last": SCRIPTS["colours last"],
    "without a batch": SCRIPTS["without a batch"]._replace(options=""),
    "without channels": SCRIPTS["without channels"]._replace(options=""),
    "flat": SCRIPTS["flat"]._replace(options=""),
    "double precision": SCRIPTS["double precision"],
    "two outputs": SCRIPTS["two outputs"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_read_as_its_network_computes(tmp_path: Path, name: str) -> None:
    program = PROGRAMS[name]
    network, shape = program.network().to(program.dtype), torch.rand(program.shape, dtype=program.dtype)
    torch.export.save(torch.export.export(network, (shape,)), tmp_path / "net.pt2")
    loaded = load_classifier(f"exported:{tmp_path / 'net.pt2'},pickle=true{',' * bool(program.options)}{program.options}")
    for count in (1, 3):
        x = pictures(count, program.channels)
        assert (loaded(x) - net(program.channels)(x).log_softmax(-1)).abs().max() < 1e-5


def test_what_is_read_of_shapes_is_said_for_every_rank() -> None:
    from gevaldi.classifiers._layout import inputs_of

    for shape in ([], [5], [5, 5, 5, 5], [1, 1, 3, 28, 28], ["x"][:0]):
        with pytest.raises(GevaldiError, match=re.escape("a.onnx takes")):
            inputs_of(shape, None, "a.onnx")
    assert onnx.__version__
