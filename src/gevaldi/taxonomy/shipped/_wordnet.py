"""The bundled part of WordNet 3.0: the nodes above the classes of ImageNet."""

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def wordnet() -> dict[str, Any]:
    """`classes`, the 1,000 ids of ILSVRC in their usual order, and `nodes`, each with its hypernyms and names [Fellbaum 1998]."""
    found: dict[str, Any] = json.loads((resources.files(__package__) / "wordnet.json").read_text(encoding="utf-8"))
    return found


def edges() -> list[tuple[str, str]]:
    """All pairs of a node and its hypernym."""
    return [(node, above) for node, entry in wordnet()["nodes"].items() for above in entry["hypernyms"]]


def names() -> dict[str, list[str]]:
    """The names of every node."""
    return {node: entry["names"] for node, entry in wordnet()["nodes"].items()}
