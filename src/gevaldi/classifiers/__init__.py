"""Where classifiers come from: a source a file, named `SOURCE:NAME` on the command line and in specs."""

from typing import TYPE_CHECKING

from gevaldi.provenance import files_read
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Label

sources = Sources(Registry("classifier source", "gevaldi.classifiers"), "classifier")


def load_classifier(given: "str | Classifier") -> "Classifier":
    """The classifier that a user names (`bundled:mnist-strided`, `python:package.module:factory`) or gives.

    Raises:
        UnknownName, SpecError: there is none of that name, or what was found is not a classifier.
        WeightsError: its weights cannot be read.
    """
    from gevaldi.models import Classifier

    with files_read() as files:
        found: Classifier = sources.resolve(given, Classifier, "Wrap a module in one line: gevaldi.classifier(module, labels=10)")
    found.labels = _checked_labels(found)
    if not isinstance(given, str):
        return found
    found.files = files
    return found.eval()


def _checked_labels(classifier: "Classifier") -> "tuple[Label, ...]":
    """The labels of a classifier, in whatever form a class of the user's own has them.

    Raises:
        SpecError: it has none, or they are of no known form.
    """
    from gevaldi.errors import SpecError
    from gevaldi.models import labels_of

    if not hasattr(classifier, "labels"):
        raise SpecError(f"{type(classifier).__name__} has no labels; set them in __init__: self.labels = ['cat', 'dog'].")
    return labels_of(classifier.labels)
