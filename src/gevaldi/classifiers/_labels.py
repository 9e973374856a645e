"""Labels that a user names for a network: a list that ships, a file in one of several forms, or a number of classes."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gevaldi.classifiers._imagenet import ilsvrc_labels
from gevaldi.documents import TextFile
from gevaldi.errors import SpecError
from gevaldi.models import Label, labels_of
from gevaldi.storage import local_path

IMAGENET = "imagenet"
BACKGROUND = "background"
ALIKE = 990  # of 1,000 names that must stand at their place; lists differ in how they write a few
MOST = 1_000_000  # classes
STRUCTURED = (".json", ".yaml", ".yml")
NAMED = ("id2label", "label_names", "class_to_idx", "labels", "classes")  # under which files of settings have their classes
LABELS = TextFile(
    "The file of labels",
    SpecError,
    f"{IMAGENET}, a number of classes, a text file with a name or id<TAB>name a line, or a list or mapping in JSON or YAML was "
    "expected.",
)


def classes_told(classes: int | None, labels: int | str | None, name: str) -> int | None:
    """How many classes a user says that a network has, by their number or by its labels; None where nothing is said.

    Raises:
        SpecError: there are fewer than two or more than a million, or the file of labels cannot be read.
    """
    count = classes
    if classes is None and labels is not None:
        count = labels if isinstance(labels, int) else len(_labels(labels))
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
        labels, source = _labels(said), f"labels={said}"
    if len(labels) != classes:
        count = said if isinstance(said, int) else len(labels)
        raise SpecError(f"{name} gives {classes} classes, but there are {count} labels ({source}).")
    return labels


def _suggest(classes: int, name: str) -> None:
    if classes == 1000:
        sys.stderr.write(f"gevaldi: {name} has 1000 classes without names; if they are ImageNet's, say labels={IMAGENET}\n")


def _labels(said: str) -> tuple[Label, ...]:
    return ilsvrc_labels() if said == IMAGENET else _read(local_path(said))


def _read(path: Path) -> tuple[Label, ...]:
    if path.suffix in STRUCTURED:
        return _structured(path, LABELS.values(path))
    lines = LABELS.lines(path)
    pairs = [line.rpartition("\t") for line in lines]
    if any(tab for _, tab, _ in pairs):
        return tuple(Label(label.strip(), key.strip() or None) for key, _, label in pairs)
    return with_ids(lines)


def _structured(path: Path, values: Any) -> tuple[Label, ...]:
    """Labels from values in a file: a list, a mapping, or one of these under a usual name."""
    if isinstance(values, Mapping):
        values = next((values[key] for key in NAMED if isinstance(values.get(key), Mapping | list)), values)
    if not isinstance(values, Mapping | list):
        raise SpecError(f"{path} holds {type(values).__name__}; a list of names, or a mapping of names and indices, was expected.")
    try:
        labels = labels_of(values)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    return labels if any(label.id for label in labels) else with_ids([label.name for label in labels])


def with_ids(names: Sequence[str]) -> tuple[Label, ...]:
    """Labels of these names, with WordNet ids where they are the 1,000 of ImageNet in the usual order.

    Google's networks have a class `background` before them.
    """
    if len(names) > 1000 and _plain(names[0]) == BACKGROUND:
        return (Label(names[0]), *with_ids(names[1:]))
    usual = ilsvrc_labels()
    known = [_plain(label.name) for label in usual]
    places = sum(_is_named(came, name) for came, name in zip(names, known, strict=False))
    return usual if len(names) == len(usual) and places >= ALIKE else labels_of(names)


def _is_named(came: str, known: str) -> bool:
    """Whether a name, or the first of several synonyms (`tench, Tinca tinca`), is the known one."""
    return known in (_plain(came), _plain(came.partition(",")[0]))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.lower()).strip()
