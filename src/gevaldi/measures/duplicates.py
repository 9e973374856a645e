"""Near-duplicates: which samples repeat another, and which are distinct."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

REACH = 0.5
"""Of the distance that two starts typically have: nearer than this, two ends are near-duplicates."""

ROUNDING = 1e-12  # of the squares of two latents, by which their difference is uncertain in 64 bits
BLOCK = 256, 2048  # latents whose distances are in memory at once


@dataclass(frozen=True)
class Deduplicated:
    """The near-duplicates of a run: each array has an entry for every sample that the run will have, by index.

    Two samples are near-duplicates if they have the same condition (in either order), end with the same two top classes, and end
    with latents nearer than `REACH` times the typical distance (root mean square) of two starts, which are independent draws from
    the prior. Samples are visited by divergence, largest first: each is a near-duplicate of the first distinct sample before it
    that is near enough, or is distinct itself. So no two distinct samples are near-duplicates, and a distinct sample has the
    largest divergence of its group.

    Attributes:
        like: the index of the distinct sample of its group, its own if it is distinct; -1 if it failed, has no prediction of a
            classifier, or does not exist yet.
        first, second: the top classes of the two classifiers after the search.
        divergence: after the search.
        reverse: whether its order is reverse.
    """

    like: np.ndarray
    first: np.ndarray
    second: np.ndarray
    divergence: np.ndarray
    reverse: np.ndarray

    @cached_property
    def distinct(self) -> np.ndarray:
        """The indices of the distinct samples, largest divergence first."""
        found = np.flatnonzero(self.like == np.arange(len(self.like)))
        ordered: np.ndarray = found[in_order(self.divergence[found])]
        return ordered

    @cached_property
    def alike(self) -> np.ndarray:
        """The number of near-duplicates of each sample."""
        counts = np.bincount(self.like[self.like >= 0], minlength=len(self.like))
        return np.maximum(counts - 1, 0)

    @property
    def duplicates(self) -> tuple[int, int]:
        """The number of near-duplicates, and the number of distinct samples that have any."""
        return int(self.alike.sum()), int((self.alike > 0).sum())

    def distinct_of(self, order: str) -> int:
        """The number of distinct samples of an order that end with different top classes; near-duplicates count once."""
        found = self.distinct[self.reverse[self.distinct] == (order == "reverse")]
        return int((self.first[found] != self.second[found]).sum())

    def without_duplicates(self, indices: np.ndarray) -> np.ndarray:
        """The given samples without those that are near-duplicates of another given one with a larger divergence, in order."""
        largest_first = in_order(self.divergence[indices])
        like = np.where(self.like[indices] < 0, indices, self.like[indices])[largest_first]
        _, kept = np.unique(like, return_index=True)
        found: np.ndarray = indices[np.sort(largest_first[kept])]
        return found


@dataclass(frozen=True)
class Choice:
    """A varied choice of samples.

    Attributes:
        indices: the indices of the samples, largest divergence first.
        most: the most samples with the same two classes.
        shown, pairs: the number of pairs of different classes among them, and in all.
        differing: the number of distinct samples that end with different classes.
    """

    indices: np.ndarray
    most: int
    shown: int
    pairs: int
    differing: int


def choose(deduplicated: Deduplicated, count: int) -> Choice:
    """The distinct samples with the largest divergence, with a limit for each pair of different classes to leave room for others.

    The limit is the smallest that yields `count` samples. Samples on which both name the same class come last.
    """
    differ = deduplicated.first[deduplicated.distinct] != deduplicated.second[deduplicated.distinct]
    those, others = deduplicated.distinct[differ], deduplicated.distinct[~differ]
    pairs, pair = np.unique((deduplicated.first[those].astype(int) << 32) + deduplicated.second[those], return_inverse=True)
    place = _place_within(pair)
    upto = np.cumsum(np.bincount(place)) if len(place) else np.zeros(0, int)
    most = min(int(np.searchsorted(upto, count)) + 1, len(upto))
    taken = np.flatnonzero(place < most)[:count]
    indices = np.concatenate([those[taken], others[: max(0, count - len(those))]])
    indices = indices[in_order(deduplicated.divergence[indices])]
    return Choice(indices, most, len(np.unique(pair[taken])), len(pairs), len(those))


def in_order(divergences: np.ndarray) -> np.ndarray:
    """Positions sorted by divergence, largest first, NaN last; ties keep their order."""
    found: np.ndarray = np.argsort(np.where(np.isnan(divergences), np.inf, -divergences), kind="stable")
    return found


def _place_within(groups: np.ndarray) -> np.ndarray:
    """For each entry, the number of earlier entries of its group."""
    together = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    place = np.empty(len(groups), int)
    place[together] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place


def leaders(latents: np.ndarray, reach: float) -> np.ndarray:
    """For each latent, the index of the first leader before it within reach, or its own index, which makes it a leader.

    Args:
        latents: of shape (samples, numbers), in 32 bits.
        reach: the distance below which two are near; equal ones always are.
    """
    like, found = np.arange(len(latents)), np.zeros(0, int)
    squares = np.square(latents, dtype=float).sum(1)
    for own in _blocks(like, BLOCK[0]):
        for others in _blocks(found, BLOCK[1]):
            near = _near(latents, squares, own, others, reach)
            met = near.any(1)
            like[own[met]] = others[near[met].argmax(1)]
            own = own[~met]
        near, free = _near(latents, squares, own, own, reach), np.ones(len(own), bool)
        for i in range(len(own)):
            if free[i]:
                like[own[free & near[i]]] = own[i]  # itself among them
                free &= ~near[i]
                free[i], like[own[i]] = False, own[i]
        found = np.concatenate([found, own[like[own] == own]])
    return like


def _blocks(places: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (places[begin : begin + size] for begin in range(0, len(places), size))


def _near(latents: np.ndarray, squares: np.ndarray, own: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    together = squares[own][:, None] + squares[others]
    products = latents[own].astype(float) @ latents[others].astype(float).T
    found: np.ndarray = together - 2 * products <= reach**2 + ROUNDING * together
    return found
