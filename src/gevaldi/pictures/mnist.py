"""All digits of MNIST."""

from typing import TYPE_CHECKING, get_args

from gevaldi.bundled.data import DataSet, Part
from gevaldi.bundled.worlds import DIGITS
from gevaldi.errors import UnknownName
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.bundled.examples import Examples
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
        return part_of(DIGITS.data, name, folder)


def part_of(data: DataSet, name: str, folder: str | None) -> "RealPictures":
    """A part of a data set, as `Mnist.load` loads it."""
    for part in get_args(Part):
        if name == part:
            return with_classes(data, data.read(part, local_path(folder) if folder else None))
    raise UnknownName(f"part of {data.name}", name, NAMES)


def with_classes(data: DataSet, examples: "Examples") -> "RealPictures":
    """Examples of a data set as real pictures with the names of their classes, which carry their recordings."""
    from gevaldi.labels import labels_of
    from gevaldi.pictures.base import RealPictures
    from gevaldi.sounds.recordings import carrying

    names, pictures = [label.name for label in labels_of(data.classes)], list(examples.pictures)
    if examples.recordings:
        pictures = [carrying(*pair) for pair in zip(pictures, examples.recordings, strict=True)]
    return RealPictures(pictures, [names[label] for label in examples.labels.tolist()], examples.names, data.sound())
