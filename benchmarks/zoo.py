"""Two zoos of classifiers with their predictions on real test pictures: 24 of digits, which ship, and 16 of garments.

Nothing is downloaded: `DATA` holds the folders `mnist` and `fashion` with their idx files, `GARMENTS` what `gevaldi train fashion`
writes. Without them nothing is measured.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from gevaldi.bundled import ladder
from gevaldi.bundled.worlds import GARMENTS, WORLDS
from gevaldi.classifiers import load_classifier
from gevaldi.models import Classifier

MOST = 0.13  # the largest share of pictures on which a pair of the tables may differ
DIGITS = [
    "mnist-strided",
    "mnist-pooled",
    "mnist-referee",
    *(f"{name},seed={seed}" for name in ladder.FAMILIES for seed in range(3)),
]


@dataclass(frozen=True)
class Zoo:
    """Some classifiers of one world.

    Attributes:
        world: digits or garments.
        names, classifiers: one each.
        truth: the class of each test picture.
        tops: for each classifier and picture, all classes, most probable first.
    """

    world: str
    names: list[str]
    classifiers: list[Classifier]
    truth: np.ndarray
    tops: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether each classifier names the class of each picture."""
        return self.tops[:, :, 0] == self.truth

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.truth)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Those that differ on at most 13 % of the pictures."""
        for i, j in combinations(range(len(self.names)), 2):
            if 0 < (self.tops[i, :, 0] != self.tops[j, :, 0]).mean() <= MOST:
                yield i, j


@torch.no_grad()
def zoo(world: str, names: list[str], pictures: torch.Tensor, truth: torch.Tensor) -> Zoo:
    """The classifiers of these names, and what they say of pictures."""
    classifiers = [load_classifier(f"bundled:{name}") for name in names]
    tops = [torch.cat([_sorted(own(part)) for part in pictures.split(500)]) for own in classifiers]
    return Zoo(world, names, classifiers, truth.numpy(), torch.stack(tops).numpy())


def _sorted(log_p: torch.Tensor) -> torch.Tensor:
    return log_p.sort(dim=1, descending=True, stable=True).indices


def zoos(arguments: list[str]) -> list[Zoo]:
    """The zoos that the arguments `DATA [GARMENTS]` name; none, and a word to the user, without arguments."""
    if not arguments:
        print(f"without data nothing is measured: python {sys.argv[0]} DATA [GARMENTS], folders as benchmarks/zoo.py says")
        return []
    data = Path(arguments[0])
    digits = WORLDS["mnist"].data.read("test", data / "mnist")
    found = [zoo("digits", DIGITS, digits.pictures, digits.labels)]
    if len(arguments) > 1:
        garments = GARMENTS.data.read("test", data / "fashion")
        names = [f"{name},folder={arguments[1]}" for name in GARMENTS.classifiers]
        found.append(zoo("garments", names, garments.pictures, garments.labels))
    return found
