"""The real pictures that ship with GeValDi."""

from typing import TYPE_CHECKING

from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

NAMES = ["mnist-digits"]


class Bundled:
    """1,000 real digits of MNIST's test set, 100 of each, that ship with GeValDi: `bundled:mnist-digits`."""

    def names(self) -> list[str]:
        """The one set there is."""
        return NAMES

    def load(self, name: str, /) -> "RealPictures":
        """The digits, with their classes."""
        from gevaldi.bundled.digits import real_digits
        from gevaldi.pictures.base import RealPictures

        if name not in NAMES:
            raise UnknownName("bundled set of pictures", name, NAMES)
        pictures, labels = real_digits()
        return RealPictures(list(pictures), [str(label) for label in labels.tolist()])
