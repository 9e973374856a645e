"""The predictions of one classifier on a pool of pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int32

from gevaldi.labels import Label
from gevaldi.sounds.words import PICTURES, SOUNDS, Medium

NO_ANSWER = -1  # the class of a picture for which a classifier has none
DEPTH = 10  # most classes stored for each picture, the most probable ones


@dataclass(frozen=True)
class Predictions:
    """The most probable classes of every picture of a pool, by one classifier.

    Attributes:
        name: what reports call the classifier.
        ids: one text per picture, unique, in the order of the pool.
        classes: the classes that `top` refers to.
        top: the places of the most probable classes, most probable first, at most `DEPTH`; `NO_ANSWER` where there is none.
        probability: their probabilities; None if only classes are known.
        digest: SHA-256 over ids, classes and `top`: equal digests are equal predictions.
        source: where they come from, as the record of a verdict stores it: name, files with hashes, versions.
    """

    name: str
    ids: pa.Array
    classes: tuple[Label, ...]
    top: Int32[np.ndarray, "pictures depth"]
    probability: Float32[np.ndarray, "pictures depth"] | None = None
    digest: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Pool:
    """A pool of pictures with the predictions of some classifiers, all over the same classes and the same pictures.

    Attributes:
        name: what reports call the pool.
        ids: one text per picture, unique.
        classes: of the predictions of all classifiers.
        predictions: one per classifier.
        truth: the place of each picture's class among `classes`, `NO_ANSWER` where it is unknown; None if no class is known.
        digest: SHA-256 over the pool's ids and pictures, or only ids for tables.
        pictures: the pictures by place, for galleries and labelling pages; None if only tables are known.
        notes: sentences that a reader has to know, such as classes that only one classifier has.
        sound: how pictures become sound, where they are of recordings.
    """

    name: str
    ids: pa.Array
    classes: tuple[Label, ...]
    predictions: Sequence[Predictions]
    truth: Int32[np.ndarray, " pictures"] | None = None
    digest: str = ""
    pictures: Any = None
    notes: Sequence[str] = ()
    sound: Any = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def medium(self) -> Medium:
        """The words for its pictures, which may be recordings."""
        return SOUNDS if self.sound else PICTURES
