"""Where classifiers come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.provenance import record_files
from gevaldi.quoting import quote_name
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Label

WHOLE = {
    ".skops": "sklearn",
    ".onnx": "onnx",
    ".pt2": "exported",
    ".ts": "torchscript",
    ".jit": "torchscript",
    ".torchscript": "torchscript",
}
"""Which source reads files that hold a network with its architecture."""


def name_path(path: Path) -> str:
    """How a file or a folder becomes a classifier."""
    name = quote_name(str(path))
    if path.suffix == ".py":
        return f"Name a function in it that returns one: python:{name}:FUNCTION."
    if path.suffix in WHOLE:
        return f"Write {WHOLE[path.suffix]}:{name}."
    if os.path.isdir(path):
        return f"A folder saved by transformers is transformers:{name}, one saved by timm is timm:local-dir:{name}."
    return (
        f"A checkpoint holds weights, so name its network too: torchvision:resnet50,weights={name}, timm:NAME,weights={name}, or "
        f"python:FILE.py:FUNCTION for a network of your own. A TorchScript file is torchscript:{name}."
    )


sources = Sources(Registry("classifier source", "gevaldi.classifiers"), "classifier", name_path)


def load_classifier(given: "str | Classifier") -> "Classifier":
    """The classifier that a user names (`bundled:mnist-strided`, `python:package.module:factory`) or gives.

    Raises:
        UnknownName, SpecError: there is none of that name, or what was found is not a classifier.
        WeightsError: its weights cannot be read.
    """
    from gevaldi.models import Classifier

    with record_files() as files:
        found: Classifier = sources.resolve(given, Classifier, "Wrap a module in one line: gevaldi.classifier(module, labels=10)")
    found.labels = _checked_labels(found)
    if not isinstance(given, str):
        return found
    found.files = files
    return found.eval()


def _checked_labels(classifier: "Classifier") -> "tuple[Label, ...]":
    """The labels of a classifier, in whatever form a class of the user's own has them.

    Raises:
        SpecError: it has none, or they are of no known form.
    """
    from gevaldi.errors import SpecError
    from gevaldi.models import labels_of

    if not hasattr(classifier, "labels"):
        raise SpecError(f"{type(classifier).__name__} has no labels; set them in __init__: self.labels = ['cat', 'dog'].")
    return labels_of(classifier.labels)
