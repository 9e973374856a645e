"""Classifiers that torch.export wrote."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from gevaldi.classifiers._layout import Input, Layout
    from gevaldi.models import Classifier


class Exported:
    """Classifiers that `torch.export.save` wrote: `exported:model.pt2,pickle=true`, with options as those of `onnx:`.

    torch reads such a file with Python's pickle and evaluates expressions out of it, and so runs whatever is hidden in it:
    `pickle=true` says that you trust where it comes from. Without, nothing of it is read.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, pickle: bool = False, **options: Any) -> "Classifier":
        """The classifier in a file; where it was exported for a fixed number of pictures, it is asked for as many at a time.

        torch.export.load (2.15 as well as those before) loads example inputs, and weights that are marked so, by
        `torch.load(weights_only=False)`, and hands the expressions of dynamic shapes to sympy, which evaluates them.

        Raises:
            WeightsError: the file is missing or damaged, or `pickle=true` was not said.
            SpecError: it is no classifier of pictures, or an option is wrong.
        """
        from gevaldi.classifiers._files import as_classifier, existing, fitting, is_code, options_in

        told, path = (
            options_in(f"exported:{name}", options),
            existing(name, (".pt2",), "exported program"),
        )
        if not pickle:
            raise is_code(
                path, f"exported:{name}", "torch reads exported programs with pickle, which runs whatever is hidden in them"
            )
        program, network = _read(path)
        _, module, _, output = fitting(network, told, _inputs(program, told.layout, path.name), path.name)
        return as_classifier(module, told, output.shape[1], path.name)


def _read(path: Path) -> tuple[Any, Any]:
    """The program, and the network that it is."""
    from zipfile import is_zipfile

    import torch

    from gevaldi.classifiers._files import broken

    if not is_zipfile(path):
        raise broken(path, "exported program", ValueError("it is no archive, or its end is missing"))
    log = logging.getLogger("torch.export")  # which writes the traceback of an error that is answered here
    log.disabled = True
    try:
        program = torch.export.load(path)
        return program, _network(program)
    except Exception as error:
        raise broken(path, "exported program", error, "Was it written by torch.export.save of a like version of torch?") from error
    finally:
        log.disabled = False


def _network(program: Any) -> Any:
    """The program as a module, which can be set to evaluation mode like others.

    torch forbids it with two methods of its own, since nothing in the graph would change: it is what it was at export.
    """
    module = program.module()
    del module.train, module.eval
    return module


def _inputs(program: Any, layout: "Layout | None", name: str) -> "list[Input]":
    """What the program says of its input.

    Raises:
        SpecError: it has several inputs, or takes no pictures.
    """
    from gevaldi.classifiers._layout import inputs_of

    wanted = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    if len(wanted) != 1 or len(values) != 1:
        raise SpecError(f"{name} has {len(wanted)} inputs ({', '.join(map(str, wanted))}); a classifier has one.")
    (value,) = values
    if not hasattr(value, "shape") or not value.is_floating_point():
        came = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
        raise SpecError(f"{name} takes {came}, through which no gradient passes; an input of floats was expected.")
    readings = inputs_of([side if isinstance(side, int) else None for side in value.shape], layout, name)
    return [replace(reading, dtype=value.dtype, **_batch(program, reading, value.shape)) for reading in readings]


def _batch(program: Any, reading: "Input", shape: Any) -> dict[str, Any]:
    """The smallest and the largest number of pictures that a program takes at once; None for any."""
    if not reading.axes.startswith("n") or isinstance(shape[0], int):
        return {}
    allowed = program.range_constraints.get(shape[0].node.expr)
    if allowed is None:
        return {}
    return {"least": max(1, int(allowed.lower)), "most": int(allowed.upper) if allowed.upper.is_Integer else None}
