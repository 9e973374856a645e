"""Files that users write: what is read, and what is refused in a sentence, whatever it would cost to read it."""

import contextlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gevaldi.cli.main import app
from gevaldi.errors import GevaldiError, TaxonomyError
from gevaldi.spec import read_spec
from gevaldi.taxonomy import (
    distances,
    edge_counts,
    in_words,
    outline,
    over,
    read_taxonomy,
    restricted,
    taxonomy_of,
    way,
    write_taxonomy,
)

PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
PAIRS = list(zip("abcdefgh", "bcdefghi", strict=True))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{letter}: &{letter} [{', '.join(['*' + before] * 9)}]\n" for before, letter in PAIRS
)
MERGES = "a: &a {x: 1}\n" + "".join(f"{letter}: &{letter} {{<<: [{', '.join(['*' + before] * 20)}]}}\n" for before, letter in PAIRS)
HOSTILE = {
    "a bomb": (BOMB, "more than 2,000,000 values"),
    "a bomb of merges": (MERGES, "more than 2,000,000 values"),
    "a list in itself": ("a: &a [*a]", r"\*a refers to no earlier anchor, or to itself"),
    "a mapping merged into itself": ("a: &a {<<: *a}", r"\*a refers to no earlier anchor, or to itself"),
    "a deep list": ("a: " + "[" * 100_000, "more than 100 levels deep"),
    "a deep alias": (f"a: &a {'[' * 60}{']' * 60}\nb: {'[' * 60}*a{']' * 60}", "more than 100 levels deep"),
    "many digits": ("samples: " + "9" * 5_000, "a number with more than 1,000 digits"),
    "many digits of another base": ("samples: 0x" + "f" * 5_000, "a number with more than 1,000 digits"),
    "many digits of base 60": ("samples: " + "1:" * 5_000 + "1", "a number with more than 1,000 digits"),
    "code": ("first: !!python/object/apply:os.system [true]", "the tag !!python/object/apply:os.system is not supported"),
    "a key that stands twice": ("samples: 1\nsamples: 2", "the key 'samples' appears twice"),
    "two documents": ("samples: 1\n---\nsamples: 2", "more than one document"),
    "many tags": ("".join(f"%TAG !a{i}! tag:x\n" for i in range(100_000)) + "---\na: b", "%TAG is not supported"),
    "a letter that is none": (r'first: "\0"', "the character NUL"),
}
HOSTILE_TOML = {
    "a deep list": ("a = " + "[" * 5_000, "levels deep"),
    "a deep table": ("a = " + "{a = " * 5_000, "levels deep"),
    "a deep key": (".".join("a" * 20_000) + " = 1", "levels deep"),
    "many digits": ("samples = " + "9" * 5_000, "a number with more than 1,000 digits"),
    "many digits of another base": ("samples = 0x" + "f" * 5_000, "a number with more than 1,000 digits"),
}


def refused(words: str, *command: str) -> None:
    """The command line refuses it, in a sentence that has these words."""
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, GevaldiError), result.exception or result.output
    assert re.search(words, str(result.exception)), result.exception


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("command", [("compare", "--spec"), ("sweep",), ("experiment",), ("show",)])
def test_yaml_that_unfolds_without_end_or_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, command: tuple[str, ...]
) -> None:
    text, words = HOSTILE[case]
    monkeypatch.chdir(tmp_path)
    Path("hostile.yaml").write_text(text)
    refused(words, *command, "hostile.yaml")
    assert os.listdir() == ["hostile.yaml"]


@pytest.mark.parametrize("case", HOSTILE_TOML)
def test_toml_that_takes_quadratic_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    text, words = HOSTILE_TOML[case]
    monkeypatch.chdir(tmp_path)
    Path("hostile.toml").write_text(text)
    refused(words, "compare", "--spec", "hostile.toml")


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        (
            "search=[&a [x,x,x,x,x,x,x,x,x], " + ", ".join(f"&{b} [{','.join(['*' + a] * 9)}]" for a, b in PAIRS) + "]",
            "more than 2,000,000",
        ),
        ("search=" + "[" * 5_000, "levels deep"),
        ("samples=" + "9" * 5_000, "more than 1,000 digits"),
        (".a" * 5_000 + "=1", "at most one dot"),
        ("samples=99999999999", "less than or equal to 100000000"),
        ("samples=2001-99-99", "samples: .*got '2001-99-99'"),
        ("speed.batch_size=99999999999", "from 1 to 1,000,000"),
        ("speed.threads=99999999999", "from 1 to 1,024"),
        ("search.candidates=99999999999", "search.candidates"),
        ("search.steps=99999999999", "search.steps"),
        ("set_sizes=[99999999999]", "set_sizes"),
        ("audited=99999999999", "audited"),
    ],
)
def test_a_setting_that_is_too_large_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assignment: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(words, "compare", *PAIR, "--set", assignment, "--out", "run")
    assert os.listdir() == []


def test_more_samples_than_a_run_can_have_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused("less than or equal to 100000000", "compare", *PAIR, "-n", "99999999999")
    refused("less than or equal to 100000000", "sweep", *PAIR, "-n", "99999999999")
    assert os.listdir() == []


def test_a_sweep_of_more_comparisons_than_anybody_can_make_is_refused(tmp_path: Path) -> None:
    many = {f"n{i}": f"python:x.py:f,seed={i}" for i in range(200)}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump({"classifiers": many, "generator": "g"}))
    refused("19,900 comparisons, but at most 10,000", "sweep", str(tmp_path / "sweep.yaml"))
    runs = {f"r{i}": {"first": "a", "second": "b"} for i in range(50)}
    (tmp_path / "many.yaml").write_text(yaml.safe_dump({"title": "t", "replicates": 900, "runs": runs}))
    refused("45,000 runs", "experiment", str(tmp_path / "many.yaml"))


def test_of_many_problems_a_few_are_named(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("".join(f"k{i}: 1\n" for i in range(10_000)) + f"samples: [{'1, ' * 10_000}]")
    result = CliRunner().invoke(app, ["compare", "--spec", str(tmp_path / "spec.yaml")])
    assert "more" in str(result.exception)
    assert len(str(result.exception)) < 10_000


COMMANDS = [
    ("compare", "--spec", "{}"),
    ("sweep", "{}"),
    ("experiment", "{}"),
    ("show", "{}"),
    ("distance", "a", "b", "--taxonomy", "{}"),
    ("compare", *PAIR, "--set", "first_classes={}"),
    ("compare", "restricted:bundled:mnist-strided,classes={}", *PAIR[1:]),
]


@contextlib.contextmanager
def not_for_ever() -> Iterator[None]:
    """So that a test that fails does not wait for ever."""

    def stop(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(300)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(os.name != "posix", reason="needs pipes with names")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device", "folder", "broken link"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, command: tuple[str, ...], kind: str) -> None:
    path = tmp_path / "x.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/full", "link to a device": "/dev/zero", "broken link": "nowhere"}[kind])
    with not_for_ever():
        refused("cannot be read: ", *(word.format(path) for word in command))


def test_a_file_of_another_encoding_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    for content in ("samples: 1".encode("utf-16"), "samples: 1".encode("utf-16-le"), b"\xff", b"samples: 1\0"):
        path.write_bytes(content)
        refused("is not UTF-8 text", "compare", "--spec", str(path))
    path.write_bytes("samples: -3".encode("utf-8-sig"))
    refused("samples: Input should be greater", "compare", "--spec", str(path))


def test_a_file_of_more_than_32_mib_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree.csv"
    path.write_bytes(b"a,b\n" * (8 * 2**20 + 1))
    refused("it has more than 32 MiB", "show", str(path))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))
)
KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])) | st.integers() | st.booleans()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans())
def test_yaml_is_read_as_pyyaml_reads_it(values: dict[Any, Any], flow: bool) -> None:
    shared = {"settings": values, "again": [values, values], "merged": {"own": 1}}  # which are written as aliases
    text = yaml.safe_dump(shared, default_flow_style=flow, allow_unicode=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(text, encoding="utf-8")
        assert read_spec(path) == yaml.safe_load(text) == shared


@pytest.mark.parametrize(
    "text",
    [
        "base: &base {a: 1, b: 2}\none: {<<: *base, b: 3}",
        "base: &base {a: 1, b: 2}\nother: &other {a: 5, c: 6}\none: {b: 3, <<: [*base, *other]}",
        "a: [~, null, yes, off, 0o7, 010, 0x1f, 0b11, 1_000, 1:30, 1e3, 1.5e+3, .inf, -.inf, '5', \"6\", +7, n, <<]",
        "a: !!str 5\nb: ! 5\n? c\n: - d\n  - |\n    text\n  - >-\n    folded\n    text",
        "# nothing but\na: # a value",
    ],
)
def test_merges_numbers_and_text_are_read_as_pyyaml_reads_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.yaml").write_text(text)
    assert read_spec(tmp_path / "spec.yaml") == yaml.safe_load(text.replace(", <<]", ", '<<']"))


def chain(size: int) -> list[tuple[str, str]]:
    return [(f"n{i}", f"n{i - 1}") for i in range(1, size)]


def star(size: int) -> list[tuple[str, str]]:
    return [(f"n{i}", "n0") for i in range(1, size)]


def lattice(size: int, width: int = 100) -> list[tuple[str, str]]:
    """Each node of a row has all of three of the row above as hypernyms."""
    rows = [(f"n{i}", f"n{max(0, (i // width - 1) * width + (i + j) % width)}") for i in range(width, size) for j in range(3)]
    return [(f"n{i}", "n-") for i in range(width)] + rows


@pytest.mark.parametrize(
    ("form", "size"), [pytest.param("csv", 20_000, marks=pytest.mark.slow), ("csv", 3_000), ("json", 3_000), ("whole", 3_000)]
)
@pytest.mark.parametrize(("edges", "shown"), [(chain, "n0\n  n1\n"), (star, "n0\n  n1\n  n2\n"), (lattice, "n-\n  n")])
def test_20_000_nodes_are_read_and_walked_whatever_their_shape(
    tmp_path: Path, edges: Any, shown: str, form: str, size: int
) -> None:
    pairs, path = edges(size), tmp_path / f"tree.{'csv' if form == 'csv' else 'json'}"
    if form == "whole":
        write_taxonomy(read_taxonomy(pairs), path)
    else:
        path.write_text("".join(f"{a},{b}\n" for a, b in pairs) if form == "csv" else json.dumps(pairs))
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exception is None
    assert result.stdout.startswith(shown)
    result = CliRunner().invoke(app, ["distance", f"n{size - 1}", f"n{size // 2}", "--taxonomy", str(path)])
    assert result.exception is None
    assert "They meet at" in result.stdout


@pytest.mark.slow
def test_distances_down_a_chain_of_20_000_are_counted_and_those_of_a_star_are_refused() -> None:
    longest = restricted(read_taxonomy(chain(20_000)), ["n19999", "n0", "n10000"])
    assert edge_counts(longest).tolist() == [[0, 19_999, 9_999], [19_999, 0, 10_000], [9_999, 10_000, 0]]
    with pytest.raises(TaxonomyError, match=r"22,001 classes .* at most 22,000 classes"):
        distances(read_taxonomy(star(22_002)))
    with pytest.raises(TaxonomyError, match=r"pairs of a class and a node above"):
        distances(read_taxonomy(lattice(41_000, 20_500)))


def test_a_comparison_over_more_classes_than_distances_are_computed_for_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("star.csv").write_text("".join(f"{i},all\n" for i in range(22_500)))
    refused("at most 22,000 classes", "compare", *PAIR, "--taxonomy", "star.csv", "--out", "run")
    assert os.listdir() == ["star.csv"]


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([*chain(20_000), ("n0", "n19999")], r"form a cycle: .* more .*\. No node"),
        ([*chain(5_000), ("x", "y")], "There are 2 roots"),
        ([(f"n{i}", f"m{i}") for i in range(5_000)], "There are 5000 roots.* and 4,995 more"),
        pytest.param([(f"n{i}", f"m{i}") for i in range(110_000)], "more than 200,000 nodes", marks=pytest.mark.slow),
    ],
)
def test_what_is_no_hierarchy_is_refused_in_a_sentence_of_any_size(edges: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(TaxonomyError, match=words) as told:
        read_taxonomy(edges)
    assert len(str(told.value)) < 500


def test_a_class_that_stands_twice_among_many_is_named() -> None:
    edges = star(20_000)
    with pytest.raises(TaxonomyError, match=r"'n7' occur more than once"):
        taxonomy_of([*(a for a, _ in edges), "n7"], edges)


def test_a_mapping_that_is_nested_deeply_or_in_itself_is_refused() -> None:
    deep: dict[str, Any] = {}
    for i in range(5_000):
        deep = {str(i): deep}
    with pytest.raises(TaxonomyError, match="levels deep"):
        read_taxonomy(deep)
    deep["itself"] = deep
    with pytest.raises(TaxonomyError, match="levels deep"):
        read_taxonomy(deep)


def test_an_outline_names_what_is_below_a_node_once_and_not_under_each_hypernym() -> None:
    doubled = [(f"{i}{side}", f"{i - 1}{other}") for i in range(1, 40) for side in "ab" for other in "ab"]
    lines = outline(read_taxonomy([*doubled, ("0a", "top"), ("0b", "top")])).splitlines()
    assert len(lines) == 1 + 2 + len(doubled)  # a line an edge, and not 2 ** 40
    assert lines[:3] == ["top", "  0a", "    1a"]


def test_a_very_long_way_is_told_by_its_ends() -> None:
    long = read_taxonomy(chain(10_000))
    words = in_words(long, way(long, "n9999", "n0"))
    assert words.startswith("n9999 - n9998 - ")
    assert words.endswith(" - n1 - n0")
    assert "(9,960 more)" in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"classes": 3, "nodes": {}}', "Expected a list of classes"),
        ('{"classes": ["a"], "nodes": {"a": {"hypernyms": "b"}}}', "Expected a list of classes"),
        ('{"classes": [["a"]], "nodes": {"a": {"hypernyms": ["b"]}}}', "Expected a list of classes"),
        ('{"classes": ["a"], "nodes": {"a": {"hypernyms": [["b"]]}}}', "Expected a list of classes"),
        ('{"classes": ["a"], "nodes": {"a": {"hypernyms": ["b"], "names": [1]}}}', "Expected a list of classes"),
        ('{"a": "\\ud800"}', "a lone surrogate"),
        ('{"a": ["b"], "a": ["c"]}', "the key 'a' appears twice"),
        ('"abc"', "is of type str"),
    ],
)
def test_a_written_hierarchy_that_was_changed_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "tree.json").write_text(text)
    refused(words, "show", str(tmp_path / "tree.json"))


def test_of_many_labels_without_a_place_three_are_named() -> None:
    with pytest.raises(TaxonomyError, match="20000 of 20000 labels have no place") as told:
        over(read_taxonomy(star(10_000)), [(f"label {i}", None) for i in range(20_000)])
    assert "(and 19997 more)" in str(told.value)


def test_a_number_of_5_000_digits_is_no_index_of_a_class() -> None:
    refused("no class", "distance", "9" * 5_000, "0", "--taxonomy", "mnist-digits")


@pytest.mark.parametrize("content", ['"' + "x" * 200_000, "a" * 200_000 + ",b", "a,b\0"])
def test_csv_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tree.csv"
    path.write_text(content)
    refused("is not valid CSV|is not UTF-8 text", "show", str(path))
    refused("is not valid CSV|is not UTF-8 text", "compare", *PAIR, "--set", f"first_classes={path}")
