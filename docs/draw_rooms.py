"""Draw the rooms of the package into docs/architecture.md, from its imports: `make architecture`."""

from pathlib import Path

import grimp

PAGE = Path(__file__).parent / "architecture.md"
BEGIN, END = "<!-- rooms: drawn by make architecture -->\n", "<!-- end of rooms -->\n"
SMALL = {
    "batches",
    "objective",
    "contract",
    "models",
    "alignment",
    "spec",
    "comparison",
    "compute",
}  # files that are rooms of their own


def rooms() -> str:
    """A mermaid diagram of the folders and principal files; an arrow means that one imports the other, directly."""
    graph = grimp.build_graph("gevaldi", cache_dir=None)
    folders = {m.split(".")[1] for m in graph.modules if m.count(".") >= 2}
    shown = sorted(folders | SMALL)
    arrows = {(a, b): 0 for a in shown for b in shown if a != b}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            pair = tuple(name.split(".")[1] if "." in name else "" for name in (importer, imported))
            if pair in arrows:
                arrows[pair] += 1
    direct = {pair for pair, count in arrows.items() if count}
    bridged = {(a, c) for a, b in direct for other, c in direct if b == other}  # by way of a third, so the arrow says nothing new
    lines = [f"    {a} --> {b}" for a, b in sorted(direct - bridged)]
    return "```mermaid\nflowchart TD\n" + "\n".join(lines) + "\n```\n"


def drawn(page: str) -> str:
    """The page with its diagram replaced."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + rooms() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
