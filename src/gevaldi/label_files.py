"""Lists of classes that a user names: ImageNet's, or a file in one of several forms. Needs no torch."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gevaldi.documents import TextFile
from gevaldi.errors import SpecError
from gevaldi.labels import Label, labels_of
from gevaldi.storage import local_path
from gevaldi.taxonomy.shipped import registry

IMAGENET = "imagenet"
BACKGROUND = "background"
ALIKE = 990  # of 1,000 names that must stand at their place; lists differ in how they write a few
STRUCTURED = (".json", ".yaml", ".yml")
NAMED = ("id2label", "label_names", "class_to_idx", "labels", "classes")  # under which files of settings have their classes
LABELS = TextFile(
    "The file of labels",
    SpecError,
    f"{IMAGENET}, a number of classes, a text file with a name or id<TAB>name a line, or a list or mapping in JSON or YAML was "
    "expected.",
)


def classes_of(said: str | Sequence[str]) -> tuple[Label, ...]:
    """The classes of a list, of `[cat,dog]`, of `imagenet`, or of a file.

    Raises:
        SpecError: the file cannot be read, or there is no list of classes.
    """
    if isinstance(said, str) and said.startswith("[") and said.endswith("]"):
        said = [name.strip() for name in said[1:-1].split(",")]
    return read_labels(said) if isinstance(said, str) else labels_of([*said])


def read_labels(said: str) -> tuple[Label, ...]:
    """The classes of `imagenet`, or of a file.

    Raises:
        SpecError: the file cannot be read, or holds no list of classes.
    """
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


def ilsvrc_labels() -> tuple[Label, ...]:
    """The 1,000 classes of ILSVRC 2012 in their usual order, with their WordNet ids."""
    taxonomy = registry.build("ilsvrc")
    return tuple(Label(taxonomy.name(wnid), wnid) for wnid in taxonomy.classes)
