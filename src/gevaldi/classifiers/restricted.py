"""A classifier over some of its classes."""

from typing import TYPE_CHECKING, Any

from gevaldi.documents import TextFile
from gevaldi.errors import SpecError, UnknownName
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Label

FILE = TextFile("The file of classes", SpecError, "A text file with a class a line, or a list of them, was expected.")


class Restricted:
    """A classifier over some of its classes only: `restricted:torchvision:resnet50,classes=dogs.txt`.

    `classes` is a text file with the id or the name of a class a line, or a list such as `["n02085620","n02085782"]`. What it says
    of the others is left out, and the rest renormalised. Other options are those of the classifier.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /, *, classes: str | list[str | int], **options: Any) -> "Classifier":
        """The classifier over these classes, in its own order.

        Raises:
            SpecError: fewer than two classes are named, or the file cannot be read.
            UnknownName: it has no such class.
            WeightsError: as for the classifier alone.
        """
        from gevaldi.alignment import Aligned
        from gevaldi.classifiers._wrapping import inner

        found, wanted = inner("restricted", name, options), set(_listed(classes))
        kept = [i for i, label in enumerate(found.labels) if wanted & _called(label)]
        unknown = wanted - {call for i in kept for call in _called(found.labels[i])}
        if unknown:
            raise UnknownName("class of the classifier", min(unknown), {call for label in found.labels for call in _called(label)})
        if len(kept) < 2:
            raise SpecError(f"classes={classes!r} names {len(kept)} classes; two or more were expected.")
        places = {i: place for place, i in enumerate(kept)}
        return Aligned(found, [places.get(i) for i in range(len(found.labels))], [found.labels[i] for i in kept])


def _called(label: "Label") -> set[str]:
    return {label.name} | ({label.id} if label.id else set())


def _listed(classes: str | list[str | int]) -> list[str]:

    if isinstance(classes, list):
        return [str(entry) for entry in classes]
    return FILE.lines(local_path(classes))
