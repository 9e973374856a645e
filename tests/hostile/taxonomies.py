"""Hierarchies of classes: long chains, wide stars, lattices, circles and classes that stand twice, in every format and damaged."""

import random
from pathlib import Path
from typing import Any

from hostile._texts import FRAGMENTS, as_json, as_yaml, damaged, nested, no_file, odd
from hostile.case import Case

Edges = list[tuple[str, str]]
SIZES = (3, 10, 300, 3_000, 3_000, 30_000, 100_000)
SMALL = 3_000  # nodes that are written as YAML, which is read slowly
DIGITS = [str(i) for i in range(10)]


def make(chance: random.Random, folder: Path) -> Case:
    suffix = chance.choice(("csv", "json", "json", "yaml", "yml", "txt", "toml"))
    path = folder / f"tree.{suffix}"
    size = chance.choice([n for n in SIZES if n <= SMALL or suffix in ("csv", "json")])
    edges = graph(chance, size)
    ends = [edges[0][0], edges[-1][0], edges[len(edges) // 2][1], chance.choice(("", "0", "9" * 5_000, "no such", "-1"))]
    way = chance.choice(("graph", "graph", "graph", "fragment", "odd", "damaged", "no file"))
    text = written(chance, edges, suffix)
    if way == "fragment":
        text = chance.choice(
            (*(fragment(chance) for fragment in FRAGMENTS), nested(50_000), nested(99, "[]"), "9" * 5_000, '{"a": 1, "a": 2}')
        )
    elif way == "odd":
        text = chance.choice((as_json, as_yaml))(strange(chance))
    if way == "no file":
        no_file(chance, path)
    else:
        content = text.encode(errors="replace")
        path.write_bytes(damaged(chance, content) if way == "damaged" else content)
    return Case(command(chance, path.name, ends))


def command(chance: random.Random, name: str, ends: list[str]) -> tuple[str, ...]:
    pair = (chance.choice(ends), chance.choice(ends))
    compare = (
        "compare",
        "bundled:mnist-strided",
        "bundled:mnist-pooled",
        "-g",
        chance.choice(("bundled:none", "bundled:mnist-vae")),
    )
    return chance.choice(
        (
            ("show", name),
            ("show", name),
            ("distance", "--taxonomy", name, "--", *pair),
            ("distance", "--taxonomy", name, "--", *pair),
            (
                *compare,
                "--taxonomy",
                name,
                "-n",
                "1",
                "--steps",
                "1",
                "--set",
                "audited=1",
                "--no-report",
                "--out",
                "out",
                "--device",
                "cpu",
            ),
        )
    )


def graph(chance: random.Random, size: int) -> Edges:
    """Edges (node, its hypernym); the digits are classes of it now and then, so that the bundled networks fit."""
    kind = chance.choice(("chain", "star", "lattice", "tree", "circle", "two roots", "twice", "itself", "all above all"))
    name = chance.choice(("n{}", "{}", "node {}", "ü{}", "=n{}"))
    if kind == "all above all":
        size = min(size, 300)
        return [(name.format(i), name.format(j)) for i in range(size) for j in range(i)] or [("a", "b")]
    above = {
        "star": lambda i: [0],
        "tree": lambda i: [(i - 1) // 3],
        "lattice": lambda i: [chance.randrange(max(0, i - 200), i) for _ in range(4)],
    }.get(kind, lambda i: [i - 1])
    edges = [(name.format(i), name.format(j)) for i in range(1, size) for j in above(i)]
    if kind == "circle":
        edges.append((name.format(0), name.format(size - 1)))
    elif kind == "two roots":
        edges += [("x1", "x0"), ("x2", "x1")]
    elif kind == "twice":
        edges += edges[:5]
    elif kind == "itself":
        edges.append((edges[-1][0], edges[-1][0]))
    return edges + ([(digit, edges[0][1]) for digit in DIGITS] if chance.random() < 0.5 else [])


def written(chance: random.Random, edges: Edges, suffix: str) -> str:
    if suffix == "csv":
        return "".join(f"{lower},{upper}\n" for lower, upper in edges)
    values: Any = [list(edge) for edge in edges]
    if chance.random() < 0.5:
        values = whole(chance, edges)
    elif len(edges) < 5_000 and chance.random() < 0.5:
        values = mapping(edges)
    return as_json(values) if suffix == "json" else as_yaml(values)


def mapping(edges: Edges) -> dict[str, Any]:
    """Nested from the root down, where that is possible."""
    nodes: dict[str, dict[str, Any]] = {}
    for lower, upper in edges[:90]:  # a nested mapping of more would be too deep to be written
        if lower != upper and lower not in nodes:
            nodes.setdefault(upper, {})[lower] = nodes.setdefault(lower, {})
    root = edges[0][1]
    return {root: nodes[root]}


def whole(chance: random.Random, edges: Edges) -> dict[str, Any]:
    """As `write_taxonomy` writes it, now and then with a class twice, unknown, or none."""
    nodes: dict[str, dict[str, Any]] = {}
    for lower, upper in edges:
        nodes.setdefault(upper, {"hypernyms": []})
        nodes.setdefault(lower, {"hypernyms": []})["hypernyms"].append(upper)
    uppers = {upper for _, upper in edges}
    classes: Any = [node for node in nodes if node not in uppers]
    for node in list(nodes)[:: max(1, len(nodes) // 5)]:
        nodes[node]["names"] = [chance.choice(("same", node, "x" * 1_000, "\u202e", "robin"))]
    change = chance.choice(("", "", "twice", "unknown", "all", "odd classes", "odd node", "odd names", "odd hypernyms"))
    node = chance.choice(list(nodes))
    if change == "twice":
        classes += classes[:1]
    elif change == "unknown":
        classes.append("nowhere")
    elif change == "all":
        classes = list(nodes)
    elif change == "odd classes":
        classes = odd(chance)
    elif change == "odd node":
        nodes[node] = odd(chance)
    elif change:
        nodes[node][change.removeprefix("odd ")] = odd(chance)
    return {"classes": classes, "nodes": nodes}


def strange(chance: random.Random) -> Any:
    return chance.choice(
        (
            odd(chance),
            [odd(chance), ["a", "b"]],
            [["a", odd(chance)]],
            {"a": odd(chance)},
            {"a": {"b": [odd(chance)]}},
            {"classes": odd(chance), "nodes": odd(chance)},
            {"classes": [], "nodes": {}},
            {"classes": ["a"], "nodes": {"a": {"hypernyms": ["b"]}}},
            {"classes": ["a"], "nodes": {"a": {"hypernyms": ["a"]}}},
            {"classes": ["a", "b"], "nodes": {"a": {"hypernyms": ["c"]}, "b": {"hypernyms": ["c"], "names": []}}},
        )
    )
