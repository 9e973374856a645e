"""Reads, decodes and parses a user's text, such as a spec or a taxonomy, within bounds on time and memory."""

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
MOST_BYTES_OF_TOML = 2**20  # Python parses it character by character
MOST_VALUES = 2_000_000  # twice as many as in a run's file of a hierarchy of 200,000 nodes
DEEPEST = 100
MOST_DIGITS = 1_000
PART_OF_KEY = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
LONG_KEY = re.compile(f"(?:{PART_OF_KEY}){{{DEEPEST}}}")  # a.a.a of TOML
MERGE = "tag:yaml.org,2002:merge"
NUMBERS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float")}
READ = {f"tag:yaml.org,2002:{name}" for name in ("bool", "null")} | NUMBERS  # YAML's values that are not text
TAGS = (None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")))


class Merge(str):
    """YAML's merge key `<<`; as a value, it is text."""


class Malformed(ValueError):
    """A text that is not valid JSON, YAML, TOML or CSV."""


@dataclass(frozen=True)
class TextFile:
    """A kind of file that users write; its methods take the path of a file.

    Attributes:
        name: its name in errors, for example "The spec".
        kind: the type of the errors.
        hint: the last sentence of errors, about the expected content.
    """

    name: str
    kind: type[GevaldiError]
    hint: str = ""

    def text(self, path: Location) -> str:
        """The file's text, in UTF-8.

        Raises:
            GevaldiError: of the file's kind; the file is missing, not regular, too large, or not text.
        """
        try:
            text = read(path, MOST_BYTES).decode("utf-8-sig")
        except OSError as error:
            raise self._error(path, f"cannot be read: {reason(error)}") from None
        except UnicodeDecodeError as error:
            raise self._error(path, f"is not UTF-8 text: {error}") from None
        if isinstance(path, Path):
            note_files([path])
        if "\0" in text:
            raise self._error(path, "is not UTF-8 text: it contains NUL bytes")
        return text

    def lines(self, path: Location) -> list[str]:
        """The file's lines, stripped, without empty ones.

        Raises:
            GevaldiError: as `text`.
        """
        return [line.strip() for line in self.text(path).splitlines() if line.strip()]

    def values(self, path: Location) -> Any:
        """The values in a JSON or TOML file, by its suffix, or else a YAML file.

        Raises:
            GevaldiError: of the file's kind; the file cannot be read, is invalid, or exceeds a bound.
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
            GevaldiError: of the file's kind; the file cannot be read, is not CSV, or exceeds a bound.
        """
        rows, cells = [], 0
        try:
            for row in filter(None, csv.reader(io.StringIO(self.text(path), newline=""))):
                rows.append(row)
                cells += len(row)
                if cells > MOST_VALUES:
                    raise self._error(path, f"cannot be read: {_too_many()}")
        except csv.Error as error:
            raise self._error(path, f"is not valid CSV: {error}") from None
        return rows

    def _error(self, path: Location, problem: str) -> GevaldiError:
        return self.kind(" ".join(filter(None, [f"{self.name} {path} {problem}.", self.hint])))


def parse(text: str, suffix: str) -> Any:
    """The values in a text: JSON (".json"), TOML (".toml") or else YAML.

    Raises:
        Malformed: the text is invalid.
        ValueError: it has too many values, too deep nesting, numbers with too many digits, or invalid characters.
    """
    try:
        values = _json(text) if suffix == ".json" else _toml(text) if suffix == ".toml" else _yaml(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    check(values)
    return values


def check(values: Any) -> None:
    """Check that values are not too many, too deep or too large, whatever their origin.

    Raises:
        ValueError: they are, or a text in them has invalid characters.
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
        raise ValueError("a text in it contains the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it contains a lone surrogate") from None


def _too_many() -> str:
    return f"it has more than {MOST_VALUES:,} values"


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} levels deep"


def _too_long() -> str:
    return f"it has a number with more than {MOST_DIGITS:,} digits"


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A mapping, checked for duplicate keys."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise Malformed(f"the key {twice!r} appears twice in one mapping")
    return mapping


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise Malformed(str(error)) from None
    except Malformed:
        raise
    except ValueError:  # from Python, at 4,300 digits
        raise ValueError(_too_long()) from None


def _toml(text: str) -> Any:
    if len(text) > MOST_BYTES_OF_TOML:
        raise ValueError(f"TOML may have at most {MOST_BYTES_OF_TOML // 2**20} MiB; write it as YAML")
    if LONG_KEY.search(text):  # Python's parser is quadratic in their length
        raise ValueError(_too_deep())
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Malformed(str(error)) from None
    except ValueError:
        raise ValueError(_too_long()) from None


@dataclass
class _Open:
    """An unfinished list or mapping of YAML, with the number and the depth of the values in it."""

    anchor: str | None = None
    items: list[Any] = field(default_factory=list)
    count: int = 1
    height: int = 1


def _yaml(text: str) -> Any:
    """Parse YAML from its events, since PyYAML's own constructor is recursive and takes three times as long.

    The values of an alias count again, but share memory.
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
                    raise Malformed(f"*{event.anchor} refers to no earlier anchor, or to itself")
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
    """The events of the values in a single YAML document."""
    import yaml

    if re.search("^%TAG", text, re.MULTILINE):  # libyaml's time is quadratic in their number
        raise Malformed("%TAG is not supported; leave it out")
    documents = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise Malformed("it has more than one document")
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _value(event: Any, ended: _Open) -> Any:
    import yaml

    if isinstance(event, yaml.SequenceEndEvent):
        return ended.items
    return _mapping(ended.items) if isinstance(event, yaml.MappingEndEvent) else _scalar(event)


def _scalar(event: Any) -> Any:
    """Null, booleans and numbers as PyYAML parses them; everything else, including dates, is text."""
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
        raise Malformed(f"{event.value[:40]} is not a valid number; put it in quotes if it is text") from None


def _tagged(tag: str | None) -> str:
    return f"the tag {str(tag).replace('tag:yaml.org,2002:', '!!')} is not supported; leave it out"


@cache
def _resolver() -> Any:
    import yaml

    return yaml.SafeLoader("")


def _mapping(items: list[Any]) -> dict[Any, Any]:
    """A mapping from alternating keys and values; own keys override those merged with `<<`."""
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
        raise Malformed("a list or a mapping is used as a key") from None
