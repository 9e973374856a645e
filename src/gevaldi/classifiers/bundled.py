"""The classifiers that ship with GeValDi."""

from functools import partial
from typing import TYPE_CHECKING, Any

from gevaldi.bundled import ladder
from gevaldi.bundled.worlds import DIGITS, WORLDS
from gevaldi.calls import Call, construct
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from torch import nn

    from gevaldi.models import Classifier

TRAINED = {name: world for world in WORLDS.values() for name in world.classifiers}
NAMES = [*(name for name, world in TRAINED.items() if name in world.shipped), *ladder.FAMILIES]


class Bundled:
    """Small classifiers of digits, garments and spoken digits that ship with GeValDi: `bundled:mnist-strided`.

    `gevaldi show bundled:NAME` shows the card of one. Of the families of graded capacity and of known order, one network a seed
    ships: `bundled:mnist-strided-1k,seed=2`; so does `bundled:fashion-dense,seed=1`. With `folder=DIR`, a network that
    `gevaldi train` left there: `bundled:fashion-linear,folder=fashion-models`; `gevaldi train fashion` makes twelve more than ship.
    """

    def names(self) -> list[str]:
        """Those that ship: of the digits, garments and spoken digits, and the families of digits, each of which has three seeds."""
        return NAMES

    def load(self, name: str, /, **options: Any) -> "Classifier":
        """A bundled classifier; of a family, that of the option `seed`, by default 0.

        Raises:
            UnknownName, SpecError: there is no such classifier, it has no such option, or it does not ship.
            WeightsError: the option `folder` has no such network.
        """
        from gevaldi.models import classifier

        if name not in TRAINED and name not in ladder.FAMILIES:
            raise UnknownName("bundled classifier", name, NAMES)
        seeded = name in TRAINED and name in TRAINED[name].seeds
        load = _family if name in ladder.FAMILIES else _seeded if seeded else _alone
        network = construct(partial(load, name), Call(f"bundled:{name}", options), "classifier")
        return classifier(network, labels=TRAINED.get(name, DIGITS).data.classes).eval()


def _alone(name: str, folder: str | None = None) -> "nn.Module":
    """A network that is the only one of its name."""
    from gevaldi.bundled.store import load
    from gevaldi.storage import local_path

    return load(name, local_path(folder) if folder else None)


def _seeded(name: str, seed: int = 0, folder: str | None = None) -> "nn.Module":
    """A network that ships with several seeds."""
    from gevaldi.bundled.store import load_seed

    return load_seed(name, seed) if seed and not folder else _alone(name, folder)


def _family(name: str, seed: int = 0, folder: str | None = None) -> "nn.Module":
    """A member of a family."""
    from gevaldi.storage import local_path

    return ladder.load(name, seed, local_path(folder) if folder else None)
