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
from gevaldi.regions.measured import APART, FittingText, Region, agreed
from gevaldi.regions.record import Source
from gevaldi.regions.rules import Table
from gevaldi.regions.text_image import TextImageNetwork
from gevaldi.storage import local_path

PICTURES = 50  # of each kind, from each half
FEWEST = 20
MOST = 3  # texts for a region
MISS = 0.05  # chance of any text if none fits better

Fits = Float[np.ndarray, "pictures texts"]


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


def clearest(choosing: tuple[Fits, Fits], measuring: tuple[Fits, Fits]) -> list[tuple[int, float]]:
    """The texts that fit some pictures better than others, the clearest first; each with the share of pairs in which it does.

    Up to three are chosen on one half. Those remain that the other half shows too, by the test of Mann and Whitney [1947], with a
    chance of at most 5 % that there is any text if none fits better.

    Args:
        choosing: how well each text fits these pictures, and how well the others, in the half that chooses.
        measuring: the same in the other half.
    """
    chosen, _ = _larger(*choosing)
    shares, chances = _larger(*measuring)
    places = np.argsort(-chosen, kind="stable")[:MOST]
    clear = [i for i in places.tolist() if min(chosen[i], shares[i]) >= APART and chances[i] <= MISS / MOST]
    return sorted(((i, float(shares[i])) for i in clear), key=lambda own: -own[1])


def _larger(own: Fits, others: Fits) -> tuple[Float[np.ndarray, " texts"], Float[np.ndarray, " texts"]]:
    """In which share of pairs the first is larger, ties counting half, and the one-sided p-value of that."""
    from scipy.stats import mannwhitneyu

    found = mannwhitneyu(own, others, alternative="greater")
    return found.statistic / (len(own) * len(others)), found.pvalue


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
        if not (choosing := self._both(region, self.choosing)) or not (measuring := self._both(region, self.measuring)):
            return region
        texts = [FittingText(self.texts[i], larger) for i, larger in clearest(choosing, measuring)]
        return replace(region, texts=tuple(texts))

    def _both(self, region: Region, table: Table) -> tuple[Fits, Fits] | None:
        """How well the texts fit pictures of the region, and pictures beside it; None if either are too few."""
        here, there = (np.flatnonzero(mask)[:PICTURES] for mask in (region.disputed(table), agreed(region.rule, table)))
        if min(len(here), len(there)) < FEWEST:
            return None
        return self._fits(table.index[here]), self._fits(table.index[there])

    def _fits(self, indices: Int[np.ndarray, " draws"]) -> Fits:
        blocks = map(in_levels, self.source.pictures(indices.tolist()))
        features = self.network.pictures([as_image(picture) for block in blocks for picture in block])
        fits: np.ndarray = (features @ self._features.T).cpu().numpy()
        return fits

    @cached_property
    def _features(self) -> Tensor:
        return self.network.texts(self.texts)
