"""The generators that ship with GeValDi."""

from typing import TYPE_CHECKING

from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from gevaldi.models import Generator

NAMES = ["mnist-vae"]


class Bundled:
    """A class-conditional generator of MNIST's digits that ships with GeValDi: `bundled:mnist-vae`; `gevaldi show` has its card."""

    def names(self) -> list[str]:
        """The one there is."""
        return NAMES

    def load(self, name: str, /) -> "Generator":
        """The bundled generator, its conditions the digits and its prior N(0, I)."""
        from gevaldi.bundled.architectures import LATENT
        from gevaldi.bundled.store import load
        from gevaldi.models import generator

        if name not in NAMES:
            raise UnknownName("bundled generator", name, NAMES)
        return generator(load(name), latent=LATENT, conditions=10).eval()
