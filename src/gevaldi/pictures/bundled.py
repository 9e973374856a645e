"""The real pictures that ship with GeValDi."""

from typing import TYPE_CHECKING

from gevaldi.bundled.worlds import WORLDS
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

SETS = {world.hierarchy: world.data for world in WORLDS.values()}


class Bundled:
    """Real test pictures, equally many of each class: `bundled:mnist-digits`, `bundled:fashion-garments`, `bundled:spoken-digits`.

    1,000 of MNIST, 1,000 of Fashion-MNIST, and 120 recordings of the Free Spoken Digit Dataset, two of each digit and speaker.
    """

    def names(self) -> list[str]:
        """Of MNIST, of Fashion-MNIST, and of the Free Spoken Digit Dataset."""
        return list(SETS)

    def load(self, name: str, /) -> "RealPictures":
        """The pictures, with their classes."""
        from gevaldi.pictures.mnist import with_classes

        if name not in SETS:
            raise UnknownName("bundled set of pictures", name, list(SETS))
        return with_classes(SETS[name], SETS[name].shipped())
