"""What the classes are if people err in ways of their own: the model of Dawid and Skene, fitted by expectation maximisation.

A person p who sees an item of class k answers l with probability pi[p, k, l]; classes occur with probability rho[k]:

    T[i, k]     ~ rho[k] prod over answers (p, l) to item i of pi[p, k, l]                 each item's sums to 1
    pi[p, k, l] ~ s/K + 2s [k = l] + sum over answers (p, l) to items i of T[i, k]         each person's and class's sums to 1
    rho[k]      ~ s/K + sum over items of T[i, k]

s is a smoothing that takes a person of whom little is known for one who is more often right than wrong [Dawid 1979].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

STEPS = 100
TOLERANCE = 1e-6  # of the probabilities of classes
TINY = 1e-10  # a probability that stands for zero

Places = Int[np.ndarray, " answers"]
Confusion = Float[np.ndarray, "people answered true"]


@dataclass(frozen=True)
class DawidSkene:
    """A fit.

    Attributes:
        items, classes, people: the names of rows and columns, in the order in which they first occur.
        probabilities: of each class, for each item.
        accuracy: for each person, the probability that an answer is right, over the classes as often as they occur.
    """

    items: tuple[str, ...]
    classes: tuple[str, ...]
    people: tuple[str, ...]
    probabilities: Float[np.ndarray, "items classes"]
    accuracy: Float[np.ndarray, " people"]

    def best(self) -> dict[str, tuple[str, float]]:
        """The most probable class of each item with its probability; of equally probable ones the first."""
        places, certainty = self.probabilities.argmax(1).tolist(), self.probabilities.max(1).tolist()
        return {item: (self.classes[k], p) for item, k, p in zip(self.items, places, certainty, strict=True)}

    @cached_property
    def ties(self) -> frozenset[str]:
        """The items of which two classes are the most probable ones."""
        if len(self.classes) == 1:
            return frozenset()
        second, first = np.partition(self.probabilities, (-2, -1), axis=1)[:, -2:].T
        return frozenset(self.items[i] for i in np.flatnonzero(first - second <= TOLERANCE))


def dawid_skene(answers: Sequence[tuple[str, str, str]], smoothing: float = 1.0) -> DawidSkene:
    """Fit the model, starting from the shares of the answers to each item.

    Args:
        answers: person, item and class, at least one; each person answers an item at most once.
        smoothing: s; 0 for the maximum of the likelihood.
    """
    from scipy import sparse

    people, who = _numbered([person for person, _, _ in answers])
    items, what = _numbered([item for _, item, _ in answers])
    classes, said = _numbered([answer for _, _, answer in answers])
    given = sparse.csr_array((np.ones(len(who)), (what, who * len(classes) + said)), (len(items), len(people) * len(classes)))
    truth = np.zeros((len(items), len(classes)))
    np.add.at(truth, (what, said), 1.0)
    truth /= truth.sum(1, keepdims=True)
    pi, rho = _maximise(truth, given, smoothing)
    for _ in range(STEPS):
        before, truth = truth, _expect(pi, rho, given)
        pi, rho = _maximise(truth, given, smoothing)
        if np.abs(truth - before).max() < TOLERANCE:
            break
    return DawidSkene(items, classes, people, truth, np.einsum("pkk,k->p", pi, rho))


def _numbered(column: Sequence[str]) -> tuple[tuple[str, ...], Places]:
    """The different values in the order in which they first occur, and the place of each value among them."""
    places: dict[str, int] = {}
    found = [places.setdefault(one, len(places)) for one in column]
    return tuple(places), np.array(found, dtype=int)


def _expect(pi: Confusion, rho: np.ndarray, given: Any) -> np.ndarray:
    """T, from pi and rho."""
    logs = np.log(np.maximum(rho, TINY)) + given @ np.log(np.maximum(pi, TINY)).reshape(-1, len(rho))
    weights = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _maximise(truth: np.ndarray, given: Any, smoothing: float) -> tuple[Confusion, np.ndarray]:
    """pi and rho, from T."""
    count = truth.shape[1]
    prior = smoothing * (np.full((count, count), 1 / count) + 2 * np.eye(count))
    pi = (given.T @ truth).reshape(-1, count, count) + prior
    rho = truth.sum(0) + smoothing / count
    return pi / np.maximum(pi.sum(1, keepdims=True), TINY), rho / rho.sum()
