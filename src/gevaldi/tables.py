"""Tables as CSV in which a spreadsheet takes no text for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

FORMULA = "=+-@\t\r\n＝＋－＠"  # what a formula begins with (OWASP, CSV injection)
BEGUN, MARKED = (re.compile(rf"{before}[{re.escape(FORMULA)}]") for before in ("'*", "'+"))


def write_csv(file: io.TextIOBase, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, its columns' names first."""
    for row in chain([columns], rows):
        file.write(",".join(map(_quote, row)) + "\n")


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as text."""
    text = io.StringIO()
    write_csv(text, columns, rows)
    return text.getvalue()


def read_csv(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of a table as it was before it was written: of each its text by column, "" where it is shorter.

    Raises:
        csv.Error: it is no CSV.
    """
    for row in csv.DictReader(lines, restval=""):
        yield {name: text_of(value) for name, value in row.items() if isinstance(value, str)}


def separator_of(head: str) -> str:
    """What separates the columns of a table, by its first line: the most frequent of tab, semicolon and comma outside quotes."""
    bare = re.sub(r'"[^"]*("|$)', "", head)
    return max("\t;,", key=bare.count) if re.search("[\t;,]", bare) else ","


def decimal_point_of(head: str, separator: str) -> str:
    """What separates the decimals of a table's numbers, by its first lines: a comma if some cells have one and none has a point."""
    cells = [cell.strip() for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator) for cell in row]
    comma, point = (any(re.fullmatch(rf"[-+]?\d*[{mark}]\d+([eE][-+]?\d+)?", cell) for cell in cells) for mark in ",.")
    return "," if comma and not point else "."


def cell(value: Any) -> Any:
    """A value as it stands in a cell: text that begins like a formula has an apostrophe before it; numbers stay as they are.

    Text without the byte zero, at which readers of CSV stop.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "")
    return f"'{text}" if BEGUN.match(text) and not is_number(text) else text


def text_of(cell: str) -> str:
    """The text of a cell, without the apostrophe that was put before it."""
    return cell[1:] if MARKED.match(cell) else cell


def _quote(value: Any) -> str:
    """A cell in quotes where it needs them; csv leaves "\\r" without, at which its readers and others end the row."""
    text = "" if value is None else str(cell(value))
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text


def is_number(text: str) -> bool:
    """Whether a text is a number, such as 7, 1e-3 or nan."""
    try:
        float(text)
    except ValueError:
        return False
    return True
