"""The generators that ship with GeValDi."""

from typing import TYPE_CHECKING

from gevaldi.bundled.worlds import WORLDS
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from gevaldi.models import Generator

DRAWN = {world.generator.name: world for world in WORLDS.values()}


class Bundled:
    """Class-conditional generators that ship with GeValDi: `bundled:mnist-vae`, `bundled:fashion-vae`, `bundled:speech-vae`.

    `gevaldi show bundled:NAME` shows the card of one. With `folder=DIR`, the one that `gevaldi train` left there.
    """

    def names(self) -> list[str]:
        """Of the digits, of the garments, and of the spoken digits."""
        return list(DRAWN)

    def load(self, name: str, /, *, folder: str | None = None) -> "Generator":
        """A bundled generator, its conditions the classes of its data set and its prior N(0, I)."""
        from gevaldi.bundled.store import load
        from gevaldi.models import generator
        from gevaldi.storage import local_path

        if name not in DRAWN:
            raise UnknownName("bundled generator", name, list(DRAWN))
        network = load(name, local_path(folder) if folder else None)
        world = DRAWN[name]
        return generator(network, world.generator.latent, world.data.classes, sound=world.data.sound()).eval()
