"""Bundled classifiers with a planted difference."""

from typing import TYPE_CHECKING

from gevaldi.bundled.plants import PAIRS, pair_named
from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Planted:
    """Networks that misread some pictures on purpose, to test methods that find differences: `planted:digits-slant-4-9`.

    `gevaldi plant` lists them, each with the classifier to compare it with.
    """

    def names(self) -> list[str]:
        """One for each pair with a planted difference."""
        return [pair.name for pair in PAIRS.values() if pair.plant]

    def load(self, name: str, /) -> "Classifier":
        """The second classifier of a pair.

        Raises:
            UnknownName, SpecError: no pair has this name, or it has no plant.
        """
        from gevaldi.classifiers import load_classifier
        from gevaldi.classifiers._misreading import Misreading

        pair = pair_named(name)
        if pair.plant is None:
            raise SpecError(f"The pair {name} has no plant. Its second classifier is {pair.base}.")
        return Misreading(load_classifier(pair.base), pair.plant)
