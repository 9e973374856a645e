"""An ONNX graph as a network: by onnxruntime, which is right, and by torch, which has gradients; and whether they agree."""

import hashlib
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from gevaldi.classifiers._files import FileOptions, behind_preprocessing, broken, fitting, say_which_output
from gevaldi.classifiers._graph import FLOATS, WHOLE, cut_to, fed_by, inputs, session, shape_of
from gevaldi.classifiers._layout import Input, inputs_of
from gevaldi.errors import ContractError, SpecError, describe_error
from gevaldi.models import Output, Pictures
from gevaldi.provenance import note_files

TOLERANCE = {torch.float16: 2e-2}  # relative to the largest output; onnxruntime and torch add up in another order
USUAL_TOLERANCE = 1e-3
TOGETHER = 3  # pictures that are compared at once, besides one alone
# Fed by pictures, these cut the gradient wherever they stand, even where other branches of the network still pass some.
QUANTISING = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
STEPS = ("Round", "Floor", "Ceil", "Sign", "ArgMax", "ArgMin", "Hardmax", "OneHot", "NonZero", "Greater", "Less", "Equal", "Not")
MEASURING = ("Shape", "Size")  # what follows from them is no function of the pictures' values
CHOOSING = ("ArgMax", "TopK", "ZipMap", "Cast")  # after which there are no scores any more
LARGEST = 2**31 - 1  # bytes of one message


class Runtime(nn.Module):
    """A graph as onnxruntime computes it: without gradients, on the processor."""

    passes_gradients = False

    def __init__(self, model: Any, path: Path) -> None:
        """Open a graph with one input and one output that matter, which comes from a file.

        Raises:
            WeightsError: onnxruntime cannot run it.
            SpecError: its output is no tensor of fractions.
        """
        super().__init__()
        try:  # what is too large for one message is read by onnxruntime itself
            self.session = session(model.SerializeToString() if model.ByteSize() < LARGEST else str(path))
        except Exception as error:
            raise broken(path, "file that onnxruntime can run", error) from error
        self.fed, self.read = inputs(model.graph)[0].name, model.graph.output[0].name
        kind = next(value.type for value in self.session.get_outputs() if value.name == self.read)
        if kind not in ("tensor(float)", "tensor(float16)", "tensor(double)"):
            raise SpecError(_no_scores(model.graph, path, kind))
        # It has no tensors of its own; by this one a run knows the file from others.
        self.register_buffer("sha256", torch.frombuffer(bytearray(_digest(path)), dtype=torch.uint8))

    def forward(self, pictures: Tensor) -> Tensor:
        """The output for pictures as the graph takes them, on their device."""
        (output,) = self.session.run([self.read], {self.fed: pictures.detach().cpu().numpy()})
        found = torch.from_numpy(output).to(pictures.device)
        return found.to(pictures.dtype) if pictures.is_floating_point() else found


def _no_scores(graph: Any, path: Path, kind: str) -> str:
    maker = next((node for node in graph.node if graph.output[0].name in node.output), None)
    before = f" output={maker.input[0]} takes what went into it." if maker is not None and maker.op_type in CHOOSING else ""
    after = f", made by {maker.op_type}" if maker is not None else ""
    return f"{path.name} gives {graph.output[0].name} as {kind}{after}; scores of classes were expected.{before}"


def _digest(path: Path) -> bytes:
    """SHA-256 of a file and of those in which it keeps weights, in the order of their names."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    places = {entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"}
    digest, files = hashlib.sha256(), [path, *(path.parent / place for place in sorted(places))]
    note_files(files)
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.digest()


@dataclass(frozen=True)
class Reading:
    """A graph cut down to one output, what it takes, onnxruntime behind the preprocessing, and what that gives for a picture."""

    model: Any
    found: Input
    reference: nn.Module
    picture: Pictures
    classes: int

    @property
    def output(self) -> str:
        """The name of the output."""
        return str(self.model.graph.output[0].name)


def only_reading(model: Any, told: FileOptions, said: str | None, path: Path, gradients: bool) -> Reading:
    """What a graph gives at the output that was named, or else at the only one that gives classes.

    Args:
        model: with constants in the place of inputs that have fixed values.
        told: the user's options.
        said: the name of the input for pictures, where a user gave it.
        path: of the file.
        gradients: whether they are needed.

    Raises:
        SpecError: no output gives classes, or several do, or it is no graph of pictures.
        WeightsError: onnxruntime cannot run it.
    """
    found, errors, names = [], [], _outputs(model.graph, told.part, path.name)
    for name in names:
        try:
            found.append(_reading(model, name, told, said, path, gradients))
        except SpecError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    if len(found) > 1:
        listed = ", ".join(f"{one.output} ({one.classes})" for one in found)
        raise SpecError(
            f"{path.name} has several outputs that can be classes: {listed}. Say which are, for example output={found[0].output}."
        )
    if errors:
        say_which_output(len(names), path.name, found[0].output)
    return found[0]


def _outputs(graph: Any, part: "int | str | None", name: str) -> list[str]:
    """The tensors that may have the classes: the one that was named, or all outputs.

    Raises:
        SpecError: nothing in the graph bears the name.
    """
    outputs = [value.name for value in graph.output]
    tensors = {key for node in graph.node for key in node.output}
    if part is not None and str(part) in {*outputs, *tensors}:
        return [str(part)]
    if isinstance(part, int) and 0 <= part < len(outputs):
        return [outputs[part]]
    if part is None or part in get_args(Output):
        return outputs
    raise SpecError(
        f"output={part} was said, but {name} has no such output; it gives {', '.join(outputs)}. What it ends in is one of "
        f"{', '.join(get_args(Output))}."
    )


def _reading(model: Any, output: str, told: FileOptions, said: str | None, path: Path, gradients: bool) -> Reading:
    """What a graph gives at one of its tensors.

    Raises:
        SpecError: it needs several inputs, takes no pictures, or gives no classes.
        WeightsError: onnxruntime cannot run it.
    """
    cut = cut_to(model, output)
    value = _pictures_in(cut.graph, said, path.name)
    readings = inputs_of(shape_of(value), told.layout, path.name)
    dtype = (FLOATS | WHOLE).get(value.type.tensor_type.elem_type)
    if dtype is None:
        raise SpecError(f"{path.name} takes {_kind(value)}; pictures as float, float16, double or uint8 were expected.")
    if not dtype.is_floating_point and gradients:
        raise SpecError(f"{path.name} takes whole numbers ({_kind(value)}), through which no gradient passes. {_way_out(path)}")
    known = [replace(form, dtype=dtype) for form in readings]
    inner = told.model_copy(update={"output": None})  # which was chosen here
    found, reference, picture, row = fitting(Runtime(cut, path), inner, known, path.name)
    return Reading(cut, found, reference, picture, row.shape[1])


def _kind(value: Any) -> str:
    import onnx

    return str(onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)).lower()


def _pictures_in(graph: Any, said: str | None, name: str) -> Any:
    """The input for pictures, if an output needs no other."""
    needed = {value.name: value for value in inputs(graph)}
    if said is not None and said not in needed:
        raise SpecError(
            f"input={said} was said, but the inputs that {graph.output[0].name} of {name} needs are {', '.join(needed)}."
        )
    if len(needed) != 1:
        others = [key for key in needed if key != said][said is None :] or ["NAME"]
        fixed = ",".join(f'"{key}":0' for key in others)
        raise SpecError(
            f"{name} has {len(needed)} inputs ({', '.join(needed)}); a classifier has one. Give the others fixed values, such as "
            f"constants={{{fixed}}}."
        )
    return next(iter(needed.values()))


def with_gradients(read: Reading, path: Path, told: FileOptions) -> nn.Module:
    """A model in torch, behind its preprocessing; asked for one picture at a time where, against its word, it is right only then.

    Raises:
        SpecError: an operator cannot be converted, or no gradient passes.
        ContractError: it gives something else than onnxruntime behind the same preprocessing.
    """
    model, found, reference, picture = read.model, read.found, read.reference, read.picture
    cutting = [node for node in fed_by(model.graph, inputs(model.graph)[0].name, MEASURING) if node.op_type in QUANTISING]
    if cutting:
        raise _without_gradient(path, cutting)
    tolerance = TOLERANCE.get(found.dtype, USUAL_TOLERANCE)
    with _naming_operators(path):
        network = _torch(model)
        for most in [found.most] if found.most else [None, 1]:
            module = behind_preprocessing(network, told, replace(found, most=most))
            difference = _difference(module, reference, picture)
            if difference <= tolerance:
                break
        passes = _passes(module, picture)
    if not difference <= tolerance:  # as NaN is not
        raise ContractError(
            f"{path.name} gives something else in torch than in onnxruntime: on random pictures by {difference:.2g} of its largest "
            f"output, where at most {tolerance:g} was expected of rounding. {_way_out(path)}"
        )
    if not passes:
        raise _without_gradient(
            path, [node for node in fed_by(model.graph, inputs(model.graph)[0].name, MEASURING) if _is_a_step(node)]
        )
    return module


def _torch(model: Any) -> nn.Module:
    from onnx2pytorch import ConvertModel

    model = deepcopy(model)  # which is changed here, and by onnx2pytorch
    for node in model.graph.node:
        for part in [part for part in node.attribute if part.name == "training_mode" and part.i == 0]:
            node.attribute.remove(part)  # the default, which older exporters write all the same, and onnx2pytorch does not know
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message="No explicit conversion")  # it would take what torch has under that name
        converted: nn.Module = ConvertModel(model)
    return converted


@contextmanager
def _naming_operators(path: Path) -> Iterator[None]:
    """Errors out of onnx2pytorch, which say little, together with the operator at which they arose."""
    try:
        yield
    except Exception as error:
        nodes = [frame.f_locals.get("node") for frame, _ in traceback.walk_tb(error.__traceback__)]
        kinds = [str(node.op_type) for node in nodes if node is not None and hasattr(node, "op_type")]
        raise SpecError(
            f"{path.name} cannot be converted to torch because of its operator {kinds[-1] if kinds else '(unknown)'}: "
            f"{describe_error(error)[:300]}. {_way_out(path)}"
        ) from error


def _difference(module: nn.Module, reference: nn.Module, picture: Pictures) -> float:
    """The largest difference of outputs, of random pictures alone and together, relative to the largest output.

    The reference is asked for one picture at a time: what it says of several at once may depend on the others.
    """
    pictures = torch.rand(TOGETHER, *picture.shape[1:], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = torch.cat([reference(alone) for alone in pictures.split(1)]).double()
        alone = module(pictures[:1]).double()
        try:
            together = module(pictures).double()
        except RuntimeError:  # shapes inside are fixed to those of one picture
            return float("inf")
    if together.shape != expected.shape:
        return float("inf")
    largest = max((together - expected).abs().max().item(), (alone - expected[:1]).abs().max().item())
    return float(largest / max(1e-6, expected.abs().max().item()))


def _passes(module: nn.Module, picture: Pictures) -> bool:
    """Whether the outputs have a gradient with respect to the picture that is not all zero."""
    with torch.enable_grad():
        asked = picture.clone().requires_grad_()
        output: Tensor = module(asked)
        weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2), dtype=output.dtype)
        if not output.requires_grad:
            return False
        (gradient,) = torch.autograd.grad((output * weights).sum(), asked, allow_unused=True)
    return gradient is not None and bool((gradient != 0).any())


def _is_a_step(node: Any) -> bool:
    """Whether an operator's output changes in steps, so that its gradient is zero or none."""
    integers = node.op_type == "Cast" and any(part.name == "to" and part.i not in FLOATS for part in node.attribute)
    return node.op_type in STEPS or integers


def _without_gradient(path: Path, nodes: list[Any]) -> SpecError:
    kinds = ", ".join(dict.fromkeys("Cast to integers" if node.op_type == "Cast" else node.op_type for node in nodes))
    if not kinds:
        return SpecError(f"No gradient passes through {path.name}; it seems to give the same for all pictures. Is it trained?")
    return SpecError(f"No gradient passes through {path.name}, because of {kinds} on what became of the pictures. {_way_out(path)}")


def _way_out(path: Path) -> str:
    return (
        f"A verdict and a search by cma-es need none: onnx:{path},gradients=false. A search can also take those of a classifier like "
        f"it: surrogate:(onnx:{path},gradients=false)+(ANOTHER CLASSIFIER)."
    )
