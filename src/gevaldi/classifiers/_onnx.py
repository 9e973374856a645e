"""An ONNX graph as a network: by onnxruntime, which is right, and by torch, which has gradients; and whether they agree."""

import hashlib
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.classifiers._files import FileOptions, Input, behind_preprocessing, broken
from gevaldi.errors import ContractError, SpecError, describe_error
from gevaldi.models import Pictures
from gevaldi.provenance import note_files

TOLERANCE = {torch.float16: 2e-2}  # relative to the largest output; onnxruntime and torch add up in another order
USUAL_TOLERANCE = 1e-3
TOGETHER = 3  # pictures that are compared at once, besides one alone
# Fed by pictures, these cut the gradient wherever they stand, even where other branches of the network still pass some.
QUANTISING = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
STEPS = ("Round", "Floor", "Ceil", "Sign", "ArgMax", "ArgMin", "Hardmax", "OneHot", "NonZero", "Greater", "Less", "Equal", "Not")
MEASURING = ("Shape", "Size")  # what follows from them is no function of the pictures' values
FLOATS = {1: torch.float32, 10: torch.float16, 11: torch.float64}  # by the numbers of onnx.TensorProto.DataType


class Runtime(nn.Module):
    """A file as onnxruntime computes it: without gradients, on the processor."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            WeightsError: onnxruntime cannot run it.
        """
        import onnxruntime

        super().__init__()
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level, settings.intra_op_num_threads = 4, torch.get_num_threads()
        try:
            self.session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise broken(path, "file that onnxruntime can run", error) from error
        self.input = self.session.get_inputs()[0]
        # It has no tensors of its own; by this one a run knows the file from others.
        self.register_buffer("sha256", torch.frombuffer(bytearray(_digest(path)), dtype=torch.uint8))
        self.dtype = {"tensor(float16)": torch.float16, "tensor(double)": torch.float64}.get(self.input.type, torch.float32)

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """The only output, on the device of the pictures."""
        (output,) = self.session.run(None, {self.input.name: pictures.detach().to("cpu", self.dtype).numpy()})
        return torch.from_numpy(output).to(pictures)


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


def pictures_of(graph: Any) -> list[Any]:
    """The inputs of a graph, without the constants that older files list among them."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def with_gradients(model: Any, path: Path, told: FileOptions, found: Input, reference: nn.Module, picture: Pictures) -> nn.Module:
    """A model in torch, behind its preprocessing; asked for one picture at a time where, against its word, it is right only then.

    Raises:
        SpecError: an operator cannot be converted, or no gradient passes.
        ContractError: it gives something else than `reference`, which is onnxruntime behind the same preprocessing.
    """
    cutting = [node for node in _fed_by_pictures(model.graph) if node.op_type in QUANTISING]
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
        raise _without_gradient(path, [node for node in _fed_by_pictures(model.graph) if _is_a_step(node)])
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


def _fed_by_pictures(graph: Any) -> list[Any]:
    """The operators that work on what became of the pictures' values."""
    reached, nodes = {pictures_of(graph)[0].name}, []
    for node in graph.node:  # in the order of computation
        if reached.intersection(node.input):
            nodes.append(node)
            reached.update(() if node.op_type in MEASURING else node.output)
    return nodes


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
        "It can be searched with the gradients of a classifier like it: "
        f"surrogate:(onnx:{path},gradients=false)+(ANOTHER CLASSIFIER)."
    )
