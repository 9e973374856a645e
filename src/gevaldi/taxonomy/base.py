"""A hierarchy of classes, checked at the border."""

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gevaldi.errors import TaxonomyError, UnknownName


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """Classes, and the hypernyms ("is a") above them: a directed graph without cycles, with one root.

    A node may have several hypernyms, as 75 of the 1,860 above ImageNet's classes do. Make one with `taxonomy_of`, which checks it.

    Attributes:
        classes: the nodes that a classifier can name, by id, in the order of its labels.
        hypernyms: for every node, the nodes directly above it.
        names: what each node is called, the usual name first; a node without names is called by its id.
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
        """The class that a user means, by id, name or, unless that is ruled out, index; where there is none, the inner node.

        Raises:
            UnknownName: there is no such node; the message gives the nearest names.
            TaxonomyError: the name belongs to several classes, or to none and to several inner nodes; the message lists them.
        """
        wanted = str(text)
        if wanted in self.hypernyms:
            return wanted
        if index and wanted.isdecimal() and int(wanted) < len(self.classes):
            return self.classes[int(wanted)]
        if index and wanted.isdecimal():
            raise TaxonomyError(f"There is no class {wanted}; indices go from 0 to {len(self.classes) - 1}.")
        found = self._called(wanted, self.classes) or self._called(wanted, self.hypernyms)
        if not found:
            raise UnknownName("class", wanted, {n.lower() for node in self.hypernyms for n in self.names.get(node, (node,))})
        if len(found) > 1:
            candidates = "; ".join(map(self._described, found))
            raise TaxonomyError(f"{wanted!r} is the name of {len(found)} classes: {candidates}. Give an id or an index.")
        return found[0]

    def _called(self, name: str, nodes: Iterable[str]) -> list[str]:
        return [node for node in nodes if name.lower() in (n.lower() for n in self.names.get(node, ()))]

    def _described(self, node: str) -> str:
        place = f"index {self.classes.index(node)}: " if node in self.classes else ""
        return f"{node} ({place}{', '.join(self.names.get(node, (node,)))})"

    def levels_up(self, node: str) -> dict[str, int]:
        """All nodes above one, with the fewest edges up to each; the node itself is 0 edges up."""
        found, waiting = {node: 0}, deque([node])
        while waiting:
            here = waiting.popleft()
            for above in self.hypernyms[here]:
                if above not in found:
                    found[above] = found[here] + 1
                    waiting.append(above)
        return found


def taxonomy_of(
    classes: Sequence[str], edges: Iterable[tuple[str, str]], names: Mapping[str, Sequence[str]] | None = None
) -> Taxonomy:
    """A taxonomy from edges (node, its hypernym), without what is not above some class.

    Args:
        classes: ids of the classes, in the order of a classifier's labels.
        edges: pairs of ids, the lower first.
        names: for ids that are not names themselves, what they are called, the usual name first.

    Raises:
        TaxonomyError: a class is there twice or has no node, the edges run in a circle, or there are several roots; all by name.
    """
    twice = sorted({c for c in classes if list(classes).count(c) > 1}) if len(set(classes)) < len(classes) else []
    if twice:
        raise TaxonomyError(f"{_some(twice)} stand more than once among the classes; every class has one id of its own.")
    above: dict[str, list[str]] = {}
    for lower, upper in edges:
        above.setdefault(lower, [])
        above.setdefault(upper, [])
        if upper not in above[lower]:
            above[lower].append(upper)
    missing = [c for c in classes if c not in above]
    if missing:
        raise TaxonomyError(
            f"The classes {_some(missing)} have no node: no edge begins at them. Add an edge from each to what it is."
        )
    _refuse_circle(above)
    kept = _closure(classes, above)
    roots = sorted(node for node in kept if not above[node])
    if len(roots) > 1:
        raise TaxonomyError(
            f"There are {len(roots)} roots, {_some(roots)}, where one was expected, so some classes have no common hypernym. "
            "Add an edge from each of them to a node of your own, such as 'everything'."
        )
    return Taxonomy(
        tuple(classes),
        {node: tuple(above[node]) for node in kept},
        {node: tuple(names[node]) for node in kept if node in names} if names else {},
    )


def hash_of_taxonomy(taxonomy: Taxonomy) -> str:
    """SHA-256 over the classes in their order and all edges, whatever the names."""
    content = [taxonomy.classes, sorted((node, sorted(above)) for node, above in taxonomy.hypernyms.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def restricted(taxonomy: Taxonomy, classes: Sequence[str]) -> Taxonomy:
    """The same hierarchy over other classes, nodes of it, in their order; what is above none of them is left out.

    Raises:
        TaxonomyError: a class is no node of it, or stands twice.
    """
    return taxonomy_of(classes, _edges(taxonomy), taxonomy.names)


def contracted(taxonomy: Taxonomy, nodes: Iterable[str]) -> Taxonomy:
    """A coarser hierarchy, without some inner nodes: what was below them hangs under what was above them.

    No two classes are farther apart in it, as edge counts go through common hypernyms.

    Raises:
        TaxonomyError: one of the nodes is a class, the root, or none of the taxonomy's.
    """
    gone = set(nodes)
    for problem, wrong in (
        ("are no nodes of this taxonomy", gone - taxonomy.hypernyms.keys()),
        ("are classes", gone & set(taxonomy.classes)),
        ("are the root", {node for node in gone if not taxonomy.hypernyms.get(node, ("",))}),
    ):
        if wrong:
            raise TaxonomyError(f"{_some(sorted(wrong))} {problem}; only inner nodes can be taken out.")

    def kept_above(node: str) -> list[str]:
        return [kept for above in taxonomy.hypernyms[node] for kept in (kept_above(above) if above in gone else [above])]

    edges = [(node, above) for node in taxonomy.hypernyms if node not in gone for above in kept_above(node)]
    return taxonomy_of(taxonomy.classes, edges, taxonomy.names)


def _edges(taxonomy: Taxonomy) -> list[tuple[str, str]]:
    return [(node, above) for node, uppers in taxonomy.hypernyms.items() for above in uppers]


def _closure(classes: Sequence[str], above: Mapping[str, Sequence[str]]) -> list[str]:
    """The classes and all that is above some of them, each once."""
    found, waiting = dict.fromkeys(classes), list(classes)
    while waiting:
        for upper in above[waiting.pop()]:
            if upper not in found:
                found[upper] = None
                waiting.append(upper)
    return list(found)


def _refuse_circle(above: Mapping[str, Sequence[str]]) -> None:
    """Nodes are taken away once all above them are gone; what cannot be taken away is in a circle, or below one."""
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1][::-1])
        raise TaxonomyError(f"The edges run in a circle: {circle}. Nothing can be above itself; remove one of them.") from None


def _some(nodes: Sequence[str]) -> str:
    return ", ".join(map(repr, nodes[:5])) + (f" and {len(nodes) - 5} more" if len(nodes) > 5 else "")
