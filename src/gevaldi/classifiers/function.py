"""Classifiers that are a function of NumPy arrays."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError
from gevaldi.registry import resolve_reference

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Function:
    """A NumPy function of your own, whatever computes in it: `function:FILE.py:predict`, or `function:package.module:predict`.

    It takes pictures in [0, 1] of shape (pictures, channels, height, width) as float32, or with `layout=nhwc` (pictures, height,
    width, channels), and returns probabilities of shape (pictures, classes), or what `output=logits` or
    `output=log-probabilities` says. Other options (`labels`, `size`, `mean`, `std`, `scale`, `channels`, `batch`) are those of
    `onnx:`. No gradient passes through it, so searches are by `cma-es`.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, **options: Any) -> "Classifier":
        """The function as a classifier.

        Raises:
            SpecError: there is no such function, it fails on all pictures that are tried, or its answer is no row of numbers.
        """
        from torch import nn

        from gevaldi.classifiers._black_box import black_box, source_of

        found = resolve_reference(name)
        if isinstance(found, nn.Module | type) or not callable(found):
            kind = "a class" if isinstance(found, type) else f"of type {type(found).__name__}"
            raise SpecError(
                f"{name!r} is {kind}; a function that takes pictures as a NumPy array and returns probabilities was expected. A "
                "network of torch, or a function that makes one, is python:" + name + "."
            )
        module = inspect.getmodule(found)
        (place, _, own), file = name.rpartition(":"), getattr(module, "__file__", None)
        path = Path(place) if place.endswith(".py") else Path(file) if file else None
        return black_box(found, f"function:{name}", options, own.encode() + source_of(path))
