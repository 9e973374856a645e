"""A classifier with another one's gradients."""

from typing import TYPE_CHECKING

from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Surrogate:
    """What the first says, with the gradients of the second: `surrogate:(onnx:int8.onnx,gradients=false)+(onnx:float.onnx)`.

    For a classifier through which no gradient passes, such as one in integers. Both have the same labels in the same order; those
    of a file are said by `labels=`.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /) -> "Classifier":
        """The first, with the gradients of the second.

        Raises:
            SpecError: there are not two, or they have other labels.
            UnknownName, WeightsError: as for each alone.
        """
        from gevaldi.classifiers._wrapping import several
        from gevaldi.wrappers.predictions import Surrogate as Lent

        both = several("surrogate", name)
        if len(both) != 2:
            raise SpecError(f"surrogate:{name} names {len(both)} classifiers; two were expected, (CLASSIFIER)+(ITS GRADIENTS).")
        return Lent(*both)
