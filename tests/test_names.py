"""Functions and types are called by nouns and verbs of the field; a participle says nothing about what it is."""

import ast
from pathlib import Path

import gevaldi

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
