"""Names are the field's, and the picture of the rooms is that of the code."""

import ast
from pathlib import Path

import pytest

import gevaldi

DOCS = Path(__file__).parent.parent / "docs"

PARTICIPLES = {"found", "told", "said", "asked", "kept", "given", "made"}


def test_no_function_or_type_is_called_by_a_bare_participle() -> None:
    named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = {
        f"{path.name}:{node.lineno} {node.name}"
        for path in Path(gevaldi.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, named) and node.name.strip("_").lower() in PARTICIPLES
    }
    assert not names


def test_the_picture_of_the_rooms_is_drawn_from_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    import draw_rooms

    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert draw_rooms.drawn(page) == page, "run: make architecture"
