"""From the labels of a classifier to the classes of a taxonomy: by id, or by an unambiguous name; never by a guess."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gevaldi.documents import TextFile
from gevaldi.errors import GevaldiError, SpecError, TaxonomyError
from gevaldi.registry import REFERENCE
from gevaldi.storage import local_path, location
from gevaldi.taxonomy.base import MOST_NODES, Taxonomy, index_of, restricted
from gevaldi.taxonomy.read import read_taxonomy
from gevaldi.taxonomy.shipped import registry

Named = tuple[str, str | None]
"""A label: its name, and its id, if any."""

FILES = (".csv", ".json", ".yaml", ".yml")
SAID = TextFile("The file of labels", SpecError, "Expected pairs (label, class).")


Said = Mapping[Any, Any] | str | Path | None
"""A user's mapping from labels (index, id or name) to classes (id or name; None to leave a label out), or a file that holds it."""


def find_taxonomy(text: str) -> Taxonomy:
    """The taxonomy that a user names: a bundled one, a file, or `python:FILE.py:NAME`, an object or a function that returns one.

    Raises:
        UnknownName, SpecError: there is no such taxonomy.
        TaxonomyError: the file cannot be read, or does not hold a hierarchy.
    """
    if text.endswith(FILES):
        return read_taxonomy(location(text))
    found = registry.build(text)
    return found if isinstance(found, Taxonomy) else read_taxonomy(found)


def is_there(text: str) -> bool:
    """Whether a text names a bundled taxonomy, an existing file, or a Python object."""
    return location(text).exists() if text.endswith(FILES) else text.startswith(REFERENCE) or text in registry.names()


def fitting(labels: Sequence[Named]) -> tuple[str, Taxonomy] | None:
    """The bundled taxonomy that has all labels' ids, with its name; None if there is none."""
    ids = [own for _, own in labels if own]
    if len(ids) < len(labels) or len(set(ids)) < len(ids):
        return None
    for name in registry:
        taxonomy = registry.build(name)
        if all(own in taxonomy.hypernyms for own in ids):
            return name, restricted(taxonomy, ids)
    return None


def over(taxonomy: Taxonomy, labels: Sequence[Named]) -> Taxonomy:
    """The taxonomy over the classes of a classifier, in the order of its labels.

    Labels that are only consecutive numbers are matched by position, if the taxonomy has the same number of classes.

    Raises:
        TaxonomyError: labels match no class, or several; the message names them.
    """
    nowhere = not any(name in taxonomy.hypernyms for name, _ in labels)
    if nowhere and are_only_numbers(labels) and len(labels) == len(taxonomy.classes):
        return taxonomy
    return restricted(taxonomy, nodes_of(taxonomy, labels))


def nodes_of(taxonomy: Taxonomy, labels: Sequence[Named]) -> list[str]:
    """The node of every label.

    Raises:
        TaxonomyError: as `over`.
    """
    nodes = [taxonomy.nodes_called(own or name) if own is None or own in taxonomy.hypernyms else [] for name, own in labels]
    lost = [label for label, found in zip(labels, nodes, strict=True) if len(found) != 1]
    if lost:
        problems = [_problem(taxonomy, label) for label in lost[:3]]
        more = f" (and {len(lost) - 3} more)" if len(lost) > 3 else ""
        raise TaxonomyError(
            f"{len(lost)} of {len(labels)} labels have no place in the taxonomy: {' '.join(problems)}{more} "
            "Give the labels ids, gevaldi.Label(name, id), or map them to classes (or to null, to leave them out) in "
            "first_classes and second_classes."
        )
    return [found[0] for found in nodes]


def are_only_numbers(labels: Sequence[Named]) -> bool:
    """Whether labels are only consecutive numbers, as for a classifier that was given only their number."""
    begin = index_of(labels[0][0], MOST_NODES)
    return begin is not None and all(name == str(i) and own is None for i, (name, own) in enumerate(labels, begin))


def _problem(taxonomy: Taxonomy, label: Named) -> str:
    """Why a label has no unique node."""
    name, own = label
    if own is not None:
        return f"The label {name!r} has the id {own!r}, which is not a node."
    try:
        return f"{taxonomy.find(name, index=False)} is one."
    except GevaldiError as error:
        return str(error)


def mapping_of(said: Said) -> dict[str, str | None] | None:
    """A user's mapping of labels, read from a CSV file with two columns (label, class) or a JSON or YAML file if need be.

    Raises:
        SpecError: the file cannot be read, or does not hold a mapping.
    """
    if said is None:
        return None
    if isinstance(said, str | Path):
        said = _mapping_in_file(local_path(str(said)))
    for part in (part for pair in said.items() for part in pair):
        if isinstance(part, bool | float):
            raise SpecError(f"{part!r} was given among the labels and classes; a name such as no, on or 1.10 stands in quotes.")
    return {str(key): None if value is None or value == "" else str(value) for key, value in said.items()}


def _mapping_in_file(path: Path) -> dict[Any, Any]:
    if path.suffix == ".csv":
        return _pairs(path, SAID.rows(path))
    found = SAID.values(path)
    if not isinstance(found, dict):
        raise SpecError(f"{path} holds {type(found).__name__}; expected a mapping from labels to classes.")
    return found


def _pairs(path: Path, rows: list[list[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        if len(row) != 2:
            raise SpecError(f"{path} has the row {','.join(row)!r}; expected two columns, label and class, without a header.")
        label, meant = (part.strip() for part in row)
        if label in found:
            raise SpecError(f"{path} maps the label {label!r} twice; keep one entry.")
        found[label] = meant
    return found
