"""The real pictures that ship with GeValDi."""

from typing import TYPE_CHECKING

from gevaldi.bundled.worlds import WORLDS
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

SETS = {world.hierarchy: world.data for world in WORLDS.values()}


class Bundled:
    """1,000 real test pictures of MNIST or Fashion-MNIST, 100 of each class: `bundled:mnist-digits`, `bundled:fashion-garments`."""

    def names(self) -> list[str]:
        """Of MNIST, and of Fashion-MNIST."""
        return list(SETS)

    def load(self, name: str, /) -> "RealPictures":
        """The pictures, with their classes."""
        from gevaldi.bundled.digits import real_pictures
        from gevaldi.pictures.mnist import with_classes

        if name not in SETS:
            raise UnknownName("bundled set of pictures", name, list(SETS))
        return with_classes(SETS[name], *real_pictures(SETS[name]))
