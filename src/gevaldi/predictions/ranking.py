"""The most probable classes of each picture, from probabilities or from names of classes."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Float32, Int32

from gevaldi.errors import DataError, UnknownName
from gevaldi.labels import WNID, Label
from gevaldi.predictions.base import DEPTH, NO_ANSWER

Top = Int32[np.ndarray, "pictures depth"]
Probability = Float32[np.ndarray, "pictures depth"]


def most_probable(p: Float[np.ndarray, "pictures classes"], depth: int = DEPTH) -> tuple[Top, Probability]:
    """The places of the most probable classes and their values, most probable first; of equal ones the earlier class comes first.

    A row with NaN has `NO_ANSWER` and zeros.
    """
    depth = min(depth, p.shape[1])
    unknown = np.isnan(p).any(1)
    found = np.argsort(-p, axis=1, kind="stable")[:, :depth] if p.shape[1] <= 4 * depth else _partitioned(p, depth)
    values = np.take_along_axis(p, found, 1).astype(np.float32)
    found[unknown], values[unknown] = NO_ANSWER, 0
    return found.astype(np.int32), values


def _partitioned(p: Float[np.ndarray, "pictures classes"], depth: int) -> np.ndarray:
    """As a stable sort, faster where there are many classes."""
    some = np.sort(np.argpartition(-p, depth - 1, axis=1)[:, :depth], axis=1)
    values = np.take_along_axis(p, some, 1)
    found = np.take_along_axis(some, np.argsort(-values, axis=1, kind="stable"), 1)
    tied = np.flatnonzero((p >= values.min(1, keepdims=True)).sum(1) > depth)  # the partition chooses any of equal ones
    found[tied] = np.argsort(-p[tied], axis=1, kind="stable")[:, :depth]
    return found


def as_strings(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array of text; whole numbers become digits, also those that a null turned into floats.

    Raises:
        pa.ArrowInvalid, pa.ArrowNotImplementedError: its values are no text.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = column.cast(pa.int64())
    column = column.cast(pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def coded(columns: Sequence[pa.ChunkedArray], classes: Sequence[Label] | None, where: str) -> tuple[tuple[Label, ...], Top]:
    """The classes of columns of names, most probable first, and the places of each row's classes; nothing is `NO_ANSWER`.

    Args:
        columns: of names or ids of classes, or numbers.
        classes: all of them in order, to which numbers refer; None for those that occur, sorted.
        where: the file, for errors.

    Raises:
        UnknownName: a class is none of `classes`.
        DataError: no row has a class.
    """
    encoded = [_dictionary(column) for column in columns]
    names = sorted({name for one in encoded for name in one.dictionary.to_pylist() if name}, key=_in_order)
    if not names:
        raise DataError(f"{where} names no class: its column of classes is empty.")
    labels = tuple(classes) if classes else tuple(Label(name, name if WNID.fullmatch(name) else None) for name in names)
    places = _places(names, labels, where) if classes else {name: i for i, name in enumerate(names)}
    return labels, np.stack([_recoded(one, places) for one in encoded], axis=1)


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return pa.DictionaryArray.from_arrays(whole.indices, as_strings(whole.dictionary) if kind != pa.string() else whole.dictionary)


def _recoded(one: pa.DictionaryArray, places: Mapping[str, int]) -> Int32[np.ndarray, " pictures"]:
    table = np.array([places.get(name, NO_ANSWER) for name in one.dictionary.to_pylist()] + [NO_ANSWER], np.int32)
    return np.asarray(table[pc.fill_null(one.indices, len(table) - 1).to_numpy(zero_copy_only=False)])


def _places(names: Sequence[str], labels: Sequence[Label], where: str) -> dict[str, int]:
    """Where names are among labels: by name or id, or all of them as numbers."""
    known = {text: i for i, label in reversed([*enumerate(labels)]) for text in (label.name, label.id) if text}
    lost = [name for name in names if name not in known]
    if not lost:
        return {name: known[name] for name in names}
    if all(name.isdecimal() and int(name) < len(labels) for name in names):
        return {name: int(name) for name in names}
    raise UnknownName(f"class in {where} and its classes=", lost[0], known)


def _in_order(name: str) -> tuple[int, str]:
    """Numbers by value, then text."""
    return (int(name), "") if name.isdecimal() and len(name) < 10 else (10**9, name)


def digest_of(ids: pa.Array, classes: Sequence[Label], top: Top) -> str:
    """SHA-256 over ids, classes and top classes."""
    digest = sha256(json.dumps([len(ids), [(label.name, label.id) for label in classes], top.shape]).encode())
    digest.update(digest_of_ids(ids).encode())
    digest.update(np.ascontiguousarray(top, "<i4").data)
    return digest.hexdigest()


def digest_of_ids(ids: pa.Array) -> str:
    """SHA-256 over ids, wherever the array lies in its buffers."""
    digest = sha256(pc.binary_length(ids).cast(pa.int64()).to_numpy(zero_copy_only=False).astype("<i8").data)
    _, offsets, data = ids.buffers()
    if len(ids) and data:
        begin, *_, end = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1][[0, -1]]
        digest.update(data[int(begin) : int(end)])
    return digest.hexdigest()
