"""The classifiers that ship with GeValDi."""

from typing import TYPE_CHECKING

from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from gevaldi.models import Classifier

NAMES = ["mnist-strided", "mnist-pooled", "mnist-referee"]


class Bundled:
    """Three small classifiers of MNIST's digits that ship with GeValDi: `bundled:mnist-strided`; `gevaldi show` has their cards."""

    def names(self) -> list[str]:
        """The pair and the referee."""
        return NAMES

    def load(self, name: str) -> "Classifier":
        """A bundled classifier, its classes the digits."""
        from gevaldi.bundled.store import load
        from gevaldi.models import classifier

        if name not in NAMES:
            raise UnknownName("bundled classifier", name, NAMES)
        return classifier(load(name), labels=10).eval()
