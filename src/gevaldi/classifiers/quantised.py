"""A copy of a classifier in integers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Pictures

SIZE = 224  # pixels a side of the pictures on which ranges are found, where neither the user nor the classifier says it
BATCH = 16


class Quantised:
    """A copy that computes as in 8-bit integers: `quantised:torchvision:resnet50`, `quantised:timm:resnet50.a1_in1k,bits=4`.

    Weights and inputs of convolutions and linear layers are rounded; gradients pass straight through the rounding. With
    `pictures=folder:DIR` the ranges of inputs are fixed to those of real pictures, so many (`pictures_count`, 64) and so large
    (`pictures_size`, what the classifier cuts them to), otherwise they are each picture's own. Other options are those of the
    classifier.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(
        self,
        name: str,
        /,
        *,
        bits: int = 8,
        pictures: str | None = None,
        pictures_count: int = 64,
        pictures_size: int | None = None,
        **options: Any,
    ) -> "Classifier":
        """The quantised copy.

        Raises:
            SpecError: the number of bits is not from 2 to 8, there is nothing to quantise, or the pictures do not fit.
            DataError: there are no pictures, or they cannot be read.
            UnknownName, WeightsError: as for the classifier alone.
        """
        from gevaldi.classifiers._wrapping import inner
        from gevaldi.wrappers.copies import quantised

        found = inner("quantised", name, options)
        if pictures is None:
            return quantised(found, bits)
        return quantised(found, bits, _batches(found, pictures, pictures_count, pictures_size))


def _batches(classifier: "Classifier", pictures: str, count: int, size: int | None) -> "tuple[Pictures, ...]":
    """So many real pictures, in colour or, where the classifier does not take these, grey."""
    from gevaldi.classifiers._preprocessing import Preprocessing
    from gevaldi.pictures import sources
    from gevaldi.pictures.base import brought_to_network

    cut = next((max(part.crop) for part in classifier.modules() if isinstance(part, Preprocessing)), SIZE)
    side = size or cut
    remedy = f"Say the side that {classifier.name} takes: pictures_size=SIDE."
    return tuple(brought_to_network(sources.load(pictures), (side, side), classifier, remedy, count).batches(BATCH))
