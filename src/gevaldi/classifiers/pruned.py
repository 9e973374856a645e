"""A copy of a classifier without its smallest weights."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Pruned:
    """A copy without the smallest weights: `pruned:torchvision:resnet50,amount=0.5`.

    `amount` is the share of all weights of convolutions and linear layers that become zero. Other options are those of the
    classifier.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /, *, amount: float, **options: Any) -> "Classifier":
        """The pruned copy.

        Raises:
            SpecError: the share is not between 0 and 1, or there is nothing to prune.
            UnknownName, WeightsError: as for the classifier alone.
        """
        from gevaldi.classifiers._wrapping import inner
        from gevaldi.wrappers.copies import pruned

        return pruned(inner("pruned", name, options), amount)
