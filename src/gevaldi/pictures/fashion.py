"""All garments of Fashion-MNIST."""

from typing import TYPE_CHECKING

from gevaldi.bundled.worlds import GARMENTS
from gevaldi.pictures.mnist import NAMES, part_of

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures


class Fashion:
    """The 60,000 training or 10,000 test garments of Fashion-MNIST: `fashion:test,folder=DIR`, the folder of its idx files.

    Without a folder they are read from Debian's package `dataset-fashion-mnist` if it is installed, otherwise downloaded into the
    user's cache.
    """

    def names(self) -> list[str]:
        """Its two parts."""
        return NAMES

    def load(self, name: str, /, *, folder: str | None = None) -> "RealPictures":
        """The garments of that part, with their classes, in the order of the files.

        Raises:
            UnknownName: Fashion-MNIST has no such part.
            DataError: it is not in the folder, or cannot be downloaded.
        """
        return part_of(GARMENTS.data, name, folder)
