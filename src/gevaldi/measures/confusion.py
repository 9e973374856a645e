"""The confusion matrix: the first's and the second's top class on each sample after the search."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gevaldi.measures.predictions import only, top
from gevaldi.taxonomy import Taxonomy

COLUMNS = ("status", *only("label", "first_end", "second_end"), *only("name", "first_end", "second_end"))
"""The columns that it needs."""


@dataclass(frozen=True)
class ConfusionMatrix:
    """A matrix of counts over some classes, ordered by the hierarchy where there is one, otherwise by their indices.

    Attributes:
        labels, names: the indices and names of the classes.
        counts: [i, j] is the number of samples on which the first names class i and the second class j.
        samples: the number of samples with predictions of both.
        left_out: the number of these in no cell, because one of their classes is not shown.
        classes_left_out: the number of predicted classes that are not shown.
    """

    labels: tuple[int, ...]
    names: tuple[str, ...]
    counts: np.ndarray
    samples: int
    left_out: int
    classes_left_out: int


def confusion_of(rows: Iterable[dict[str, Any]], taxonomy: Taxonomy | None = None, limit: int = 20) -> ConfusionMatrix:
    """Count the pairs of top classes after the search; the rows are read once and not kept.

    Args:
        rows: with `COLUMNS`; failed ones are not counted.
        taxonomy: of the classes compared; its depth-first order puts similar classes next to each other.
        limit: the most classes to show: first those of the most frequent pairs of different classes, in whole pairs, then those on
            which the two agree.
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
    """The indices of the classes in depth-first order from the root, each at its first occurrence."""
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
    """The classes of the most frequent pairs, as many as fit."""
    shown: set[int] = set()
    for pair in sorted(pairs, key=lambda pair: (pair[0] == pair[1], -pairs[pair], pair)):
        if len(shown | set(pair)) <= limit:
            shown |= set(pair)
    return shown
