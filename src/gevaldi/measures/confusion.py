"""Which class is taken for which: of the samples after their search, what the first names and what the second names."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gevaldi.measures.predictions import only, top
from gevaldi.taxonomy import Taxonomy

COLUMNS = ("status", *only("label", "first_end", "second_end"), *only("name", "first_end", "second_end"))
"""The columns that it is made of."""


@dataclass(frozen=True)
class ConfusionMatrix:
    """A matrix of counts over some classes, ordered by the hierarchy where there is one, otherwise by their indices.

    Attributes:
        labels, names: of the classes.
        counts: [i, j] is the number of samples on which the first names class i and the second class j.
        samples: on which both named a class.
        left_out: of these, the samples that are in no cell, because one of their two classes is not among those shown.
        classes_left_out: the classes that are named on some sample and not shown.
    """

    labels: tuple[int, ...]
    names: tuple[str, ...]
    counts: np.ndarray
    samples: int
    left_out: int
    classes_left_out: int


def confusion_of(rows: Iterable[dict[str, Any]], taxonomy: Taxonomy | None = None, limit: int = 20) -> ConfusionMatrix:
    """Count what the two name after the search; the rows are read once and not kept.

    Args:
        rows: with `COLUMNS`; failed ones are not counted.
        taxonomy: of the classes compared, by whose depth-first order neighbours in the matrix are near in the hierarchy.
        limit: how many classes are shown at most: those of the commonest pairs of different classes, whole pairs at a time, then
            those on which the two agree.
    """
    pairs: Counter[tuple[int, int]] = Counter()
    names: dict[int, str] = {}
    for row in rows:
        first, second = top(row, "first", "end"), top(row, "second", "end")
        if row["status"] == "failed" or first is None or second is None:
            continue
        pairs[first["label"], second["label"]] += 1
        for found in (first, second):
            names.setdefault(found["label"], str(found["name"]))
    place = {label: i for i, label in enumerate(depth_first(taxonomy))} if taxonomy else {}
    shown = sorted(_commonest(pairs, limit), key=lambda label: (place.get(label, len(place)), label))
    counts = np.array([[pairs[a, b] for b in shown] for a in shown], dtype=int).reshape(len(shown), len(shown))
    samples = sum(pairs.values())
    left_out = samples - int(counts.sum())
    return ConfusionMatrix(tuple(shown), tuple(names[label] for label in shown), counts, samples, left_out, len(names) - len(shown))


def depth_first(taxonomy: Taxonomy) -> list[int]:
    """The indices of the classes as a walk from the root meets them, branch by branch, each in the first where it is met."""
    index = {node: i for i, node in enumerate(taxonomy.classes)}
    met: dict[str, None] = {}
    waiting = [taxonomy.root]
    while waiting:
        node = waiting.pop()
        if node not in met:
            met[node] = None
            waiting += reversed(taxonomy.hyponyms[node])
    return [index[node] for node in met if node in index]


def _commonest(pairs: Counter[tuple[int, int]], limit: int) -> set[int]:
    """The classes of the commonest pairs, as many as fit."""
    shown: set[int] = set()
    for pair in sorted(pairs, key=lambda pair: (pair[0] == pair[1], -pairs[pair], pair)):
        if len(shown | set(pair)) <= limit:
            shown |= set(pair)
    return shown
