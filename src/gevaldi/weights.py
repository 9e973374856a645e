"""Weights from files: safetensors, or PyTorch files that are read without running what they hold; put into a network key by key."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gevaldi.errors import WeightsError
from gevaldi.provenance import note_files

SAFE = ".safetensors"
PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".tar")
NESTED = ("state_dict", "model", "model_state_dict")  # under which training programs keep the weights among other things


def read_state(path: Path, *, allow_pickle: bool = False, remedy: str = "") -> dict[str, Tensor]:
    """All tensors of a weights file.

    Args:
        path: a safetensors file, or what `torch.save` wrote of a state dict.
        allow_pickle: read a PyTorch file that holds more than tensors, which can run any program hidden in it.
        remedy: what the user can do where it cannot be read.

    Raises:
        WeightsError: the file is missing, damaged, of another kind, or a pickle that was not allowed.
    """
    if not path.is_file():
        raise WeightsError(f"There are no weights at {path}. {remedy}".rstrip())
    note_files([path])
    if path.suffix == SAFE:
        return read_safetensors(path, remedy)[0]
    if path.suffix not in PICKLED:
        raise WeightsError(f"{path} is no weights file that is known: one of {', '.join((SAFE, *PICKLED))} was expected.")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # of which some may not be read: that is an error then
            found = torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors, and reading it would run whatever is hidden in it. If you trust where it comes from, "
            "say pickle=true; better, keep the weights as safetensors."
        ) from error
    except Exception as error:  # of whatever kind the reader of a damaged file raises
        size, reason = path.stat().st_size, str(error) or type(error).__name__
        raise WeightsError(f"{path} ({size} bytes) is not a whole PyTorch file: {reason}. {remedy}".rstrip()) from error
    return _state_in(path, found)


def read_safetensors(path: Path, remedy: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file and the metadata in its header.

    Raises:
        WeightsError: the file is missing, truncated or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(f"There are no weights at {path}. {remedy}".rstrip())
    note_files([path])
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        size = path.stat().st_size
        raise WeightsError(
            f"{path} ({size} bytes) is not a whole safetensors file: {error}. Delete it. {remedy}".rstrip()
        ) from error


def check_architecture(path: Path, network: nn.Module, tensors: Mapping[str, Tensor], remedy: str = "") -> None:
    """That the tensors are those of the network, name by name and shape by shape.

    Raises:
        WeightsError: they are not; the message counts the differences and names the first few.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    came = {key: tuple(value.shape) for key, value in tensors.items()}
    differences = [
        f"{key} came as {came.get(key, 'nothing')}, expected was {expected.get(key, 'nothing')}"
        for key in sorted(expected.keys() | came.keys())
        if expected.get(key) != came.get(key) and not key.endswith("num_batches_tracked")
    ]
    if differences:
        raise WeightsError(
            f"{path} holds another architecture than {type(network).__name__}: {'; '.join(differences[:3])}"
            f"{f'; and {len(differences) - 3} more' if len(differences) > 3 else ''}. {remedy}".rstrip()
        )


def fill(network: nn.Module, path: Path, *, allow_pickle: bool = False, remedy: str = "") -> None:
    """Put the weights of a file into a network, widened from half precision where they are stored so.

    Raises:
        WeightsError: the file cannot be read, or is of another architecture.
    """
    tensors = read_state(path, allow_pickle=allow_pickle, remedy=remedy)
    check_architecture(path, network, tensors, remedy)
    network.load_state_dict(tensors, strict=False)  # counters of batches, which some files lack, are not looked at in evaluation


def _state_in(path: Path, found: Any) -> dict[str, Tensor]:
    """The state dict in what a file held, out of what training programs wrap around it."""
    for key in NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if isinstance(found, nn.Module):
        found = found.state_dict()
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path} holds {type(found).__name__}, where a state dict, names to tensors, was expected.")
    return {str(key).removeprefix("module."): value for key, value in found.items()}
