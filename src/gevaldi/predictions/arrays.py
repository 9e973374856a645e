"""Predictions in an NPZ file of NumPy: `ids` with `probabilities`, or with the `classes` of each picture."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from gevaldi.errors import DataError
from gevaldi.labels import Label, labels_of
from gevaldi.predictions.checks import check_probabilities
from gevaldi.predictions.ranking import Probability, Top, as_strings, coded, most_probable

IDS, ANSWERS, PROBABILITIES = ("ids", "id"), ("classes", "predictions", "labels", "class"), ("probabilities", "probs")
ROWS = 65_536  # ranked at a time


def read_arrays(path: Path, labels: Sequence[Label] | None) -> tuple[pa.Array, tuple[Label, ...], Top, Probability | None]:
    """Ids, classes, top classes and probabilities of an NPZ file. Nothing that is pickled is read.

    Raises:
        DataError: it is damaged, lacks an array, or arrays do not fit to each other.
        OSError: it cannot be read.
    """
    try:
        if not zipfile.is_zipfile(path):  # NumPy would take it for one array, or for a pickle
            raise ValueError("it is no archive of arrays, as numpy.savez writes it")
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in (*IDS, *ANSWERS, *PROBABILITIES)}
            names = file.files
    except (ValueError, EOFError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        hint = " Save names as text: ids.astype(str)." if "pickle" in str(error) else ""
        raise DataError(f"The table {path} cannot be read as NPZ: {str(error).partition(chr(10))[0][:200]}.{hint}") from None
    ids, p, answers = (_first(arrays, names_of) for names_of in (IDS, PROBABILITIES, ANSWERS))
    if ids is None or (p is None and answers is None):
        raise DataError(
            f"The table {path} holds the arrays {', '.join(names) or 'none'}; ids, and probabilities or the classes of each "
            "picture, were expected."
        )
    _check_shape(ids, (ids.size,), "ids", path)
    if p is None:
        assert answers is not None
        _check_shape(answers, (len(ids),), "classes", path)
        return _text(ids, path), *_of_classes(answers, labels, path), None
    return _text(ids, path), *_of_probabilities(p, answers, labels, ids, path)


def _first(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _check_shape(array: np.ndarray, shape: tuple[int, ...], name: str, path: Path) -> None:
    if array.shape != shape:
        raise DataError(f"The {name} in {path} have the shape {array.shape}; {shape} was expected.")


def _text(values: np.ndarray, path: Path) -> pa.Array:
    if values.ndim != 1 or values.dtype.kind not in "UTSiu":
        raise DataError(f"The ids in {path} are of type {values.dtype} and shape {values.shape}; a list of text was expected.")
    return as_strings(pa.array(values))


def _of_classes(answers: np.ndarray, labels: Sequence[Label] | None, path: Path) -> tuple[tuple[Label, ...], Top]:
    return coded([pa.chunked_array([_text(answers, path)])], labels, str(path))


def _of_probabilities(
    p: np.ndarray, names: np.ndarray | None, labels: Sequence[Label] | None, ids: np.ndarray, path: Path
) -> tuple[tuple[Label, ...], Top, Probability]:
    if p.ndim != 2 or p.dtype.kind != "f" or p.shape[1] < 2:
        raise DataError(
            f"The probabilities in {path} have the shape {p.shape} and type {p.dtype}; (pictures, classes) were expected."
        )
    _check_shape(ids, (len(p),), "ids", path)
    known = tuple(labels) if labels else labels_of(p.shape[1] if names is None else _text(names, path).to_pylist())
    if len(known) != p.shape[1]:
        raise DataError(f"{path} has {p.shape[1]:,} probabilities for each picture, and {len(known):,} classes.")
    parts = []
    for begin in range(0, len(p), ROWS):
        part = p[begin : begin + ROWS].astype(np.float64)
        check_probabilities(part, pa.array(ids[begin : begin + ROWS]), str(path))
        parts.append(most_probable(part))
    top, values = (np.concatenate([part[i] for part in parts]) if parts else np.zeros((0, 1)) for i in (0, 1))
    return known, top.astype(np.int32), values.astype(np.float32)
