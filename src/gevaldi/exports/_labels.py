"""Which class a picture is filed under."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gevaldi.errors import SpecError, UnknownName
from gevaldi.exports._classes import Classes
from gevaldi.measures.predictions import top
from gevaldi.runs.schema import Row

Given = str | Path | Mapping[int, str]
Labelled = Callable[[Row, str], str | None]
"""Takes a row and a moment; None where there is no label."""


def labeller(given: Given, classes: Classes) -> Labelled:
    """How rows are labelled, for what a user asked for: one of `KNOWN`, a CSV file, or a mapping from indices to names.

    Raises:
        UnknownName, SpecError: it is none of these, or the file cannot be read.
    """
    if isinstance(given, str) and given in KNOWN:
        known = KNOWN[given]
        return lambda row, moment: _named(known(row, moment), classes)
    if isinstance(given, str | Path) and not str(given).lower().endswith(".csv"):
        raise UnknownName("label", str(given), [*KNOWN, "FILE.csv"])
    said: dict[tuple[int, str | None], str] = (
        {(index, None): name for index, name in given.items()} if isinstance(given, Mapping) else read_labels(Path(given))
    )
    return lambda row, moment: _said(said.get((row["index"], moment)) or said.get((row["index"], None)), classes)


def _said(name: str | None, classes: Classes) -> str | None:
    return classes.named(str(name)) if name else None


def _named(label: Mapping[str, Any] | None, classes: Classes) -> str | None:
    return classes.named(label["name"], label["id"]) if label else None


def _condition(row: Row, moment: str) -> dict[str, Any] | None:
    known = row["condition"] is not None and row["condition_name"] is not None
    return {"name": row["condition_name"], "id": row["condition_id"]} if known else None


def _agreed(row: Row, moment: str) -> dict[str, Any] | None:
    first, second = top(row, "first", "start"), top(row, "second", "start")
    return first if first and second and first["label"] == second["label"] else None


KNOWN: dict[str, Callable[[Row, str], dict[str, Any] | None]] = {
    "condition": _condition,
    "first": lambda row, moment: top(row, "first", moment),
    "second": lambda row, moment: top(row, "second", moment),
    "agreed": _agreed,
}
"""What the generator was asked for; what a classifier names on that picture; what both named before the search."""


def read_labels(path: Path) -> dict[tuple[int, str | None], str]:
    """Labels by the index of their sample, from a CSV file with the columns index and label.

    If it has a column moment (start or end) too, a label is of that picture alone.

    Raises:
        SpecError: it cannot be read, or has no such columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {(int(row["index"]), row.get("moment") or None): row["label"] for row in csv.DictReader(file) if row["label"]}
    except OSError as error:
        raise SpecError(f"The labels in {path} cannot be read: {error.strerror or error}.") from None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise SpecError(
            f"{path} does not hold labels: {type(error).__name__}: {error}. A CSV file was expected whose first line has the "
            "columns index and label, and every further line a sample's index and its class."
        ) from None
