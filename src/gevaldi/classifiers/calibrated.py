"""A classifier at the temperature that real pictures give it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Calibrated:
    """A classifier whose confidence fits real pictures: `calibrated:torchvision:resnet50,pictures=folder:DIR`.

    Log-probabilities are divided by the temperature at which `count` (1,000) of the pictures, spread evenly over all, are most
    likely to show their classes, and normalised again [Guo 2017]; the top class stays. Two classifiers whose confidence is matched
    so are told apart by a search whatever temperature they had before. Other options are those of the classifier.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /, *, pictures: str, count: int = 1_000, **options: Any) -> "Classifier":
        """The classifier at its fitted temperature, which its note says.

        Raises:
            SpecError: no temperature fits best, because too few pictures have a class that it knows, or all are read right.
            UnknownName, WeightsError, DataError: as for the classifier and the pictures alone.
        """
        from gevaldi.classifiers._calibration import calibrated
        from gevaldi.classifiers._wrapping import inner

        return calibrated(inner("calibrated", name, options), pictures, count)
