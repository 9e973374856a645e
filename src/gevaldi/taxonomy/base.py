"""A hierarchy of classes, checked when it is built."""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gevaldi.errors import TaxonomyError, UnknownName

MOST_NODES, MOST_EDGES = 200_000, 500_000
SHOWN = 5  # nodes that are named where there are many


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """Classes, and the hypernyms ("is a") above them: a directed graph without cycles, with one root.

    A node may have several hypernyms, as 75 of the 1,860 above ImageNet's classes do. `taxonomy_of` builds one and checks it.

    Attributes:
        classes: the ids of a classifier's classes, in the order of its labels.
        hypernyms: for every node, the nodes directly above it.
        names: the names of each node, the usual one first; a node without names goes by its id.
    """

    classes: tuple[str, ...]
    hypernyms: Mapping[str, tuple[str, ...]]
    names: Mapping[str, tuple[str, ...]]

    @property
    def root(self) -> str:
        """The node that is above all others."""
        return next(node for node, above in self.hypernyms.items() if not above)

    def name(self, node: str) -> str:
        """The usual name of a node."""
        return self.names.get(node, (node,))[0]

    def find(self, text: str | int, *, index: bool = True) -> str:
        """The class with this id, name or (if `index` is true) index; if there is none, the inner node.

        Raises:
            UnknownName: there is no such node; the message lists the nearest names.
            TaxonomyError: the name belongs to several classes, or to no class and several inner nodes; the message lists them.
        """
        wanted = str(text)
        if wanted in self.hypernyms:
            return wanted
        if index and (place := index_of(wanted, len(self.classes))) is not None:
            return self.classes[place]
        if index and wanted.isdecimal():
            raise TaxonomyError(f"There is no class {wanted}; indices go from 0 to {len(self.classes) - 1}.")
        found = self.nodes_called(wanted)
        if not found:
            raise UnknownName("class", wanted, {n.lower() for node in self.hypernyms for n in self.names.get(node, (node,))})
        if len(found) > 1:
            candidates = "; ".join(map(self._described, found[:SHOWN])) + _more(found)
            raise TaxonomyError(f"{wanted!r} is the name of {len(found)} classes: {candidates}. Use an id or an index.")
        return found[0]

    def nodes_called(self, text: str) -> list[str]:
        """The node with this id; if there is none, the classes with this name; if there are none, the inner nodes with it."""
        if text in self.hypernyms:
            return [text]
        nodes = self._by_name.get(text.lower(), [])
        return [node for node in nodes if node in self._places] or nodes

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """The nodes by name in lower case; classes keep their order."""
        found: dict[str, list[str]] = {}
        for node in dict.fromkeys([*self.classes, *self.hypernyms]):
            for name in {name.lower() for name in self.names.get(node, ())}:
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {node: i for i, node in enumerate(self.classes)}

    def _described(self, node: str) -> str:
        place = f"index {self._places[node]}: " if node in self._places else ""
        return f"{node} ({place}{', '.join(self.names.get(node, (node,)))})"

    @cached_property
    def hyponyms(self) -> Mapping[str, list[str]]:
        """For every node, the nodes directly below it."""
        found: dict[str, list[str]] = {node: [] for node in self.hypernyms}
        for node, uppers in self.hypernyms.items():
            for above in uppers:
                found[above].append(node)
        return found

    def downwards(self) -> list[str]:
        """All nodes, each after its hypernyms, branch by branch."""
        left = {node: len(above) for node, above in self.hypernyms.items()}
        found, waiting = [], [self.root]
        while waiting:
            found.append(waiting.pop())
            for node in reversed(self.hyponyms[found[-1]]):
                left[node] -= 1
                if not left[node]:
                    waiting.append(node)
        return found

    def levels_up(self, node: str) -> dict[str, int]:
        """All nodes above one, with the fewest edges up to each; the node itself is 0 edges up."""
        return _levels(node, self.hypernyms)

    def levels_down(self, node: str) -> dict[str, int]:
        """All nodes below one, with the fewest edges down to each; the node itself is 0 edges down."""
        return _levels(node, self.hyponyms)


def index_of(text: str, count: int) -> int | None:
    """The index in a text; None if it is not a number below `count`."""
    return int(text) if text.isdecimal() and len(text) < 20 and int(text) < count else None


def _levels(node: str, neighbours: Mapping[str, Sequence[str]]) -> dict[str, int]:
    found, waiting = {node: 0}, deque([node])
    while waiting:
        here = waiting.popleft()
        for other in neighbours[here]:
            if other not in found:
                found[other] = found[here] + 1
                waiting.append(other)
    return found


def taxonomy_of(
    classes: Sequence[str], edges: Iterable[tuple[str, str]], names: Mapping[str, Sequence[str]] | None = None
) -> Taxonomy:
    """A taxonomy from edges (node, its hypernym), without nodes that are above no class.

    Args:
        classes: ids of the classes, in the order of a classifier's labels.
        edges: pairs of ids, the lower first.
        names: the names of ids that are not names themselves, the usual one first.

    Raises:
        TaxonomyError: a class is duplicate or has no node, the edges form a cycle, there are several roots, or too many nodes or
            edges; the message names them.
    """
    if twice := sorted(c for c, times in Counter(classes).items() if times > 1):
        raise TaxonomyError(f"{_some(twice)} occur more than once among the classes; every class needs its own id.")
    above: dict[str, dict[str, None]] = {}
    for lower, upper in edges:
        above.setdefault(lower, {})[upper] = None
        above.setdefault(upper, {})
    if len(above) > MOST_NODES or sum(map(len, above.values())) > MOST_EDGES:
        raise TaxonomyError(
            f"The hierarchy has more than {MOST_NODES:,} nodes or {MOST_EDGES:,} edges, which is too many. Leave out nodes that "
            "are above none of your classes."
        )
    missing = [c for c in classes if c not in above]
    if missing:
        raise TaxonomyError(
            f"The classes {_some(missing)} have no node: no edge begins at them. Add an edge from each to its hypernym."
        )
    _refuse_circle(above)
    kept = _closure(classes, above)
    roots = sorted(node for node in kept if not above[node])
    if len(roots) > 1:
        raise TaxonomyError(
            f"There are {len(roots)} roots, {_some(roots)}, instead of one, so some classes have no common hypernym. "
            "Add an edge from each of them to a node of your own, such as 'everything'."
        )
    return Taxonomy(
        tuple(classes),
        {node: tuple(above[node]) for node in kept},
        {node: tuple(names[node]) for node in kept if node in names} if names else {},
    )


def hash_of_taxonomy(taxonomy: Taxonomy) -> str:
    """SHA-256 over the classes in their order and all edges; names do not matter."""
    content = [taxonomy.classes, sorted((node, sorted(above)) for node, above in taxonomy.hypernyms.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def restricted(taxonomy: Taxonomy, classes: Sequence[str]) -> Taxonomy:
    """The same hierarchy over other nodes as classes, in their order, without nodes that are above none of them.

    Raises:
        TaxonomyError: a class is not a node of it, or occurs twice.
    """
    return taxonomy_of(classes, _edges(taxonomy), taxonomy.names)


def contracted(taxonomy: Taxonomy, nodes: Iterable[str]) -> Taxonomy:
    """A coarser hierarchy without some inner nodes: their hyponyms move to their hypernyms.

    No two classes are farther apart in it, because edge counts go through common hypernyms.

    Raises:
        TaxonomyError: one of the nodes is a class, the root, or not in the taxonomy.
    """
    gone = set(nodes)
    for problem, wrong in (
        ("are no nodes of this taxonomy", gone - taxonomy.hypernyms.keys()),
        ("are classes", gone & set(taxonomy.classes)),
        ("are the root", {node for node in gone if not taxonomy.hypernyms.get(node, ("",))}),
    ):
        if wrong:
            raise TaxonomyError(f"{_some(sorted(wrong))} {problem}; only inner nodes can be removed.")

    kept_above: dict[str, dict[str, None]] = {}
    for node in taxonomy.downwards():
        kept_above[node] = {}
        for above in taxonomy.hypernyms[node]:
            kept_above[node] |= kept_above[above] if above in gone else {above: None}
    edges = [(node, above) for node in taxonomy.hypernyms if node not in gone for above in kept_above[node]]
    return taxonomy_of(taxonomy.classes, edges, taxonomy.names)


def _edges(taxonomy: Taxonomy) -> list[tuple[str, str]]:
    return [(node, above) for node, uppers in taxonomy.hypernyms.items() for above in uppers]


def _closure(classes: Sequence[str], above: Mapping[str, Iterable[str]]) -> list[str]:
    """The classes and all nodes above them, each once."""
    found, waiting = dict.fromkeys(classes), list(classes)
    while waiting:
        for upper in above[waiting.pop()]:
            if upper not in found:
                found[upper] = None
                waiting.append(upper)
    return list(found)


def _refuse_circle(above: Mapping[str, Iterable[str]]) -> None:
    """Nodes are taken away once all above them are gone; what cannot be taken away is in a circle, or below one."""
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        shown = " → ".join(
            circle if len(circle) <= 2 * SHOWN else [*circle[:SHOWN], f"{len(circle) - 2 * SHOWN} more", *circle[-SHOWN:]]
        )
        raise TaxonomyError(f"The edges form a cycle: {shown}. No node can be above itself; remove one of them.") from None


def _some(nodes: Sequence[str]) -> str:
    return ", ".join(map(repr, nodes[:SHOWN])) + _more(nodes)


def _more(nodes: Sequence[str]) -> str:
    return f" and {len(nodes) - SHOWN:,} more" if len(nodes) > SHOWN else ""
