"""Texts for a region: those that fit its pictures better than pictures of the same class on which both agree.

Texts are chosen on one half of the draws and measured on the other, as the regions themselves are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.errors import SpecError
from gevaldi.pictures._levels import as_image, in_levels
from gevaldi.regions.measured import APART, FittingText, Region, agreed, share_larger
from gevaldi.regions.record import Source
from gevaldi.regions.rules import Table
from gevaldi.regions.text_image import TextImageNetwork
from gevaldi.storage import local_path

PICTURES = 50  # of each kind, from each half
FEWEST = 20
MOST = 3  # texts for a region


def texts_in(path: str | Path | None = None) -> list[str]:
    """The texts in a file, one a line; by default those that come with GeValDi.

    Raises:
        SpecError: the file cannot be read, or has fewer than two.
    """
    try:
        source = files("gevaldi.regions").joinpath("texts.txt") if path is None else local_path(str(path))
        texts = [line.strip() for line in source.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise SpecError(f"{path} cannot be read as texts, one a line: {error}.") from error
    texts = list(dict.fromkeys(text for text in texts if text and not text.startswith("#")))
    if len(texts) < 2:
        raise SpecError(f"{path} has {len(texts)} texts; two or more were expected, one a line.")
    return texts


@dataclass(frozen=True)
class Naming:
    """Chooses texts for regions.

    Attributes:
        network: says how well a text fits a picture.
        texts: to choose from.
        source: the draws, by number.
        choosing: the half of the draws that chooses.
        measuring: the other half.
    """

    network: TextImageNetwork
    texts: Sequence[str]
    source: Source
    choosing: Table
    measuring: Table

    def named(self, region: Region) -> Region:
        """The region with the texts that fit it; as it is if too few pictures are in it or beside it."""
        chosen = self._shares(region, self.choosing)
        places = np.argsort(-chosen, kind="stable")[:MOST]
        if not len(places) or not (chosen[places] >= APART).any():
            return region
        shares = self._shares(region, self.measuring)
        clear = [i for i in places if len(shares) and min(chosen[i], shares[i]) >= APART]
        texts = [FittingText(self.texts[i], float(shares[i])) for i in clear]
        return replace(region, texts=tuple(sorted(texts, key=lambda own: -own.larger)))

    def _shares(self, region: Region, table: Table) -> Float[np.ndarray, " texts"]:
        """How often each text fits a picture of the region better than one beside it; empty if there are too few pictures."""
        here, there = (np.flatnonzero(mask)[:PICTURES] for mask in (region.disputed(table), agreed(region.rule, table)))
        if min(len(here), len(there)) < FEWEST:
            return np.zeros(0)
        own, others = (self._fits(table.index[places]) for places in (here, there))
        return np.array([share_larger(*columns) for columns in zip(own.T, others.T, strict=True)])

    def _fits(self, indices: Int[np.ndarray, " draws"]) -> Float[np.ndarray, "draws texts"]:
        blocks = map(in_levels, self.source.pictures(indices.tolist()))
        features = self.network.pictures([as_image(picture) for block in blocks for picture in block])
        fits: np.ndarray = (features @ self._features.T).cpu().numpy()
        return fits

    @cached_property
    def _features(self) -> Tensor:
        return self.network.texts(self.texts)
