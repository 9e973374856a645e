"""Classifiers in ONNX files."""

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gevaldi.errors import MissingExtra

if TYPE_CHECKING:
    from gevaldi.models import Classifier

PACKAGES = ("onnx", "onnx2pytorch", "onnxruntime")


class Onnx:
    """Classifiers in ONNX files: `onnx:model.onnx,mean=imagenet`, converted to torch and compared with onnxruntime at loading.

    Options say what the file expects: `size` (what it states), `resize` (`size`), `mean` and `std` (a number, a list or
    `imagenet`), `scale` (1; 255 for pictures in [0, 255]), `channels` (rgb, bgr), `interpolation` (bilinear), `layout` where it
    leaves its axes open (nchw, nhwc, nhw, chw, hwc, hw, flat-chw, flat-hwc), `input` for pictures and `constants={"training":0}`
    for other inputs; and what it gives: `output` (logits, log-probabilities, probabilities, the name of an output or of any tensor
    in the graph, or both: `NAME:probabilities`) and `labels` (`imagenet`, a text file, or a number).
    `gradients=false` leaves the computing to onnxruntime; searches are then by `cma-es`. Needs `pip install 'gevaldi[onnx]'`.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(
        self,
        name: str,
        /,
        *,
        gradients: bool = True,
        input: str | int | None = None,
        constants: dict[str, float] | None = None,
        **options: Any,
    ) -> "Classifier":
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
        from gevaldi.classifiers._files import as_classifier, existing, options_in
        from gevaldi.classifiers._graph import ends_in, read, with_constants
        from gevaldi.classifiers._onnx import only_reading, with_gradients

        told, path = options_in(f"onnx:{name}", options), existing(name, (".onnx",), "ONNX file")
        model = with_constants(read(path), constants or {}, path.name)
        found = only_reading(model, told, None if input is None else str(input), path, gradients)
        module = with_gradients(found, path, told) if gradients else found.reference
        last = told.ends_in or ends_in(found.model.graph, path.name)
        return as_classifier(module, told, found.classes, path.name, _names_in(model), last)


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
