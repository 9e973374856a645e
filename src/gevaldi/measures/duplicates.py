"""Near-duplicates: which samples show once more what another shows, and which are distinct."""

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
    """The samples of a run, by their index: each array has an entry for every sample that the run will have.

    Two samples are near-duplicates if they are of one condition, whatever their order, end with the same two top classes, and have
    latents there that are nearer than `REACH` times the distance that two starts typically have (the root of the mean square),
    which are independent draws of the prior. Samples are looked at in the order of their divergence, the largest first: each is a
    near-duplicate of the first distinct one before it that is so near, or else is distinct itself. So no two distinct samples are
    near-duplicates, and a distinct one has the largest divergence of all that are like it.

    Attributes:
        like: the index of the distinct sample that it is like, its own where it is distinct itself; -1 where it failed, where a
            classifier gave no prediction, or where it is not there yet.
        first, second: what the two classifiers name after the search.
        divergence: after the search.
        reverse: whether it is of the reverse order.
    """

    like: np.ndarray
    first: np.ndarray
    second: np.ndarray
    divergence: np.ndarray
    reverse: np.ndarray

    @cached_property
    def distinct(self) -> np.ndarray:
        """The indices of the distinct samples, those with the largest divergence first."""
        found = np.flatnonzero(self.like == np.arange(len(self.like)))
        ordered: np.ndarray = found[in_order(self.divergence[found])]
        return ordered

    @cached_property
    def alike(self) -> np.ndarray:
        """How many near-duplicates each has."""
        counts = np.bincount(self.like[self.like >= 0], minlength=len(self.like))
        return np.maximum(counts - 1, 0)

    @property
    def duplicates(self) -> tuple[int, int]:
        """How many samples are near-duplicates, and of how many others."""
        return int(self.alike.sum()), int((self.alike > 0).sum())

    def distinct_of(self, order: str) -> int:
        """How many distinct samples of an order end with different top classes; of near-duplicates in both orders one counts."""
        found = self.distinct[self.reverse[self.distinct] == (order == "reverse")]
        return int((self.first[found] != self.second[found]).sum())

    def without_duplicates(self, indices: np.ndarray) -> np.ndarray:
        """Of some samples those that are like no other of them with a larger divergence, in their order."""
        largest_first = in_order(self.divergence[indices])
        like = np.where(self.like[indices] < 0, indices, self.like[indices])[largest_first]
        _, kept = np.unique(like, return_index=True)
        found: np.ndarray = indices[np.sort(largest_first[kept])]
        return found


@dataclass(frozen=True)
class Choice:
    """Some samples of many that show what there is.

    Attributes:
        indices: of the samples, those with the largest divergence first.
        most: how many of them name the same two classes, at most.
        shown, pairs: how many pairs of different classes these name, and how many there are.
        differing: how many distinct samples end with different classes.
    """

    indices: np.ndarray
    most: int
    shown: int
    pairs: int
    differing: int


def choose(finds: Deduplicated, count: int) -> Choice:
    """The distinct samples with the largest divergence, of each pair of different classes so few that others have room.

    How few is the smallest number with which `count` are found. Samples on which both name one class come after all others.
    """
    differ = finds.first[finds.distinct] != finds.second[finds.distinct]
    those, others = finds.distinct[differ], finds.distinct[~differ]
    pairs, pair = np.unique((finds.first[those].astype(int) << 32) + finds.second[those], return_inverse=True)
    place = _place_within(pair)
    upto = np.cumsum(np.bincount(place)) if len(place) else np.zeros(0, int)
    most = min(int(np.searchsorted(upto, count)) + 1, len(upto))
    taken = np.flatnonzero(place < most)[:count]
    indices = np.concatenate([those[taken], others[: max(0, count - len(those))]])
    indices = indices[in_order(finds.divergence[indices])]
    return Choice(indices, most, len(np.unique(pair[taken])), len(pairs), len(those))


def in_order(divergences: np.ndarray) -> np.ndarray:
    """Places by divergence, the largest first and what is no number last; equal ones as they come."""
    found: np.ndarray = np.argsort(np.where(np.isnan(divergences), np.inf, -divergences), kind="stable")
    return found


def _place_within(groups: np.ndarray) -> np.ndarray:
    """How many of its own group stand before each."""
    together = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    place = np.empty(len(groups), int)
    place[together] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place


def leaders(latents: np.ndarray, reach: float) -> np.ndarray:
    """For each latent the first before it that has none before it so near, or its own place if there is none.

    Args:
        latents: of shape (samples, numbers), in 32 bits.
        reach: how near; equal ones are near with any.
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
