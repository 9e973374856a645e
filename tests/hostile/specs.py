"""Specs of runs, sweeps and experiments, as files and by --set, with wrong values at every key, bombs and damage."""

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

from hostile._texts import FRAGMENTS, TOML, as_yaml, damaged, no_file, odd
from hostile.case import Case

RUN: dict[str, Any] = {
    "first": "bundled:mnist-strided",
    "second": "bundled:mnist-pooled",
    "generator": "bundled:mnist-vae",
    "samples": 1,
    "conditions": [0],
    "orders": "forward",
    "divergence": "kl",
    "taxonomy": "none",
    "convention": "published",
    "set_sizes": [1, 3],
    "first_classes": None,
    "second_classes": None,
    "prior_weight": 0.0,
    "search": {
        "algorithm": "adam", "steps": 1, "window": 1, "gain": 0.01, "typical_mass": 0.999, "candidates": 1, "first_rung": 5,
    },
    "precision": "float32",
    "speed": {"threads": 1, "memory_format": "auto", "compiled": False, "graphs": False, "batch_size": 1},
    "seed": 0,
    "real": None,
    "audited": 1,
}  # fmt: skip
SHARED = {key: RUN[key] for key in ("samples", "conditions", "taxonomy", "search", "precision", "speed", "audited")}
SWEEP: dict[str, Any] = {
    "title": "t",
    "question": "q",
    "classifiers": {"a": "bundled:mnist-strided", "b": "bundled:mnist-pooled"},
    "generator": "bundled:mnist-vae",
    "divergences": ["kl"],
    "prior_weights": [0.0],
    "orders": "forward",
    "classes": {},
    "settings": SHARED,
}
EXPERIMENT: dict[str, Any] = {
    "title": "t",
    "question": "q",
    "models": {"x": "bundled:mnist-strided", "generator": "bundled:mnist-vae"},
    "settings": SHARED,
    "replicates": 1,
    "runs": {"one": {"first": "x", "second": "bundled:mnist-pooled", "orders": "forward"}},
}
KINDS = {"compare": RUN, "sweep": SWEEP, "experiment": EXPERIMENT}
EXECUTES = 0.02  # as each takes seconds; the others name a network that there is not, and end when it is looked for
KEYS = (
    *("samples", "search.steps", "speed.threads", "search", "set_sizes", "first_classes.a.b"),
    *("a.b.c", ".", "", "search.", ".a" * 5_000, "\u202e"),
)
VALUES = (
    *("", "=", "99999999999", "9" * 3_000, "[" * 5_000, "{a: " * 300, "&a [*a]", "!!python/object:os.system x", "2001-99-99", "'"),
    *(".nan", "1e999", "\x07", "<<", "0b", "1:" * 500 + "1.5"),
    "[&a [1,1,1,1,1,1,1,1,1], &b [*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d], "
    "&f [*e,*e,*e,*e,*e,*e], &g [*f,*f,*f,*f,*f,*f], [*g,*g,*g,*g,*g]]",
)


def make(chance: random.Random, folder: Path) -> Case:
    command = chance.choice(tuple(KINDS))
    settings = deepcopy(KINDS[command])
    way = chance.choice(("mutated", "mutated", "fragment", "toml", "damaged", "no file", "set", "valid"))
    path = folder / f"spec.{chance.choice(('yaml', 'yml'))}"
    if chance.random() > EXECUTES:
        settings.get("models", settings)["generator"] = "bundled:none"
    words: tuple[str, ...] = ()
    if way == "mutated":
        for _ in range(chance.choice((1, 1, 3))):
            mutate(chance, settings)
    text = as_yaml(settings)
    if way == "fragment":
        text = chance.choice((text, "")) + chance.choice(FRAGMENTS)(chance)
    if way == "toml":
        path, text = folder / "spec.toml", chance.choice(TOML)(chance)
    if way == "set":
        words = ("--set", assignment(chance))
    if way == "no file":
        no_file(chance, path)
    else:
        content = text.encode(errors="replace")
        path.write_bytes(damaged(chance, content) if way == "damaged" else content)
    file = ("--spec", str(path.name)) if command == "compare" else (path.name,)
    return Case((command, *file, *words, *(("--no-report",) if command == "compare" else ()), "--out", "out", "--device", "cpu"))


def mutate(chance: random.Random, settings: dict[str, Any]) -> None:
    """Change, remove or add something, at any depth."""
    while True:
        key = chance.choice(list(settings) or [None])
        if not isinstance(settings.get(key), dict) or not settings[key] or chance.random() < 0.3:
            break
        settings = settings[key]
    change = chance.choice(("value", "value", "value", "remove", "add"))
    if change == "remove":
        settings.pop(key, None)
    else:
        settings[chance.choice(("x", "x.y", 3, None, "search")) if change == "add" else key] = odd(chance)


def assignment(chance: random.Random) -> str:
    """What --set may be given."""
    return f"{chance.choice(KEYS)}{chance.choice(('=', '=', '=', ' = ', ''))}{chance.choice(VALUES)}"
