"""Classifiers in ONNX files."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import MissingExtra, SpecError
from gevaldi.registry import Call, construct

if TYPE_CHECKING:
    from gevaldi.classifiers._files import Input
    from gevaldi.models import Classifier

PACKAGES = ("onnx", "onnx2pytorch", "onnxruntime")


class Onnx:
    """Classifiers in ONNX files: `onnx:model.onnx,mean=imagenet`, converted to torch and compared with onnxruntime at loading.

    Options say what the file expects: `size` (what it states), `resize` (`size`), `mean` and `std` (a number, a list or
    `imagenet`), `scale` (1; 255 for pictures in [0, 255]), `channels` (rgb, bgr), `interpolation` (bilinear); and what it gives:
    `output` (logits, log-probabilities, probabilities) and `labels` (`imagenet`, a text file, or a number). `gradients=false`
    leaves the computing to onnxruntime, for use under `surrogate:`. Needs `pip install 'gevaldi[onnx]'`.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, gradients: bool = True, **options: Any) -> "Classifier":
        """The classifier in a file, if it gives the same in torch as in onnxruntime, for pictures alone and several at once.

        Raises:
            MissingExtra: a package for ONNX is not installed.
            WeightsError: the file is missing, damaged, or lacks the file of its weights.
            SpecError: it is no classifier of pictures, an operator cannot be converted or has no gradient, or an option is wrong.
            ContractError: it gives something else in torch.
        """
        for package in PACKAGES:
            if find_spec(package) is None:
                raise MissingExtra(package, f"onnx:{name}", "onnx")
        from gevaldi.classifiers._files import FileOptions, as_classifier, behind_preprocessing, existing, probed
        from gevaldi.classifiers._onnx import Runtime, with_gradients

        told, path = construct(FileOptions, Call(f"onnx:{name}", options), "classifier"), existing(name, (".onnx",), "ONNX file")
        model = _read(path)
        found = _input(model, path.name)
        reference = behind_preprocessing(Runtime(path), told, found)
        picture, output = probed(reference, found, path.name)
        module = with_gradients(model, path, told, found, reference, picture) if gradients else reference
        return as_classifier(module, told, output.shape[1], path.name, _names_in(model))


def _read(path: Path) -> Any:
    import onnx

    from gevaldi.classifiers._files import broken

    try:
        onnx.checker.check_model(str(path))
        return onnx.load(str(path))
    except Exception as error:
        remedy = "That file has to come along with this one." if "should be stored in" in str(error) else ""
        raise broken(path, "ONNX file", error, remedy) from error


def _input(model: Any, name: str) -> "Input":
    """What the graph says of its input.

    Raises:
        SpecError: it has several inputs or outputs, or takes no pictures.
    """
    from gevaldi.classifiers._files import Input
    from gevaldi.classifiers._onnx import FLOATS, pictures_of

    for what, values in (("inputs", pictures_of(model.graph)), ("outputs", model.graph.output)):
        if len(values) != 1:
            raise SpecError(f"{name} has {len(values)} {what} ({', '.join(v.name for v in values)}); a classifier has one.")
    kind = pictures_of(model.graph)[0].type.tensor_type
    if kind.elem_type not in FLOATS:
        raise SpecError(f"{name} takes whole numbers, through which no gradient passes; an input of type float was expected.")
    shape = [dimension.dim_value or None for dimension in kind.shape.dim]
    if len(shape) != 4 or shape[1] not in (None, 1, 3):
        remedy = " Export it with the colours first." if len(shape) == 4 and shape[3] in (1, 3) else ""
        came = " x ".join(str(side or "any") for side in shape)
        raise SpecError(f"{name} takes {came}; batch x 1 or 3 channels x height x width was expected.{remedy}")
    batch, channels, height, width = shape
    return Input(channels, height, width, most=batch, least=batch or 1, dtype=FLOATS[kind.elem_type])


def _names_in(model: Any) -> list[str]:
    """The names of classes in the file's metadata, under `labels`: a JSON list or object, or one a line; none if there are none."""
    text = next((entry.value for entry in model.metadata_props if entry.key == "labels"), "")
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or too deep for it
        return [line.strip() for line in text.splitlines() if line.strip()]
    if isinstance(known, dict):
        known = [known[key] for key in sorted(known, key=int)]
    return [str(label) for label in known] if isinstance(known, list) else []
