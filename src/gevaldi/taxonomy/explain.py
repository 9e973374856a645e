"""A distance in words: the way from one class to another, and where it turns."""

from dataclasses import dataclass

from gevaldi.taxonomy.base import Taxonomy


@dataclass(frozen=True)
class Way:
    """The shortest way from one class to another through a common hypernym.

    Attributes:
        nodes: all nodes on it, both classes included.
        top: where it turns: the common hypernym that is nearest to both together (of several, the deepest).
        up: edges from the first class up to it.
        down: edges from it down to the second.
    """

    nodes: tuple[str, ...]
    top: str
    up: int
    down: int

    @property
    def edges(self) -> int:
        """e(a, b)."""
        return self.up + self.down


def way(taxonomy: Taxonomy, first: str, second: str) -> Way:
    """The shortest way between two classes, given by id."""
    one, other = taxonomy.levels_up(first), taxonomy.levels_up(second)
    depth = {node: taxonomy.levels_up(node)[taxonomy.root] for node in one.keys() & other.keys()}
    top = min(depth, key=lambda node: (one[node] + other[node], -depth[node], node))
    up, down = _climb(taxonomy, first, top), _climb(taxonomy, second, top)
    return Way((*up, *down[-2::-1]), top, one[top], other[top])


def in_words(taxonomy: Taxonomy, found: Way) -> str:
    """The way by names, as in: brambling - finch - ... - hummingbird."""
    return " - ".join(taxonomy.name(node) for node in found.nodes)


def outline(taxonomy: Taxonomy) -> str:
    """The hierarchy as an indented list, from the root down; a node with several hypernyms stands under each."""
    below: dict[str, list[str]] = {}
    for node, uppers in taxonomy.hypernyms.items():
        for above in uppers:
            below.setdefault(above, []).append(node)
    lines, waiting = [], [(taxonomy.root, 0)]
    while waiting:
        node, depth = waiting.pop()
        lines.append("  " * depth + taxonomy.name(node))
        waiting += [(child, depth + 1) for child in reversed(below.get(node, ()))]
    return "\n".join(lines)


def _climb(taxonomy: Taxonomy, node: str, top: str) -> list[str]:
    """A shortest way up: at each step to a hypernym that is one level nearer."""
    path = [node]
    while path[-1] != top:
        here = path[-1]
        path.append(
            min(taxonomy.hypernyms[here], key=lambda above: (taxonomy.levels_up(above).get(top, len(taxonomy.hypernyms)), above))
        )
    return path
