"""The rooms of the package as a drawing, from the arrows that docs/architecture.md lists for mermaid, which needs a network."""

import re
from itertools import pairwise

import networkx as nx  # comes with torch

WIDTH, HEIGHT, PAD = 118, 58, 6


def drawn(page: str) -> str:
    """A page whose diagram is an SVG."""
    return re.sub(r"```mermaid\n.*?```", lambda match: svg(re.findall(r"(\w+) --> (\w+)", match[0])), page, flags=re.DOTALL)


def svg(arrows: list[tuple[str, str]]) -> str:
    """A drawing in layers: every arrow points down."""
    graph = nx.DiGraph(sorted(arrows))
    layers = _layers(graph)
    widest = max(map(len, layers))
    at = {
        room: (WIDTH * (place + (widest - len(layer)) / 2 + 0.5), HEIGHT * (depth + 0.5))
        for depth, layer in enumerate(layers)
        for place, room in enumerate(layer)
    }
    lines = "".join(_line(*at[upper], *at[lower]) for upper, lower in graph.edges)
    boxes = "".join(
        f'<g><rect x="{x - WIDTH / 2 + PAD}" y="{y - 13}" width="{WIDTH - 2 * PAD}" height="26" rx="5"/>'
        f'<text x="{x}" y="{y + 4}">{room}</text></g>'
        for room, (x, y) in at.items()
    )
    size = f"0 0 {WIDTH * widest} {HEIGHT * len(layers)}"
    name = 'role="img" aria-label="The rooms of the package and their imports"'
    return f'<div class="rooms"><svg viewBox="{size}" {name}>{lines}{boxes}</svg></div>'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    bend = (to_y - y) / 2
    return f'<path d="M{x} {y + 13}C{x} {y + bend} {to_x} {to_y - bend} {to_x} {to_y - 13}"/>'


def _layers(graph: "nx.DiGraph[str]") -> list[list[str]]:
    """Rooms by their longest way from the top, each beside its neighbours above and below, so that few arrows cross."""
    layers = [sorted(layer) for layer in nx.topological_generations(graph)]
    for way in [pairwise(range(len(layers))), pairwise(reversed(range(len(layers))))] * 8:
        for _, i in way:
            middle = {room: place - len(layer) / 2 for layer in layers for place, room in enumerate(layer)}
            near = {room: [middle[one] for one in nx.all_neighbors(graph, room)] for room in layers[i]}
            layers[i].sort(key=lambda room: sum(near[room]) / max(1, len(near[room])))
    return layers
