"""Labels that a user names for a network: a list that ships, a file in one of several forms, or a number of classes."""

import sys
from collections.abc import Sequence

from gevaldi.errors import SpecError
from gevaldi.label_files import IMAGENET, read_labels, with_ids
from gevaldi.labels import Label, labels_of

MOST = 1_000_000  # classes


def classes_told(classes: int | None, labels: int | str | None, name: str) -> int | None:
    """How many classes a user says that a network has, by their number or by its labels; None where nothing is said.

    Raises:
        SpecError: there are fewer than two or more than a million, or the file of labels cannot be read.
    """
    count = classes
    if classes is None and labels is not None:
        count = labels if isinstance(labels, int) else len(read_labels(labels))
    if count is not None and count < 2:
        raise SpecError(f"{name} was given {count} classes; a classifier chooses one of at least two.")
    if count is not None and count > MOST:
        raise SpecError(f"{name} was given {count:,} classes; at most {MOST:,} were expected.")
    return count


def refuse_classes(wanted: int | None, published: int, name: str) -> None:
    """Refuse another number of classes for weights that a package publishes.

    Raises:
        SpecError: they have another number.
    """
    if wanted not in (None, published):
        raise SpecError(
            f"{name} has {published} classes in its published weights, but {wanted} were given. For a network of yours with other "
            f"classes, name its file: {name},weights=FILE,classes={wanted}. For some of the {published} classes: restricted:{name}."
        )


def labels_told(said: int | str | None, classes: int, name: str, names: Sequence[str] = ()) -> tuple[Label, ...]:
    """Labels from what was said in `labels=`; where nothing was, from names that came with the network, or numbers.

    Raises:
        SpecError: there are more or fewer of them than classes, or the file of labels cannot be read.
    """
    if said is None and names:
        labels, source = with_ids(names), "those that came with it"
    elif said is None:
        _suggest(classes, name)
        labels, source = labels_of(classes), "its own"
    elif isinstance(said, int):
        labels, source = labels_of(max(0, min(said, classes + 1))), f"labels={said}"  # no billions of them
    else:
        labels, source = read_labels(said), f"labels={said}"
    if len(labels) != classes:
        count = said if isinstance(said, int) else len(labels)
        raise SpecError(f"{name} gives {classes} classes, but there are {count} labels ({source}).")
    return labels


def _suggest(classes: int, name: str) -> None:
    if classes == 1000:
        sys.stderr.write(f"gevaldi: {name} has 1000 classes without names; if they are ImageNet's, say labels={IMAGENET}\n")
