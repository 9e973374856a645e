"""Where classifiers come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

from typing import TYPE_CHECKING

from gevaldi.errors import SpecError
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Classifier

sources = Sources(Registry("classifier source", "gevaldi.classifiers"), "classifier")


def load_classifier(text: str) -> "Classifier":
    """The classifier that a user names: `bundled:mnist-strided`, `python:package.module:factory`.

    Raises:
        UnknownName, SpecError: there is none of that name, or what was found is not a classifier.
        WeightsError: its weights cannot be read.
    """
    from gevaldi.models import Classifier

    found = sources.load(text)
    if not isinstance(found, Classifier):
        raise SpecError(
            f"{text!r} gave a {type(found).__name__}, but a gevaldi.Classifier was expected. "
            "Wrap a module in one line: return gevaldi.classifier(module, labels=10)"
        )
    return found.eval()
