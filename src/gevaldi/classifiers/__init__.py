"""Where classifiers come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

from typing import TYPE_CHECKING

from gevaldi.provenance import record_files
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Classifier

sources = Sources(Registry("classifier source", "gevaldi.classifiers"), "classifier")


def load_classifier(given: "str | Classifier") -> "Classifier":
    """The classifier that a user names (`bundled:mnist-strided`, `python:package.module:factory`) or gives.

    Raises:
        UnknownName, SpecError: there is none of that name, or what was found is not a classifier.
        WeightsError: its weights cannot be read.
    """
    from gevaldi.models import Classifier

    with record_files() as files:
        found: Classifier = sources.resolve(given, Classifier, "Wrap a module in one line: gevaldi.classifier(module, labels=10)")
    if not isinstance(given, str):
        return found
    found.files = files
    return found.eval()
