"""Classifiers in TorchScript archives."""

import warnings
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, is_zipfile

from gevaldi.errors import WeightsError

if TYPE_CHECKING:
    from gevaldi.classifiers._layout import Input, Layout
    from gevaldi.models import Classifier

SUFFIXES = (".pt", ".pth", ".ts", ".jit", ".torchscript")


class Torchscript:
    """Classifiers in TorchScript archives: `torchscript:model.pt,pickle=true`, with options as those of `onnx:`.

    An archive is a program: it brings code of its own, which runs already when it is read. That can use all operators of torch, and
    some of them read and overwrite files: `pickle=true` says that you trust where it comes from. Without, nothing of it is read.
    torch deprecates the format: it is read here, and better written as ONNX.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, pickle: bool = False, **options: Any) -> "Classifier":
        """The classifier in an archive, which was scripted or traced.

        Raises:
            WeightsError: the file is missing, damaged, or no archive of TorchScript, or `pickle=true` was not said.
            SpecError: it is no classifier of pictures, or an option is wrong.
        """
        from gevaldi.classifiers._files import as_classifier, existing, fitting, is_code, one_at_a_time_if_needed, options_in

        told, path = (
            options_in(f"torchscript:{name}", options),
            existing(name, SUFFIXES, "TorchScript archive"),
        )
        if not pickle:
            raise is_code(path, f"torchscript:{name}", "TorchScript is code, which can overwrite files as soon as it is read")
        network = _read(path)
        found, module, picture, output = fitting(network, told, _inputs(network, told.layout, path.name), path.name)
        if found.most is None:
            module = one_at_a_time_if_needed(network, told, found, module, picture)
        return as_classifier(module, told, output.shape[1], path.name)


def _read(path: Path) -> Any:
    import torch

    from gevaldi.classifiers._files import broken

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`torch.jit.load` is", category=FutureWarning)
            warnings.filterwarnings("ignore", message="`torch.jit.load` is", category=DeprecationWarning)  # of older versions
            return torch.jit.load(path, map_location="cpu")
    except (OSError, RuntimeError, ValueError) as error:
        if _is_pickled(path):
            raise WeightsError(
                f"{path} was written by torch.save and is no TorchScript archive: it holds weights, or a network that was pickled "
                "whole. If it holds weights only, name their network: torchvision:NAME,weights=FILE, or timm:NAME,weights=FILE; if "
                "it is whole, add pickle=true. For a network of your own, name a function that builds it and loads the file: "
                "python:FILE.py:NAME."
            ) from error
        raise broken(path, "TorchScript archive", error) from error


def _is_pickled(path: Path) -> bool:
    """Whether a file is what torch.save writes, which has no constants of a program."""
    if not is_zipfile(path):
        return path.read_bytes()[:1] == b"\x80"
    try:
        with ZipFile(path) as archive:
            names = [PurePosixPath(name).name for name in archive.namelist()]
    except BadZipFile:
        return False
    return "data.pkl" in names and "constants.pkl" not in names


def _inputs(network: Any, layout: "Layout | None", name: str) -> "list[Input]":
    """What an archive can expect, which says nothing of it: numbers such as its weights', or others if it has none any more."""
    import torch

    from gevaldi.classifiers._layout import inputs_of

    weights = [t.dtype for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]
    kinds = dict.fromkeys([*weights, torch.float32, torch.float16, torch.bfloat16, torch.float64])
    return [replace(reading, dtype=kind) for reading in inputs_of(None, layout, name) for kind in kinds]
