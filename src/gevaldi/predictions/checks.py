"""Checks of what a table says of its pictures."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Shaped

from gevaldi.errors import DataError
from gevaldi.names import plain

SHOWN = 3
TOLERANCE = 1e-5  # by which a rounded probability may leave [0, 1]


def some(ids: pa.Array) -> str:
    """The first few ids, for messages."""
    return ", ".join(plain(one) for one in ids[:SHOWN].to_pylist()) + (", …" if len(ids) > SHOWN else "")


def check_ids(ids: pa.Array, where: str, answers: Shaped[np.ndarray, "pictures columns"] | None = None) -> None:
    """Refuse pictures without a name, and those that stand there twice; the error says how many of their answers differ.

    Raises:
        DataError: there are any, or no pictures at all.
    """
    if not len(ids):
        raise DataError(f"The table {where} has no rows.")
    empty = pc.or_kleene(ids.is_null(), pc.equal(ids, ""))
    if pc.any(empty).as_py():
        place = pc.index(pc.fill_null(empty, True), True).as_py()
        raise DataError(f"Row {place + 1:,} of {where} does not say which picture it is about.")
    if len(pc.unique(ids)) == len(ids):
        return
    encoded = ids.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    first = np.unique(codes, return_index=True)[1][codes]
    again = np.flatnonzero(first != np.arange(len(ids)))
    twice = encoded.dictionary.take(pa.array(np.unique(codes[again])))
    differ = 0 if answers is None else int((answers[again] != answers[first[again]]).any(1).sum())
    about = (
        ""
        if answers is None
        else f" {len(again) - differ:,} rows repeat an earlier one with the same answer, and {differ:,} contradict one."
    )
    raise DataError(f"{where} has more than one row for {len(twice):,} pictures: {some(twice)}.{about} Keep one of each.")


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
