"""Values and texts that no reader of a document expects, for the kinds of input that are documents."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def odd(chance: random.Random) -> Any:
    """A value of a wrong type, or too large."""
    return chance.choice(
        (
            None,
            True,
            -1,
            0,
            2**63,
            10**18,
            99_999_999_999,
            10 ** chance.choice((30, 999)),
            1e308,
            -0.5,
            float("nan"),
            float("inf"),
            "",
            " ",
            "auto",
            "none",
            "1",
            "x" * chance.choice((300, 5_000)),
            "../../etc/passwd",
            "bundled:",
            "python:nowhere.py:f",
            "a=b,c",
            "((((",
            "\u202e",
            "[" * 5_000,
            "9" * 5_000,
            [],
            [[]],
            [None, 1, "a"],
            list(range(2_000)),
            {},
            {"a": {"b": []}},
            {1: 2},
            {None: None},
            {f"k{i}": i for i in range(2_000)},
        )
    )


def nested(depth: int, brackets: str = "[]") -> str:
    return brackets[0] * depth + brackets[1] * depth


def yaml_bomb(chance: random.Random) -> str:
    """YAML that unfolds without end, or refers to itself."""
    width, height = chance.choice((2, 9, 30)), chance.choice((8, 20, 60))
    kind = chance.choice(("lists", "mappings", "merges", "itself", "itself merged"))
    if kind.startswith("itself"):
        return "bomb: &a [1, *a]\n" if kind == "itself" else "bomb: &a {x: 1, <<: *a}\n"
    lines = ["a0: &a0 {x: 1}\n" if kind != "lists" else "a0: &a0 [x]\n"]
    for i in range(1, height):
        before = [f"*a{i - 1}"] * width
        inside = {
            "lists": f"[{', '.join(before)}]",
            "mappings": "{" + ", ".join(f"k{j}: {one}" for j, one in enumerate(before)) + "}",
            "merges": f"{{<<: [{', '.join(before)}]}}",
        }[kind]
        lines.append(f"a{i}: &a{i} {inside}\n")
    return "".join(lines)


FRAGMENTS: tuple[Callable[[random.Random], str], ...] = (
    lambda chance: f"bomb: {nested(chance.choice((50, 99, 101, 5_000, 100_000)))}\n",
    lambda chance: f"bomb: {'9' * chance.choice((20, 999, 1_001, 5_000))}\n",
    lambda chance: f"bomb: 0x{'f' * chance.choice((100, 5_000))}\n",
    lambda chance: f"bomb: {'1:' * chance.choice((3, 300, 3_000))}1{chance.choice(('', '.5'))}\n",
    lambda chance: (
        f"bomb: {chance.choice(('!!python/object/apply:os.system [touch canary]', '!!python/name:os.system', '!!binary ='))}\n"
    ),
    lambda chance: f"bomb: !!{chance.choice(('int', 'bool', 'float', 'timestamp', 'set', 'omap', 'pairs', 'null'))} x\n",
    lambda chance: (
        f"bomb: {chance.choice(('2001-99-99', '2001-01-01', '2001-01-01T00:00:00+99:99', '.nan', '-.inf', '=', '<<', '~', '0b'))}\n"
    ),
    lambda chance: "? [a, b]\n: c\n",
    lambda chance: "<<: [1]\n",
    lambda chance: "same: 1\nsame: 2\n",
    lambda chance: 'bomb: "\\0\\ud800\\x07"\n',
    lambda chance: "---\na: b\n---\nc: d\n",
    lambda chance: "%YAML 9.9\n---\na: b\n",
    lambda chance: "".join(f"%TAG !a{i}! tag:x\n" for i in range(5_000)) + "---\na: b\n",
    lambda chance: "bomb: *nothing\n",
    lambda chance: "- " * chance.choice((50, 5_000)) + "x\n",
    lambda chance: "\tbomb: {\n",
    lambda chance: "".join(f"k{i}: {i}\n" for i in range(50_000)),
    lambda chance: "a" * 1_000_000,
    yaml_bomb,
)
TOML: tuple[Callable[[random.Random], str], ...] = (
    lambda chance: f"bomb = {nested(chance.choice((50, 99, 101, 5_000)))}\n",
    lambda chance: "bomb = " + "{a = " * chance.choice((50, 5_000)) + "1\n",
    lambda chance: ".".join("a" * chance.choice((50, 150, 20_000))) + " = 1\n",
    lambda chance: f"[{'.'.join('a' * chance.choice((50, 150, 20_000)))}]\n",
    lambda chance: f"bomb = {'9' * chance.choice((20, 5_000))}\n",
    lambda chance: f"bomb = 0x{'f' * chance.choice((20, 5_000))}\n",
    lambda chance: f"bomb = {chance.choice(('2001-01-01', '2001-99-99', 'nan', '-inf', 'inf', '07:00:00'))}\n",
    lambda chance: 'bomb = "\\u0000\\ud800"\n',
    lambda chance: "samples = 1\nsamples = 2\n",
    lambda chance: "".join(f"k{i} = {i}\n" for i in range(20_000)),
    lambda chance: "[[runs]]\n" * 1_000,
)


def damaged(chance: random.Random, content: bytes) -> bytes:
    """A file as a bad disk or a bad editor leaves it."""
    at = chance.randrange(len(content) + 1)
    return chance.choice(
        (
            content[:at],
            content[:at] + bytes(chance.randrange(256) for _ in range(5)) + content[at:],
            b"\xef\xbb\xbf" + content,
            content.decode(errors="replace").encode("utf-16"),
            content.replace(b"\n", b"\r"),
            content[:at] + b"\0" + content[at:],
            b"",
            b"\xff" * 100,
            content * 2,
        )
    )


def no_file(chance: random.Random, path: Path) -> None:
    """What has the name of a file and is none."""
    import os

    kind = chance.choice(("pipe", "folder", "device", "zero", "broken link", "loop", "nothing", "locked"))
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "locked":
        path.write_text("a: b")
        path.chmod(0)
    elif kind != "nothing":
        target = {"device": "/dev/tty", "zero": "/dev/zero", "broken link": "nowhere", "loop": path.name}[kind]
        path.symlink_to(target)


def as_yaml(values: Any) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def as_json(values: Any) -> str:
    return json.dumps(values, default=str, skipkeys=True)
