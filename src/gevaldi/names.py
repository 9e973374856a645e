"""Names of a user's models and classes, made safe for pages and figures."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from gevaldi.quoting import split_unquoted

LONGEST = 40  # characters
FILE = re.compile(r'\.\w{1,12}"?$')  # the end of a file's name, perhaps in quotes
OBJECT = "object:"  # prefix of models that exist only in the program that began the run
UNSEEN = ("Cc", "Cf", "Cs")  # categories of Unicode: control and direction marks, and halves of letters


def plain(text: Any, longest: int | None = LONGEST) -> str:
    """A name without control or direction marks, shortened unless `longest` is None."""
    whole = str(text)
    kept = whole if whole.isprintable() else "".join(c for c in whole if unicodedata.category(c) not in UNSEEN)
    return kept if longest is None or len(kept) <= longest else kept[: longest - 1] + "…"


def visible(text: Any) -> str:
    r"""A text of several lines with control and direction marks escaped: `\u202e`."""
    whole = str(text)
    if whole.isprintable():
        return whole
    kept = (c if c in "\n\t" or unicodedata.category(c) not in UNSEEN else c.encode("unicode_escape").decode() for c in whole)
    return "".join(kept)


def full_name(name: Any) -> str:
    """A model's full name, for display."""
    return plain(str(name).removeprefix(OBJECT), None)


def told_apart(first: Any, second: Any, longest: int = LONGEST) -> tuple[str, str]:
    """Short names of two classifiers: the shortest forms in which they differ.

    Drops options, then sources, then the common start of both paths, as long as the two still differ:
    `strided` and `pooled`; `old.py:model` and `new.py:model`; `resnet50,seed=1` and `resnet50,seed=2`. Two that differ only in a
    file are called by it: `old.pt` and `new.pt`. Cuts long names around the first difference. Only equal names stay equal.
    """
    both = full_name(first), full_name(second)
    pairs = [(form(both[0]), form(both[1])) for form in (_last, _without_options, _last_with_options, str)]
    pairs.insert(2, _files(*both))
    one, other = next(((a, b) for a, b in pairs if a and b and a != b), both)
    return _cut(*_parted(one, other), longest)


def _without_options(name: str) -> str:
    return name if "(" in name else split_unquoted(name, ",", 1)[0]  # a combined classifier, `(NAME,KEY=VALUE)+(NAME)`, stays whole


def _last(name: str) -> str:
    bare = _without_options(name)
    return bare if "(" in bare else bare.rpartition(":")[2]


def _last_with_options(name: str) -> str:
    bare = _without_options(name)
    return _last(name) + name[len(bare) :]


def _files(one: str, other: str) -> tuple[str, str]:
    """The files in the only option in which the two differ; empty texts if they differ otherwise."""
    ours, theirs = split_unquoted(one, ","), split_unquoted(other, ",")
    differing = [(a.partition("="), b.partition("=")) for a, b in zip(ours, theirs, strict=False) if a != b]
    if len(ours) == len(theirs) and len(differing) == 1:
        (key, _, file), (other_key, _, other_file) = differing[0]
        if key == other_key and FILE.search(file) and FILE.search(other_file):
            return file, other_file
    return "", ""


def _parted(one: str, other: str) -> tuple[str, str]:
    """Both without their common folders or source."""
    if "(" in one + other:
        return one, other
    begin = one[: _alike(one, other)].partition(",")[0]
    shared = 1 + max(begin.rfind(separator) for separator in ":/\\")
    return (one[shared:], other[shared:]) if len(one) > shared < len(other) else (one, other)


def _cut(one: str, other: str, longest: int) -> tuple[str, str]:
    """Both cut to at most `longest` characters, keeping the first difference."""
    shared = _alike(one, other)
    if max(len(one), len(other)) > longest and shared >= longest - 1:
        begin = shared - longest // 2
        one, other = "…" + one[begin:], "…" + other[begin:]
    return plain(one, longest), plain(other, longest)


def _alike(one: str, other: str) -> int:
    """The length of the common prefix."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def grouped(texts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Every distinct text once, with the names that it belongs to, from pairs of a name and a text."""
    names: dict[str, list[str]] = {}
    for name, text in texts:
        names.setdefault(text, []).append(name)
    return names


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence: a, b and c; beyond `most`, as a number."""
    shown = [*names] if len(names) <= most + 1 else [*names[:most], f"{len(names) - most:,} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
