"""A copy of a classifier in half precision."""

from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Half:
    """A copy in half precision, as it is deployed: `half:torchvision:resnet50`, `half:timm:resnet50.a1_in1k,dtype=bfloat16`.

    `dtype` is float16 or bfloat16. Other options are those of the classifier.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /, *, dtype: str = "float16", **options: Any) -> "Classifier":
        """The copy, whose network computes in half precision; preprocessing and log-probabilities are in single precision.

        Raises:
            SpecError: the numbers are of another kind.
            UnknownName, WeightsError: as for the classifier alone.
        """
        import torch

        from gevaldi.classifiers._wrapping import inner
        from gevaldi.wrappers.copies import in_half_precision

        kinds = {"float16": torch.float16, "bfloat16": torch.bfloat16}
        if dtype not in kinds:
            raise SpecError(f"half:{name} was asked for in dtype={dtype}; float16 or bfloat16 was expected.")
        return in_half_precision(inner("half", name, options), kinds[dtype])
