"""Which class a picture is filed under."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.documents import TextFile
from gevaldi.errors import SpecError, UnknownName
from gevaldi.exports._classes import Classes
from gevaldi.measures.predictions import top
from gevaldi.runs.store.schema import Row
from gevaldi.storage import local_path
from gevaldi.tables import text_of

Given = str | Path | Mapping[int, str]
FILE = TextFile(
    "The file of labels",
    SpecError,
    "A CSV file was expected whose first line has the columns index and label, and every further line a sample's index and its "
    "class.",
)
Labelled = Callable[[Row, str], str | None]
"""Takes a row and a stage; None where there is no label."""


@dataclass(frozen=True)
class Labels:
    """How rows are labelled.

    Attributes:
        named: tells a row's label.
        samples: the indices that a file or a mapping speaks of; empty where labels come from the rows.
    """

    named: Labelled
    samples: frozenset[int] = frozenset()


def labeller(given: Given, classes: Classes) -> Labels:
    """How rows are labelled, for what a user asked for: one of `KNOWN`, a CSV file, or a mapping from indices to names.

    Raises:
        UnknownName, SpecError: it is none of these, or the file cannot be read or contradicts itself.
    """
    if isinstance(given, str) and given in KNOWN:
        known = KNOWN[given]
        return Labels(lambda row, stage: _named(known(row, stage), classes))
    if isinstance(given, str | Path) and not str(given).lower().endswith(".csv"):
        raise UnknownName("label", str(given), [*KNOWN, "FILE.csv"])
    said: dict[tuple[int, str | None], str] = (
        {(index, None): name for index, name in given.items()}
        if isinstance(given, Mapping)
        else read_labels(local_path(str(given)))
    )
    return Labels(
        lambda row, stage: _class_name(said.get((row["index"], stage)) or said.get((row["index"], None)), classes),
        frozenset(index for index, _ in said),
    )


def _class_name(name: str | None, classes: Classes) -> str | None:
    return classes.unique_name(str(name)) if name else None


def _named(label: Mapping[str, Any] | None, classes: Classes) -> str | None:
    return classes.unique_name(label["name"], label["id"]) if label else None


def _condition(row: Row, stage: str) -> dict[str, Any] | None:
    known = row["condition"] is not None and row["condition_name"] is not None
    return {"name": row["condition_name"], "id": row["condition_id"]} if known else None


def _agreed(row: Row, stage: str) -> dict[str, Any] | None:
    first, second = top(row, "first", "start"), top(row, "second", "start")
    return first if first and second and first["label"] == second["label"] else None


KNOWN: dict[str, Callable[[Row, str], dict[str, Any] | None]] = {
    "condition": _condition,
    "first": lambda row, stage: top(row, "first", stage),
    "second": lambda row, stage: top(row, "second", stage),
    "agreed": _agreed,
}
"""What the generator was asked for; what a classifier names on that picture; what both named before the search."""


def read_labels(path: Path) -> dict[tuple[int, str | None], str]:
    """Labels by the index of their sample, from a CSV file with the columns index and label.

    If it has a column stage (start or end) too, a label is of that picture alone. A line may be there twice.

    Raises:
        SpecError: it cannot be read, has no such columns, or says two things of one picture.
    """
    found: dict[tuple[int, str | None], str] = {}
    columns, *lines = FILE.rows(path) or [[]]
    for line in lines:
        row = dict(zip(columns, line, strict=False))
        try:
            key, label = (int(row["index"]), row.get("stage") or None), text_of(row["label"])
        except (KeyError, ValueError) as error:
            raise SpecError(f"{path} does not hold labels: {type(error).__name__}: {error}. {FILE.hint}") from None
        if label and found.setdefault(key, label) != label:
            raise SpecError(
                f"{path} says of sample {key[0]}{f' ({key[1]})' if key[1] else ''} both {found[key]!r} and {label!r}. Keep "
                "one line a picture, such as the one on which those who labelled it agreed."
            )
    return found
