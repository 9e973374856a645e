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
    import torch

    from gevaldi.classifiers._preprocessing import Preprocessing
    from gevaldi.errors import SpecError, described
    from gevaldi.pictures import load_pictures

    cut = next((max(part.crop) for part in classifier.modules() if isinstance(part, Preprocessing)), SIZE)
    side, trouble = size or cut, None
    for channels in (3, 1):
        known = load_pictures(pictures, (channels, side, side)).spread(count)
        batches: tuple[Pictures, ...] = torch.stack(known.pictures).split(BATCH)
        try:
            with torch.no_grad():
                classifier(batches[0][:1])
        except Exception as error:  # whatever the network raises at pictures of other channels or sizes
            trouble = error
        else:
            return batches
    raise SpecError(
        f"{classifier.name} takes no pictures of {side} pixels a side, by which pictures={pictures} was read: "
        f"{described(trouble) if trouble else ''}. Say the side that it takes: pictures_size=SIDE."
    )
