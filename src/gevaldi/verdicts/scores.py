"""How an answer is scored against the truth, from 0 to 1: by accuracy, by levels of the hierarchy, by costs, and so on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from gevaldi.errors import SpecError, UnknownName
from gevaldi.labels import Label
from gevaldi.names import plain
from gevaldi.predictions.base import DEPTH

Tops = Int[np.ndarray, "pictures depth"]
NAMES = ("accuracy", "levels", "top-5", "class:NAME", "cost:FILE")


@runtime_checkable
class Score(Protocol):
    """A score of answers in [0, 1], higher being better."""

    @property
    def name(self) -> str:
        """As a user writes it, such as top-5."""
        ...

    @property
    def unit(self) -> str:
        """Of a score that is 1 minus a loss over the largest loss: what the loss is measured in. Empty for a share."""
        ...

    @property
    def scale(self) -> float:
        """By what a difference is multiplied to have that unit."""
        ...

    def outcomes(self, tops: Tops) -> Float[np.ndarray, "pictures classes"]:
        """The score of each answer for every class that the picture may show. No answer scores 0."""
        ...

    def of_truth(self, tops: Tops, truth: Int[np.ndarray, " pictures"]) -> Float[np.ndarray, " pictures"]:
        """The score of each answer for the class that the picture shows."""
        ...

    def of_foreign(self, tops: Tops) -> Float[np.ndarray, " pictures"]:
        """The score of each answer if the picture shows none of the known classes; NaN if the score does not say."""
        ...

    def differ(self, first: Tops, second: Tops) -> Bool[np.ndarray, " pictures"]:
        """On which pictures the scores of two answers differ for some class."""
        ...


@dataclass(frozen=True)
class MatrixScore:
    """A score of the most probable class alone, by a matrix over truth and answer.

    Attributes:
        matrix: the score for each true class (row) and answer (column).
        foreign: the score of each answer if the picture shows none of the classes; None if nothing says it.
    """

    name: str
    matrix: Float[np.ndarray, "classes classes"]
    foreign: Float[np.ndarray, " classes"] | None = None
    unit: str = ""
    scale: float = 1.0

    @cached_property
    def _by_answer(self) -> Float[np.ndarray, "answers classes"]:
        """The scores of each answer; the last row, which `NO_ANSWER` selects, is no answer."""
        return np.vstack([self.matrix.T, np.zeros(len(self.matrix))])

    @cached_property
    def _kinds(self) -> Int[np.ndarray, " answers"]:
        """Equal numbers for answers that always score alike."""
        return np.unique(self._by_answer, axis=0, return_inverse=True)[1].reshape(-1)

    def outcomes(self, tops: Tops) -> Float[np.ndarray, "pictures classes"]:
        """The column of each answer."""
        return np.asarray(self._by_answer[tops[:, 0]])

    def of_truth(self, tops: Tops, truth: Int[np.ndarray, " pictures"]) -> Float[np.ndarray, " pictures"]:
        """The entry of each truth and answer."""
        return np.asarray(self._by_answer[tops[:, 0], truth])

    def of_foreign(self, tops: Tops) -> Float[np.ndarray, " pictures"]:
        """The entry of each answer; 0 without one."""
        foreign = np.full(len(self.matrix), np.nan) if self.foreign is None else self.foreign
        return np.asarray(np.append(foreign, 0.0)[tops[:, 0]])

    def differ(self, first: Tops, second: Tops) -> Bool[np.ndarray, " pictures"]:
        """Where the answers' columns are not equal."""
        return np.asarray(self._kinds[first[:, 0]] != self._kinds[second[:, 0]])


@dataclass(frozen=True)
class TopScore:
    """Whether the true class is among the k most probable ones."""

    k: int
    classes: int
    unit: str = ""
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Such as top-5."""
        return f"top-{self.k}"

    def outcomes(self, tops: Tops) -> Float[np.ndarray, "pictures classes"]:
        """1 for each of the k classes."""
        scores = np.zeros((len(tops), self.classes + 1))
        np.put_along_axis(scores, tops[:, : self.k].astype(int), 1.0, axis=1)
        return scores[:, :-1]

    def of_truth(self, tops: Tops, truth: Int[np.ndarray, " pictures"]) -> Float[np.ndarray, " pictures"]:
        """Whether the truth is among the k classes."""
        return np.asarray((tops[:, : self.k] == truth[:, None]).any(1).astype(float))

    def of_foreign(self, tops: Tops) -> Float[np.ndarray, " pictures"]:
        """0: it is none of them."""
        return np.zeros(len(tops))

    def differ(self, first: Tops, second: Tops) -> Bool[np.ndarray, " pictures"]:
        """Where the sets of k classes are not equal."""
        return np.asarray((np.sort(first[:, : self.k], axis=1) != np.sort(second[:, : self.k], axis=1)).any(1))


def score_named(text: str, classes: Sequence[Label], depth: int, taxonomy: str = "auto") -> Score:
    """The score that a user names: accuracy, levels, top-K, class:NAME or cost:FILE.

    Args:
        text: the name.
        classes: of the predictions.
        depth: how many classes are known for each picture.
        taxonomy: of `levels`: the name of a bundled hierarchy or a file; "auto" for the bundled one that has all the classes' ids.

    Raises:
        UnknownName: there is no such score, or no such class.
        SpecError, TaxonomyError: the classes do not have what the score needs.
    """
    kind, _, rest = text.partition(":")
    if text == "accuracy":
        return MatrixScore(text, np.eye(len(classes)), np.zeros(len(classes)))
    if text == "levels":
        return _levels(classes, taxonomy)
    if kind == "class" and rest:
        is_it = np.arange(len(classes)) == place_of(rest, classes)
        return MatrixScore(text, (is_it[:, None] == is_it[None, :]).astype(float), (~is_it).astype(float))
    if kind == "cost" and rest:
        return _costs(text, rest, classes)
    if text.startswith("top-") and text[4:].isdecimal() and int(text[4:]) > 0:
        return _top(int(text[4:]), len(classes), depth)
    raise UnknownName("score", text, list(NAMES))


def place_of(name: str, classes: Sequence[Label]) -> int:
    """The place of the class with this name or taxonomy id.

    Raises:
        UnknownName: no class has it, or several have the name.
    """
    found = [i for i, label in enumerate(classes) if name in (label.name, label.id)]
    if len(found) != 1:
        raise UnknownName("class", name, [label.name for label in classes])
    return found[0]


def _top(k: int, classes: int, depth: int) -> Score:
    if k == 1:
        return MatrixScore("top-1", np.eye(classes), np.zeros(classes))
    if k >= classes:
        raise SpecError(f"top-{k} of {classes} classes is always right. Choose fewer.")
    if k > depth:
        raise SpecError(
            f"top-{k} needs the {k} most probable classes of each picture, and {depth} {'is' if depth == 1 else 'are'} known; "
            f"networks' predictions are stored with {DEPTH}, and a table has as many as its columns give."
        )
    return TopScore(k, classes)


def _levels(classes: Sequence[Label], name: str) -> Score:
    """1 minus the levels from the answer to the truth, over the largest number of levels between two classes."""
    from gevaldi.taxonomy.distances import distances
    from gevaldi.taxonomy.labels import find_taxonomy, fitting, over

    named = [(label.name, label.id) for label in classes]
    found = fitting(named) if name == "auto" else (name, find_taxonomy(name))
    if found is None:
        raise SpecError("The score levels needs a hierarchy, and no bundled one has all the classes. Name one: --taxonomy FILE.")
    levels = distances(over(found[1], named))
    return MatrixScore("levels", 1 - levels / levels.max(), unit="levels", scale=float(levels.max()))


def _costs(text: str, path: str, classes: Sequence[Label]) -> Score:
    """1 minus the cost of an answer, over the largest cost.

    Raises:
        SpecError: the file is no table of costs over these classes.
    """
    from gevaldi.documents import TextFile
    from gevaldi.storage import local_path

    head, *table = TextFile("The table of costs", SpecError).rows(local_path(path)) or [[]]
    try:
        costs = np.array([[float(cell) for cell in row[1:]] for row in table])
    except ValueError as error:
        raise SpecError(f"{path} cannot be read as a table of costs: {plain(error)}") from None
    rows, columns = [place_of(plain(row[0]), classes) for row in table], [place_of(plain(name), classes) for name in head[1:]]
    if sorted(rows) != list(range(len(classes))) or sorted(columns) != list(range(len(classes))):
        raise SpecError(
            f"{path} has costs for {len(rows)} true classes and {len(columns)} answers; one row and one column for each of the "
            f"{len(classes)} classes were expected, each named by its class."
        )
    if not np.isfinite(costs).all() or costs.min() < 0 or costs.max() <= 0:
        raise SpecError(f"{path} has costs that are negative, no numbers, or all zero.")
    ordered = np.empty_like(costs)
    ordered[np.ix_(rows, columns)] = costs
    return MatrixScore(text, 1 - ordered / costs.max(), unit="units of cost", scale=float(costs.max()))
