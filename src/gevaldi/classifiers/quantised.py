"""A copy of a classifier in integers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.models import Classifier

SIZE = 224  # pixels a side of the pictures on which ranges are found, where the user does not say
BATCH = 16


class Quantised:
    """A copy that computes as in 8-bit integers: `quantised:torchvision:resnet50`, `quantised:timm:resnet50.a1_in1k,bits=4`.

    Weights and inputs of convolutions and linear layers are rounded; gradients pass straight through the rounding. With
    `pictures=folder:DIR` the ranges of inputs are fixed to those of so many real pictures (`count`, 64; `size`, 224), otherwise
    they are each picture's own. Other options are those of the classifier.
    """

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(
        self, name: str, *, bits: int = 8, pictures: str | None = None, count: int = 64, size: int = SIZE, **options: Any
    ) -> "Classifier":
        """The quantised copy.

        Raises:
            SpecError: the number of bits is not from 2 to 8, or there is nothing to quantise.
            DataError: there are no pictures, or they cannot be read.
            UnknownName, WeightsError: as for the classifier alone.
        """
        import torch

        from gevaldi.classifiers._wrapping import inner
        from gevaldi.wrappers.copies import quantised

        found = inner("quantised", name, options)
        if pictures is None:
            return quantised(found, bits)
        from gevaldi.pictures import load_pictures

        known = load_pictures(pictures, (3, size, size)).spread(count)
        return quantised(found, bits, torch.stack(known.pictures).split(BATCH))
