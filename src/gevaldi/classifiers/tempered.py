"""A classifier at another temperature."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Tempered:
    """A classifier at another temperature: `tempered:torchvision:resnet50,temperature=1.5`.

    Log-probabilities are divided by `temperature` and normalised again; above 1, predictions become less certain. Other options are
    those of the classifier.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /, *, temperature: float, **options: Any) -> "Classifier":
        """The classifier, tempered.

        Raises:
            SpecError: the temperature is not a positive number.
            UnknownName, WeightsError: as for the classifier alone.
        """
        from gevaldi.classifiers._wrapping import inner
        from gevaldi.wrappers.predictions import Tempered as Scaled

        return Scaled(inner("tempered", name, options), temperature)
