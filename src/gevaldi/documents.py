"""Text that a user wrote, such as a spec or a taxonomy: read, decoded and parsed within bounds that keep time and memory small."""

import csv
import io
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gevaldi.errors import GevaldiError
from gevaldi.provenance import note_files
from gevaldi.storage import Location, read, reason

MOST_BYTES = 32 * 2**20
MOST_BYTES_OF_TOML = 2**20  # Python reads it letter by letter
MOST_VALUES = 2_000_000  # of which a hierarchy of 200,000 nodes has half, as a run writes it
DEEPEST = 100
MOST_DIGITS = 1_000
PART_OF_KEY = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
LONG_KEY = re.compile(f"(?:{PART_OF_KEY}){{{DEEPEST}}}")  # a.a.a of TOML
MERGE = "tag:yaml.org,2002:merge"
NUMBERS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float")}
READ = {f"tag:yaml.org,2002:{name}" for name in ("bool", "null")} | NUMBERS  # of YAML's values that are no text
TAGS = (None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")))


class Merge(str):
    """YAML's `<<`, which is text unless it is a key."""


class Malformed(ValueError):
    """A text that is not valid JSON, YAML, TOML or CSV."""


@dataclass(frozen=True)
class TextFile:
    """A kind of file that users write; its methods take the path of one.

    Attributes:
        name: in errors, for example "The spec".
        kind: of the errors.
        hint: a sentence that ends them, about what was expected.
    """

    name: str
    kind: type[GevaldiError]
    hint: str = ""

    def text(self, path: Location) -> str:
        """The text in it, in UTF-8.

        Raises:
            GevaldiError: of the file's kind; it is not there, is no regular file, too large, or no text.
        """
        try:
            text = read(path, MOST_BYTES).decode("utf-8-sig")
        except OSError as error:
            raise self._error(path, f"cannot be read: {reason(error)}") from None
        except UnicodeDecodeError as error:
            raise self._error(path, f"is no text in UTF-8: {error}") from None
        if isinstance(path, Path):
            note_files([path])
        if "\0" in text:
            raise self._error(path, "is no text in UTF-8: it holds NUL bytes")
        return text

    def lines(self, path: Location) -> list[str]:
        """The lines of it, without empty ones and spaces around them.

        Raises:
            GevaldiError: as `text`.
        """
        return [line.strip() for line in self.text(path).splitlines() if line.strip()]

    def values(self, path: Location) -> Any:
        """The values in a JSON, YAML or TOML file, told apart by its suffix; YAML where it has none of these.

        Raises:
            GevaldiError: of the file's kind; it cannot be read, is not valid, or holds too much.
        """
        text = self.text(path)
        try:
            return parse(text, path.suffix)
        except Malformed as error:
            language = path.suffix[1:].upper() if path.suffix in (".json", ".toml") else "YAML"
            raise self._error(path, f"is not valid {language}: {error}") from None
        except ValueError as error:
            raise self._error(path, f"cannot be read: {error}") from None

    def rows(self, path: Location) -> list[list[str]]:
        """The rows of a CSV file, without empty ones.

        Raises:
            GevaldiError: of the file's kind; it cannot be read, is no CSV, or holds too much.
        """
        found, cells = [], 0
        try:
            for row in filter(None, csv.reader(io.StringIO(self.text(path), newline=""))):
                found.append(row)
                cells += len(row)
                if cells > MOST_VALUES:
                    raise self._error(path, f"cannot be read: {_too_many()}")
        except csv.Error as error:
            raise self._error(path, f"is not valid CSV: {error}") from None
        return found

    def _error(self, path: Location, problem: str) -> GevaldiError:
        return self.kind(" ".join(filter(None, [f"{self.name} {path} {problem}.", self.hint])))


def parse(text: str, suffix: str) -> Any:
    """The values in a text: JSON (".json"), TOML (".toml") or else YAML.

    Raises:
        Malformed: it is not valid.
        ValueError: it holds too many values, too deeply nested, numbers of too many digits, or letters that are none.
    """
    try:
        found = _json(text) if suffix == ".json" else _toml(text) if suffix == ".toml" else _yaml(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    check(found)
    return found


def check(values: Any) -> None:
    """That values are not too many, too deep or too large, whoever made them.

    Raises:
        ValueError: they are, or a text in them holds what is no letter.
    """
    count, waiting = 1, [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            _check_letters(value)
        elif isinstance(value, int):
            if value.bit_length() > MOST_DIGITS * 10 // 3:
                raise ValueError(_too_long())
        elif isinstance(value, Mapping | list | tuple):
            if depth == DEEPEST:
                raise ValueError(_too_deep())
            count += len(value)
            if count > MOST_VALUES:
                raise ValueError(_too_many())
            parts = [part for pair in value.items() for part in pair] if isinstance(value, Mapping) else value
            waiting += [(part, depth + 1) for part in parts]


def _check_letters(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text in it holds the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it holds half of a letter (a lone surrogate)") from None


def _too_many() -> str:
    return f"it holds more than {MOST_VALUES:,} values"


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} levels deep"


def _too_long() -> str:
    return f"it holds a number of more than {MOST_DIGITS:,} digits"


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A mapping in which no key stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise Malformed(f"the key {twice!r} stands twice in one mapping")
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise Malformed(str(error)) from None
    except Malformed:
        raise
    except ValueError:  # of Python, at 4,300 digits
        raise ValueError(_too_long()) from None


def _toml(text: str) -> Any:
    if len(text) > MOST_BYTES_OF_TOML:
        raise ValueError(f"TOML is read up to {MOST_BYTES_OF_TOML // 2**20} MiB; write it as YAML")
    if LONG_KEY.search(text):  # Python's reader takes a time that is quadratic in their number
        raise ValueError(_too_deep())
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Malformed(str(error)) from None
    except ValueError:
        raise ValueError(_too_long()) from None


@dataclass
class _Open:
    """A list or mapping of YAML whose end has not come yet, with the number of values in it and how deep they are."""

    anchor: str | None = None
    items: list[Any] = field(default_factory=list)
    count: int = 1
    height: int = 1


def _yaml(text: str) -> Any:
    """Built from events, as PyYAML's own way is recursive and takes three times as long.

    What an alias stands for is counted again, and is the same in memory.
    """
    import yaml

    whole, anchors = _Open(), dict[str, tuple[Any, int, int]]()
    waiting = [whole]
    try:
        for event in _events(text):
            if isinstance(event, yaml.CollectionStartEvent):
                if event.tag not in TAGS:
                    raise Malformed(_tagged(event.tag))
                waiting.append(_Open(event.anchor))
                if len(waiting) > DEEPEST + 1:
                    raise ValueError(_too_deep())
                continue
            if isinstance(event, yaml.AliasEvent):
                if event.anchor not in anchors:
                    raise Malformed(f"*{event.anchor} stands for nothing before it, or for itself")
                value, count, height = anchors[event.anchor]
            else:
                ended = _Open(event.anchor, height=0) if isinstance(event, yaml.ScalarEvent) else waiting.pop()
                value, count, height = _value(event, ended), ended.count, ended.height
                if ended.anchor:
                    anchors[ended.anchor] = value, count, height
            above = waiting[-1]
            above.items.append(value)
            above.count, above.height = above.count + count, max(above.height, height + 1)
            if above.count > MOST_VALUES:
                raise ValueError(_too_many())
            if len(waiting) + height > DEEPEST + 1:
                raise ValueError(_too_deep())
    except yaml.YAMLError as error:
        raise Malformed(str(error)) from None
    return whole.items[0] if whole.items else None


def _events(text: str) -> Iterator[Any]:
    """The events of YAML's values, of one document."""
    import yaml

    if re.search("^%TAG", text, re.MULTILINE):  # which libyaml looks for in each other one
        raise Malformed("%TAG is not read; leave it out")
    documents = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise Malformed("it holds more than one document")
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _value(event: Any, ended: _Open) -> Any:
    import yaml

    if isinstance(event, yaml.SequenceEndEvent):
        return ended.items
    return _mapping(ended.items) if isinstance(event, yaml.MappingEndEvent) else _scalar(event)


def _scalar(event: Any) -> Any:
    """Null, yes and no, and numbers as PyYAML reads them; all else is text, dates too."""
    import yaml

    if event.tag not in TAGS:
        raise Malformed(_tagged(event.tag))
    tag = event.tag if event.tag not in (None, "!") else _resolver().resolve(yaml.ScalarNode, event.value, event.implicit)
    if tag not in READ:
        return Merge(event.value) if tag == MERGE else event.value
    if tag in NUMBERS and len(event.value) > MOST_DIGITS:
        raise ValueError(_too_long())
    try:
        return yaml.SafeLoader.yaml_constructors[tag](_resolver(), yaml.ScalarNode(tag, event.value))
    except (ValueError, OverflowError):  # 0b, 1:1:1:...
        raise Malformed(f"{event.value[:40]} is no number that can be read; put it in quotes if it is text") from None


def _tagged(tag: str | None) -> str:
    return f"the tag {str(tag).replace('tag:yaml.org,2002:', '!!')} is not read; leave it out"


@cache
def _resolver() -> Any:
    import yaml

    return yaml.SafeLoader("")


def _mapping(items: list[Any]) -> dict[Any, Any]:
    """Keys and values, one after the other, as a mapping; what `<<` merges into it comes first and gives way."""
    merged: dict[Any, Any] = {}
    own = []
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, Merge):
            own.append((key, value))
            continue
        for part in reversed(value if isinstance(value, list) else [value]):
            if not isinstance(part, dict):
                raise Malformed("<< takes a mapping, or a list of mappings")
            merged |= part
    try:
        return merged | _once(own)
    except TypeError:
        raise Malformed("a list or a mapping is the key of another") from None
