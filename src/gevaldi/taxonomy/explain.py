"""A distance in words: the path from one class to another, and where it turns."""

from dataclasses import dataclass

from gevaldi.taxonomy.base import Taxonomy

LONGEST = 20  # nodes at either end, and at either side of the turn, of a way in words
DEEPEST = 50  # levels of an outline


@dataclass(frozen=True)
class Way:
    """The shortest path from one class to another through a common hypernym.

    Attributes:
        nodes: all nodes on it, both classes included.
        top: the turning point: the common hypernym with the fewest edges to both together (of several, the deepest).
        up: edges from the first class up to `top`.
        down: edges from `top` down to the second.
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
    """The shortest path between two classes, given by id."""
    one, other, depth = taxonomy.levels_up(first), taxonomy.levels_up(second), taxonomy.levels_down(taxonomy.root)
    top = min(one.keys() & other.keys(), key=lambda node: (one[node] + other[node], -depth[node], node))
    up, down = _climb(taxonomy, first, top), _climb(taxonomy, second, top)
    return Way((*up, *down[-2::-1]), top, one[top], other[top])


def in_words(taxonomy: Taxonomy, found: Way) -> str:
    """The path by names, as in: brambling - finch - ... - hummingbird; of a very long one, only the ends and the turn."""
    turn, end = found.up, len(found.nodes) - 1
    near = [i for i, _ in enumerate(found.nodes) if min(i, abs(i - turn), end - i) < LONGEST]
    names = [[] if i - before == 1 else [f"({i - before - 1:,} more)"] for before, i in zip([-1, *near], near, strict=False)]
    return " - ".join(word for gap, i in zip(names, near, strict=True) for word in [*gap, taxonomy.name(found.nodes[i])])


def outline(taxonomy: Taxonomy) -> str:
    """The hierarchy as an indented list, from the root down.

    A node with several hypernyms appears under each, its hyponyms only under the first. Nodes deeper than 50 levels are left out.
    """
    lines, met, waiting = [], set[str](), [(taxonomy.root, 0)]
    while waiting:
        node, depth = waiting.pop()
        below = taxonomy.hyponyms[node]
        again = " …" if node in met and below else ""
        lines.append("  " * depth + taxonomy.name(node) + again)
        if node in met:
            continue
        met.add(node)
        if below and depth == DEEPEST:
            lines.append("  " * (depth + 1) + "…")
        else:
            waiting += [(child, depth + 1) for child in reversed(below)]
    return "\n".join(lines)


def _climb(taxonomy: Taxonomy, node: str, top: str) -> list[str]:
    """A shortest path up: each step goes to a hypernym that is one level nearer."""
    levels, path = taxonomy.levels_down(top), [node]
    while path[-1] != top:
        path.append(min((above for above in taxonomy.hypernyms[path[-1]] if above in levels), key=lambda n: (levels[n], n)))
    return path
