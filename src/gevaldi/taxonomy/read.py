"""A taxonomy of your own: from a file, a nested mapping, or a networkx graph."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gevaldi.documents import TextFile, check
from gevaldi.errors import TaxonomyError
from gevaldi.files import write_whole
from gevaldi.storage import Location, location
from gevaldi.taxonomy.base import Taxonomy, restricted, taxonomy_of

Edge = tuple[str, str]
LONGEST = 200  # characters of a value that a message shows
FILE = TextFile("The taxonomy", TaxonomyError)


def read_taxonomy(source: str | Location | Mapping[str, Any] | Any, classes: Sequence[str] | None = None) -> Taxonomy:
    """Read a taxonomy from a file, a mapping or a graph.

    Args:
        source: a CSV file of two columns (node, its hypernym), a JSON or YAML file of such pairs or of a nested mapping, a nested
            mapping such as {"animal": {"bird": ["robin", "wren"], "cat": None}}, a `networkx.DiGraph` with edges from a hypernym
            down to its hyponyms, as trees are usually drawn, or a file from `write_taxonomy`.
        classes: the classes in the order of a classifier's labels; by default all leaves, in the order of the source.

    Raises:
        TaxonomyError: the source cannot be read, or is not a hierarchy with one root.
    """
    given = _values_of(location(source)) if isinstance(source, str | Location) else _checked(source)
    if isinstance(given, dict) and given.keys() == {"classes", "nodes"}:
        found = taxonomy_of(*_whole(given))
        return restricted(found, classes) if classes else found
    edges = list(_edges(given))
    if not edges:
        shown = source if isinstance(source, str | Location) else f"The {type(source).__name__}"
        raise TaxonomyError(f"{shown} holds no edges; expected pairs (node, its hypernym) or a nested mapping.")
    above = {upper for _, upper in edges}
    return taxonomy_of(classes or list(dict.fromkeys(lower for lower, _ in edges if lower not in above)), edges)


def write_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write a taxonomy as JSON, with the names of its nodes, for `read_taxonomy` and `--taxonomy FILE`.

    Raises:
        OSError: the file cannot be written; nothing of it remains.
    """
    write_whole(path, taxonomy_as_json(taxonomy).encode())


def taxonomy_as_json(taxonomy: Taxonomy) -> str:
    """A taxonomy as text: its classes, and all nodes with their hypernyms and names."""
    nodes = {node: {"hypernyms": list(above)} | _called(taxonomy, node) for node, above in taxonomy.hypernyms.items()}
    return json.dumps({"classes": list(taxonomy.classes), "nodes": nodes}, ensure_ascii=False, indent=1)


def _called(taxonomy: Taxonomy, node: str) -> dict[str, list[str]]:
    return {"names": list(taxonomy.names[node])} if node in taxonomy.names else {}


def _values_of(path: Location) -> Any:
    """The content of a file."""
    if path.suffix not in (".csv", ".json", ".yaml", ".yml"):
        raise TaxonomyError(f"{path} has an unknown suffix; expected .csv, .json, .yaml or .yml.")
    return FILE.rows(path) if path.suffix == ".csv" else FILE.values(path)


def _checked(source: Any) -> Any:
    """A program's values, if they are within the limits of files."""
    try:
        check(source)
    except ValueError as error:
        raise TaxonomyError(f"The {type(source).__name__} cannot be read as a taxonomy: {error}.") from None
    return source


def _whole(written: dict[str, Any]) -> tuple[list[str], list[Edge], dict[str, list[str]]]:
    """The classes, edges and names in a file from `write_taxonomy`."""
    try:
        nodes = written["nodes"].items()
        edges = [(node, above) for node, entry in nodes for above in _texts(entry["hypernyms"])]
        return _texts(written["classes"]), edges, {node: _texts(entry["names"]) for node, entry in nodes if entry.get("names")}
    except (AttributeError, KeyError, TypeError):
        raise TaxonomyError(
            "Expected a list of classes, and each of the taxonomy's nodes as {'hypernyms': [...], 'names': [...]}, all in text."
        ) from None


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError
    return value


def _edges(source: Any) -> Iterator[Edge]:
    if isinstance(source, Mapping):
        yield from _edges_of_mapping(source, None)
    elif hasattr(source, "successors"):
        yield from ((str(lower), str(upper)) for upper, lower in source.edges)
    elif isinstance(source, Sequence) and not isinstance(source, str):
        yield from (_pair(entry) for entry in source)
    else:
        raise TaxonomyError(
            f"The taxonomy is of type {type(source).__name__}; expected a file, a nested mapping or a networkx graph."
        )


def _pair(entry: Any) -> Edge:
    if isinstance(entry, str) or not isinstance(entry, Sequence) or len(entry) != 2:
        raise TaxonomyError(f"{repr(entry)[:LONGEST]} is not a pair (node, its hypernym), such as robin,bird.")
    lower, upper = (str(part).strip() for part in entry)
    return lower, upper


def _edges_of_mapping(mapping: Mapping[str, Any], above: str | None) -> Iterator[Edge]:
    for name, below in mapping.items():
        node = str(name)
        if above is not None:
            yield node, above
        if isinstance(below, Mapping):
            yield from _edges_of_mapping(below, node)
        elif isinstance(below, str):
            yield below, node
        elif isinstance(below, Sequence):
            for entry in below:
                yield from _edges_of_entry(entry, node)
        elif below is not None:
            raise TaxonomyError(f"Below {node!r} is {repr(below)[:LONGEST]}; expected classes: a list, a mapping or a name.")


def _edges_of_entry(entry: Any, above: str) -> Iterator[Edge]:
    if isinstance(entry, Mapping):
        yield from _edges_of_mapping(entry, above)
    elif isinstance(entry, list | tuple):
        raise TaxonomyError(
            f"Below {above!r} is the list {repr(entry)[:LONGEST]} without a name; write a mapping, {{name: [...]}}."
        )
    else:
        yield str(entry), above
