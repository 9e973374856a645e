"""Remembers which samples are in the parts that this process has read. Parts never change, so it reads each one once."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gevaldi.runs.store.indices import Indices
from gevaldi.storage import Location

FOLDERS = 8  # most folders to remember; a process rarely has more than one

_known: dict[str, "FinishedParts"] = {}
_guard = threading.Lock()


@dataclass(frozen=True)
class FinishedParts:
    """Some parts by name, and the samples in all of them."""

    parts: frozenset[str]
    samples: Indices


def recall(folder: Location, parts: Iterable[str], expected: int) -> FinishedParts:
    """The known samples of these parts of a folder; none if a known part is no longer among them.

    `expected` is the final number of samples.
    """
    with _guard:
        known = _known.get(_key(folder))
    if known is None or not known.parts <= frozenset(parts):
        return FinishedParts(frozenset(), Indices(expected))
    return known


def remember(folder: Location, known: FinishedParts, samples: dict[str, np.ndarray]) -> None:
    """Add the samples of more parts of a folder. The parts must be named by their content."""
    together = known.samples.copy()
    for indices in samples.values():
        together.fresh(indices)
    with _guard:
        _known.pop(_key(folder), None)
        _known[_key(folder)] = FinishedParts(known.parts.union(samples), together)
        while len(_known) > FOLDERS:
            del _known[next(iter(_known))]


def _key(folder: Location) -> str:
    return str(folder.absolute() if isinstance(folder, Path) else folder)
