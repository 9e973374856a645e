"""Which samples are in the parts of a run, as far as this process has read them: a part is never changed, so once is enough."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gevaldi.runs.store.indices import Indices
from gevaldi.storage import Location

FOLDERS = 8  # that are remembered, of which a process seldom has more than one

_known: dict[str, "FinishedParts"] = {}
_guard = threading.Lock()


@dataclass(frozen=True)
class FinishedParts:
    """Some parts by name, and the samples in all of them."""

    parts: frozenset[str]
    samples: Indices


def recall(folder: Location, parts: Iterable[str], expected: int) -> FinishedParts:
    """What is known of these parts of a folder; nothing where one that was known is no longer among them.

    `expected` is how many samples there will be.
    """
    with _guard:
        known = _known.get(_key(folder))
    if known is None or not known.parts <= frozenset(parts):
        return FinishedParts(frozenset(), Indices(expected))
    return known


def remember(folder: Location, known: FinishedParts, samples: dict[str, np.ndarray]) -> None:
    """Add the samples of further parts to what is known of a folder. Their names must say what they hold."""
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
