"""All digits of MNIST."""

from typing import TYPE_CHECKING, get_args

from gevaldi.errors import UnknownName
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

NAMES = ["train", "test"]


class Mnist:
    """The 60,000 training or 10,000 test digits of MNIST: `mnist:test,folder=DIR`, the folder of its idx files.

    Without a folder they are downloaded into the user's cache.
    """

    def names(self) -> list[str]:
        """Its two parts."""
        return NAMES

    def load(self, name: str, /, *, folder: str | None = None) -> "RealPictures":
        """The digits of that part, with their classes, in the order of the files.

        Raises:
            UnknownName: MNIST has no such part.
            DataError: it is not in the folder, or cannot be downloaded.
        """

        from gevaldi.bundled.mnist import Part, read_mnist
        from gevaldi.pictures.base import RealPictures

        for part in get_args(Part):
            if name == part:
                found = read_mnist(part, local_path(folder) if folder else None)
                return RealPictures(list(found.pictures), [str(label) for label in found.labels.tolist()])
        raise UnknownName("part of MNIST", name, NAMES)
