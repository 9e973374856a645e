"""Weights from files: safetensors, or PyTorch files that are read without running what they hold, whole or in several files."""

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gevaldi.errors import WeightsError
from gevaldi.names import plain
from gevaldi.provenance import note_files

SAFE = ".safetensors"
PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".pkl")
INDEX = ".index.json"  # after the name of a file whose tensors lie in several
IN_FOLDER = ("model.safetensors", f"model.safetensors{INDEX}", "pytorch_model.bin", f"pytorch_model.bin{INDEX}")
SHARD = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
PATHS = ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
UNREAD = (  # what training programs keep beside weights: arguments, best figures, paths, times
    "argparse.Namespace",
    "numpy.dtype",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in PATHS),
    *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
)
MOST_BYTES, LONGEST = 64 * 2**20, 200  # bytes of an index, and letters of a file that it names


def read_content(path: Path, *, allow_pickle: bool = False, remedy: str = "") -> Any:
    """What a weights file holds: the tensors of a network by name, perhaps nested among other things.

    Args:
        path: a safetensors file, what `torch.save` wrote, the index of several such files, or a folder with one of these.
        allow_pickle: read a PyTorch file that holds more than tensors, which can run any program hidden in it.
        remedy: what the user can do where it cannot be read.

    Raises:
        WeightsError: a file is missing, damaged, of another kind, or a pickle that was not allowed.
    """
    if path.is_dir():
        found = [path / name for name in IN_FOLDER if (path / name).is_file()]
        if not found:
            raise WeightsError(f"There are no weights at {path}, a folder: one of {', '.join(IN_FOLDER)} was expected in it.")
        path = found[0]
    if not path.is_file():
        raise WeightsError(f"There are no weights at {path}. {remedy}".rstrip())
    note_files([path])
    if path.name.endswith(INDEX):
        return _in_shards(path, allow_pickle, remedy)
    _refuse_one_of_several(path)
    if path.suffix == SAFE:
        return read_safetensors(path, remedy)[0]
    if path.suffix not in PICKLED:
        raise WeightsError(
            f"{path} is no weights file that is known: one of {', '.join((SAFE, *PICKLED))}, an index {INDEX}, or a folder with "
            "one of these was expected."
        )
    return _unpickled(path, allow_pickle, remedy)


def _in_shards(index: Path, allow_pickle: bool, remedy: str) -> dict[str, Any]:
    """The tensors of all files that an index names, which lie beside it."""
    try:
        if index.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has {index.stat().st_size:,} bytes")
        places: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(places.values()))
        if not shards or any(Path(name).name != name or len(name) > LONGEST or name.endswith(".json") for name in shards):
            raise ValueError("its files have to lie beside it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{index} is no index of weights ({type(error).__name__}: {error}): a weight_map from names of tensors to files was "
            "expected."
        ) from error
    lacking = [name for name in shards if not (index.parent / name).is_file()]
    if lacking:
        raise WeightsError(
            f"{index} names {len(shards)} files, of which {', '.join(map(plain, lacking[:3]))} is not beside it. {remedy}".rstrip()
        )
    tensors: dict[str, Any] = {}
    for name in shards:
        note_files([index.parent / name])
        path = index.parent / name
        tensors |= read_safetensors(path, remedy)[0] if path.suffix == SAFE else _unpickled(path, allow_pickle, remedy)
    if missing := sorted(places.keys() - tensors.keys()):
        raise WeightsError(f"{index} names {plain(missing[0])}, which is in none of its files. {remedy}".rstrip())
    return {key: tensors[key] for key in places}


def _refuse_one_of_several(path: Path) -> None:
    """Refuse a file that holds a part of a network's tensors.

    Raises:
        WeightsError: its name says that it is one of several.
    """
    shard = SHARD.fullmatch(path.name)
    if shard and int(shard["count"]) > 1:
        index = f"{shard['name']}{shard['suffix']}{INDEX}"
        raise WeightsError(
            f"{path} is one of {int(shard['count'])} files of a network. Name their index instead: {path.parent / index}"
        )


class _Unread:
    """Stands for a setting or a figure in a checkpoint, of which nothing is read and nothing runs."""

    def __new__(cls, *args: Any, **options: Any) -> "_Unread":
        return object.__new__(cls)

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _unpickled(path: Path, allow_pickle: bool, remedy: str) -> Any:
    """What torch.save wrote."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # of which some may not be read: that is an error then
            if allow_pickle:
                return torch.load(path, map_location="cpu", weights_only=False)
            with torch.serialization.safe_globals([(_Unread, name) for name in UNREAD]):
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors{_classes_in(path)}, and reading it would run whatever is hidden in it. If you trust "
            "where it comes from, say pickle=true; better, keep the weights as safetensors."
        ) from error
    except (AttributeError, ImportError) as error:  # a pickle names classes, and does not hold them
        raise WeightsError(
            f"{path} holds objects of a program, not tensors alone{_classes_in(path)}, and the program is not at hand: {error}. "
            "Where it is, write the weights alone, torch.save(network.state_dict(), FILE), and name that file; or start gevaldi "
            "where its modules can be imported (PYTHONPATH)."
        ) from error
    except Exception as error:  # of whatever kind the reader of a damaged file raises
        size, reason = path.stat().st_size, str(error) or type(error).__name__
        raise WeightsError(f"{path} ({size} bytes) is not a whole PyTorch file: {reason}. {remedy}".rstrip()) from error


def _classes_in(path: Path) -> str:
    """The classes and functions that a pickle names, without running it; nothing where they cannot be listed."""
    try:
        names = sorted({*torch.serialization.get_unsafe_globals_in_checkpoint(str(path))} - {*UNREAD})
    except Exception:  # of older formats, or damaged
        return ""
    own = [name for name in names if not name.startswith(("torch.nn.", "torch._", "collections.", "builtins.", "__builtin__"))]
    shown = own or names
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f" ({', '.join(shown[:3])}{more})" if shown else ""


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
