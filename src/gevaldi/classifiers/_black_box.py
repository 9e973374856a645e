"""Classifiers that are only an answer: a function from pictures to numbers, through which no gradient passes."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gevaldi.classifiers._files import as_classifier, fitting, options_in
from gevaldi.classifiers._layout import Input, inputs_of
from gevaldi.errors import GevaldiError, SpecError, describe_error
from gevaldi.models import Classifier

Answer = Callable[[np.ndarray], Any]
"""Pictures in single precision in, numbers of shape (pictures, classes) out."""

COMPARED = 8  # random pictures, by whose answers a run notices that another model is behind the name


class BlackBox(nn.Module):
    """A function of NumPy arrays as a module. It always receives a copy, and its own arrays are copied too."""

    passes_gradients = False

    def __init__(self, answer: Answer, source: bytes = b"") -> None:
        """`source` is its name and what it was read from; by its hash a run knows the function from others."""
        super().__init__()
        self.classes: int | None = None  # once it is known
        self._answer = answer
        self.requests_at_once: int = getattr(answer, "parallel", 0)  # 0: one call at a time
        self._lock = None if self.requests_at_once else Lock()
        self.register_buffer("sha256", torch.frombuffer(bytearray(hashlib.sha256(source).digest()), dtype=torch.uint8))
        self.register_buffer("answers", torch.zeros(0, dtype=torch.long))

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """The answer to pictures, on their device.

        Raises:
            ValueError, TypeError: it is not one row of numbers for each picture, or has another number of classes than before.
        """
        with self._lock or nullcontext():
            answer = self._answer(np.array(pictures.detach().cpu().numpy(), order="C"))
        try:
            rows = np.array(answer, dtype=np.float32)
        except (TypeError, ValueError) as error:
            kind = type(answer).__name__
            raise TypeError(f"it answers with a {kind}; an array of numbers (pictures, classes) was expected") from error
        count = len(pictures)
        if rows.ndim != 2 or len(rows) != count or self.classes not in (None, rows.shape[1]):
            wanted = f"({count}, {self.classes or 'classes'})"
            raise ValueError(f"it answers with shape {rows.shape} for {count} pictures; {wanted} was expected")
        return torch.from_numpy(rows).to(pictures.device)

    def __deepcopy__(self, memo: dict[int, Any]) -> "BlackBox":
        """Itself, if several threads may call it; otherwise there is no copy, and one thread evaluates everything."""
        if self._lock is not None:
            raise TypeError("a function may hold state while it computes, so it is not copied")
        return self

    def remember(self, output: Tensor) -> None:
        """Remember some answers, so that a run notices if another model answers under the same name."""
        self.answers = (output.nan_to_num().clamp(-1e6, 1e6) * 100).round().long()


def black_box(
    answer: Answer,
    call: str,
    options: dict[str, Any],
    source: bytes = b"",
    inputs: Sequence[Input] | None = None,
    names: Sequence[str] = (),
) -> Classifier:
    """A function as a classifier, if it answers random pictures.

    Args:
        answer: the function.
        call: its name, for messages.
        options: of classifiers from files (`FileOptions`); functions give probabilities unless `output` says otherwise, and take
            (pictures, channels, height, width) unless `layout` does.
        source: its name and what it was read from.
        inputs: what it can expect, if that is known.
        names: of its classes, if they are known.

    Raises:
        SpecError: it fails on all pictures that are tried, or answers with something else than numbers of classes.
    """
    told = options_in(call, {"output": "probabilities"} | options)
    box = BlackBox(answer, source)
    _, module, picture, row = fitting(box, told, inputs or inputs_of(None, told.layout or "nchw", call), call)
    box.classes = row.shape[1]
    pictures = torch.rand(COMPARED, *picture.shape[1:], generator=torch.Generator().manual_seed(1))
    try:
        output = module(pictures)
    except GevaldiError:
        raise
    except Exception as error:  # whatever code of the user's raises
        raise SpecError(
            f"{call} answers one picture, but not {COMPARED}: {describe_error(error)}. If it takes one at a time, say batch=1."
        ) from error
    if not bool(output.isfinite().any(-1).all()) or bool(output.isnan().any()):
        raise SpecError(
            f"{call} answers random pictures with NaN or infinity. Does it divide by a sum that is zero, or expect pictures of "
            "another range? They are in [0, 1]; scale=255 brings them to [0, 255]."
        )
    box.remember(output)
    made = as_classifier(module, told, output.shape[1], call, names)
    made.note = "it has no gradients"
    return made


def source_of(path: Path | None) -> bytes:
    """The content of a function's source file; nothing if it has none."""
    return path.read_bytes() if path and path.is_file() else b""
