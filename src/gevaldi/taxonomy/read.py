"""A taxonomy of your own: from a file, a nested mapping, or a networkx graph."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gevaldi.errors import TaxonomyError
from gevaldi.files import write_whole
from gevaldi.places import Place, place, read
from gevaldi.taxonomy.base import Taxonomy, restricted, taxonomy_of

Edge = tuple[str, str]


def read_taxonomy(source: str | Place | Mapping[str, Any] | Any, classes: Sequence[str] | None = None) -> Taxonomy:
    """A taxonomy from what a user has.

    Args:
        source: a CSV file of two columns (node, its hypernym), a JSON or YAML file of such pairs or of a nested mapping, a nested
            mapping such as {"animal": {"bird": ["robin", "wren"], "cat": None}}, a `networkx.DiGraph` with edges from a hypernym
            down to its hyponyms, as trees are usually drawn, or what `write_taxonomy` wrote.
        classes: the classes in the order of a classifier's labels; by default all leaves, in the order in which they are met.

    Raises:
        TaxonomyError: the source cannot be read, or what it says is no hierarchy with one root.
    """
    if (whole := _whole(source)) is not None:
        found = taxonomy_of(whole["classes"], *_nodes(whole))
        return restricted(found, classes) if classes else found
    edges = list(_edges(source))
    if not edges:
        raise TaxonomyError(f"{source!r} holds no edges; pairs (node, its hypernym) or a nested mapping were expected.")
    above = {upper for _, upper in edges}
    return taxonomy_of(classes or list(dict.fromkeys(lower for lower, _ in edges if lower not in above)), edges)


def write_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write a taxonomy as JSON, with the names of its nodes, as `read_taxonomy` and `--taxonomy FILE` read it.

    Raises:
        OSError: it could not be written; nothing of it is left.
    """
    write_whole(path, taxonomy_as_json(taxonomy).encode())


def taxonomy_as_json(taxonomy: Taxonomy) -> str:
    """A taxonomy as text: its classes, and all nodes with their hypernyms and names."""
    nodes = {node: {"hypernyms": list(above)} | _called(taxonomy, node) for node, above in taxonomy.hypernyms.items()}
    return json.dumps({"classes": list(taxonomy.classes), "nodes": nodes}, ensure_ascii=False, indent=1)


def _called(taxonomy: Taxonomy, node: str) -> dict[str, list[str]]:
    return {"names": list(taxonomy.names[node])} if node in taxonomy.names else {}


def _whole(source: Any) -> dict[str, Any] | None:
    """What `write_taxonomy` wrote, if it is that."""
    if isinstance(source, str | Place) and place(source).suffix == ".json":
        try:
            source = json.loads(read(place(source)).decode("utf-8-sig"))
        except (OSError, ValueError):
            return None  # reading it as edges says what is wrong
    return source if isinstance(source, dict) and source.keys() == {"classes", "nodes"} else None


def _nodes(whole: dict[str, Any]) -> tuple[list[Edge], dict[str, list[str]]]:
    try:
        nodes = whole["nodes"].items()
        edges = [(node, above) for node, entry in nodes for above in entry["hypernyms"]]
        return edges, {node: entry["names"] for node, entry in nodes if "names" in entry}
    except (AttributeError, KeyError, TypeError):
        raise TaxonomyError("Each of the taxonomy's nodes was expected as {'hypernyms': [...], 'names': [...]}.") from None


def _edges(source: Any) -> Iterator[Edge]:
    if isinstance(source, str | Place):
        yield from _edges_of_file(place(source))
    elif isinstance(source, Mapping):
        yield from _edges_of_mapping(source, None)
    elif hasattr(source, "successors"):
        yield from ((str(lower), str(upper)) for upper, lower in source.edges)
    elif isinstance(source, Sequence):
        yield from (_pair(entry) for entry in source)
    else:
        raise TaxonomyError(f"A {type(source).__name__} was given; a file, a nested mapping or a networkx graph was expected.")


def _edges_of_file(path: Place) -> Iterator[Edge]:
    import yaml

    if path.suffix not in (".csv", ".json", ".yaml", ".yml"):
        raise TaxonomyError(f"{path} is no file of a kind that is known; .csv, .json, .yaml or .yml was expected.")
    try:
        text = read(path).decode("utf-8-sig")
        if path.suffix == ".csv":
            rows = [row for row in csv.reader(text.splitlines()) if row]
            yield from (_pair(row) for row in rows)
        else:
            yield from _edges(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"The taxonomy {path} cannot be read: {error}.") from None
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise TaxonomyError(f"The taxonomy {path} is not valid {path.suffix[1:].upper()}: {error}.") from None


def _pair(entry: Any) -> Edge:
    if isinstance(entry, str) or not isinstance(entry, Sequence) or len(entry) != 2:
        raise TaxonomyError(f"{entry!r} was found where a pair (node, its hypernym) was expected, such as robin,bird.")
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
            raise TaxonomyError(f"Below {node!r} stands {below!r}, where classes were expected: a list, a mapping or a name.")


def _edges_of_entry(entry: Any, above: str) -> Iterator[Edge]:
    if isinstance(entry, Mapping):
        yield from _edges_of_mapping(entry, above)
    elif isinstance(entry, list | tuple):
        raise TaxonomyError(f"Below {above!r} stands the list {entry!r} without a name; write a mapping, {{name: [...]}}.")
    else:
        yield str(entry), above
