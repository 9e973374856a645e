"""The classifiers that ship with GeValDi."""

from functools import partial
from typing import TYPE_CHECKING, Any

from gevaldi.bundled import ladder
from gevaldi.calls import Call, construct
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from torch import nn

    from gevaldi.models import Classifier

NAMES = ["mnist-strided", "mnist-pooled", "mnist-referee", *ladder.FAMILIES]


class Bundled:
    """Small classifiers of MNIST's digits that ship with GeValDi: `bundled:mnist-strided`; `gevaldi show` has their cards.

    Of the families of graded capacity and of known order, one network a seed ships: `bundled:mnist-strided-1k,seed=2`.
    """

    def names(self) -> list[str]:
        """The pair, the referee, and the families, each of which has three seeds."""
        return NAMES

    def load(self, name: str, /, **options: Any) -> "Classifier":
        """A bundled classifier, its classes the digits; of a family, that of the option `seed`, by default 0.

        Raises:
            UnknownName, SpecError: there is no such classifier, it has no such option, or no network of that seed ships.
        """
        from gevaldi.models import classifier

        if name not in NAMES:
            raise UnknownName("bundled classifier", name, NAMES)
        network = partial(ladder.load if name in ladder.FAMILIES else _alone, name)
        return classifier(construct(network, Call(f"bundled:{name}", options), "classifier"), labels=10).eval()


def _alone(name: str) -> "nn.Module":
    """A network that is the only one of its name, and so takes no options."""
    from gevaldi.bundled.store import load

    return load(name)
