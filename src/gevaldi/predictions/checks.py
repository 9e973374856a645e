"""Checks of what a table says of its pictures."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int, Shaped

from gevaldi.errors import DataError
from gevaldi.names import plain

SHOWN = 3
TOLERANCE = 1e-5  # by which a rounded probability may leave [0, 1]


def some(ids: pa.Array) -> str:
    """The first few ids, for messages."""
    return ", ".join(plain(one) for one in ids[:SHOWN].to_pylist()) + (", …" if len(ids) > SHOWN else "")


def check_ids(ids: pa.Array, where: str) -> None:
    """Refuse pictures without a name, and those that stand there twice.

    Raises:
        DataError: there are any, or no pictures at all.
    """
    if len(distinct_rows(ids, where)) < len(ids):
        counts = ids.value_counts()
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        raise DataError(f"{where} has more than one of {len(twice):,} names: {some(twice)}. Name each picture differently.")


def distinct_rows(
    ids: pa.Array, where: str, answers: Shaped[np.ndarray, "pictures columns"] | None = None
) -> Int[np.ndarray, " rows"]:
    """The rows of a table without those that repeat an earlier one.

    Raises:
        DataError: a row has no picture, two answer differently about one picture, or there are no rows at all.
    """
    if not len(ids):
        raise DataError(f"The table {where} has no rows.")
    empty = pc.or_kleene(ids.is_null(), pc.equal(ids, ""))
    if pc.any(empty).as_py():
        place = pc.index(pc.fill_null(empty, True), True).as_py()
        raise DataError(f"Row {place + 1:,} of {where} does not say which picture it is about.")
    if len(pc.unique(ids)) == len(ids):
        return np.arange(len(ids))
    encoded = ids.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    first = np.unique(codes, return_index=True)[1]
    again = np.flatnonzero(first[codes] != np.arange(len(ids)))
    differ = again[(answers[again] != answers[first[codes[again]]]).any(1)] if answers is not None else again[:0]
    if len(differ):
        pictures = encoded.dictionary.take(pa.array(np.unique(codes[differ])))
        raise DataError(
            f"{where} has rows with different answers about {len(pictures):,} pictures: {some(pictures)}. Keep one row of each. "
            f"({len(differ):,} rows contradict an earlier one; {len(again) - len(differ):,} only repeat one.)"
        )
    return np.sort(first)


def check_probabilities(p: Float[np.ndarray, "pictures columns"], ids: pa.Array, where: str) -> None:
    """Refuse numbers that are no probabilities.

    Raises:
        DataError: one is NaN or outside [0, 1].
    """
    if not p.size:
        return
    low, high = p.min(), p.max()
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return
    i, j = np.argwhere(~((p >= -TOLERANCE) & (p <= 1 + TOLERANCE)))[0]
    hint = "" if np.isnan(p[i, j]) else " If the numbers are logits, take their softmax first."
    raise DataError(f"{where} gives {plain(ids[int(i)])} the probability {p[i, j]:.6g}; a number from 0 to 1 was expected.{hint}")
