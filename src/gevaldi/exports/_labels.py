"""The class under which a picture is filed."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.documents import TextFile
from gevaldi.errors import SpecError, UnknownName
from gevaldi.exports._blind import NOT_CLASSES, by_blind_name
from gevaldi.exports._classes import Classes
from gevaldi.measures.predictions import top
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row
from gevaldi.storage import local_path
from gevaldi.tables import text_of

Given = str | Path | Mapping[int, str]
FILE = TextFile(
    "The file of labels",
    SpecError,
    "Expected a CSV file: the first line names the columns index and label, and every further line holds a sample's index and its "
    "class. In an export of Label Studio the column sample takes the place of index.",
)
Labelled = Callable[[Row, str], str | None]
"""Takes a row and a stage; None where there is no label."""


@dataclass(frozen=True)
class Labels:
    """How rows are labelled.

    Attributes:
        named: returns a row's label.
        samples: the indices in a file or mapping; empty if labels come from the rows.
    """

    named: Labelled
    samples: frozenset[int] = frozenset()


def labeller(given: Given, classes: Classes, run: Run) -> Labels:
    """The labels that a user chose for a run: one of `KNOWN`, a CSV file, or a mapping from indices to names.

    Raises:
        UnknownName, SpecError: `given` is none of these, or the file cannot be read or contradicts itself.
    """
    if isinstance(given, str) and given in KNOWN:
        known = KNOWN[given]
        return Labels(lambda row, stage: _named(known(row, stage), classes))
    if isinstance(given, str | Path) and not str(given).lower().endswith(".csv"):
        raise UnknownName("label", str(given), [*KNOWN, "FILE.csv"])
    said: dict[tuple[int, str | None], str] = (
        {(index, None): name for index, name in given.items()}
        if isinstance(given, Mapping)
        else read_labels(local_path(str(given)), run, set(NOT_CLASSES) - set(classes.together_with(set())))
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
"""The requested class; a classifier's top class on that picture; the class that both named before the search."""


def read_labels(path: Path, run: Run, ignored: Set[str] = frozenset()) -> dict[tuple[int, str | None], str]:
    """Labels by the index of their sample, from a CSV file with the columns index (or the blind name, sample) and label.

    If it also has a column stage (start or end), a label applies to that picture alone. Lines may be repeated. Lines whose label is
    in `ignored` are left out.

    Raises:
        SpecError: the file cannot be read, lacks a column, has two labels for one picture, or names a picture of another run.
    """
    found: dict[tuple[int, str | None], str] = {}
    columns, *lines = FILE.rows(path) or [[]]
    blind = by_blind_name(run.origin.record, run.done()) if "sample" in columns and "index" not in columns else None
    for line in lines:
        row = dict(zip(columns, line, strict=False))
        if blind is not None and row.get("sample", "") not in blind:
            raise SpecError(
                f"{path} labels the picture {row.get('sample', '')[:40]!r}, which the run in {run.folder} does not have. Does it "
                "belong to another run?"
            )
        try:
            key = blind[row["sample"]] if blind is not None else (int(row["index"]), row.get("stage") or None)
            label = text_of(row["label"])
        except (KeyError, ValueError) as error:
            raise SpecError(f"{path} does not hold labels: {type(error).__name__}: {error}. {FILE.hint}") from None
        if label and label not in ignored and found.setdefault(key, label) != label:
            raise SpecError(
                f"{path} labels sample {key[0]}{f' ({key[1]})' if key[1] else ''} both {found[key]!r} and {label!r}. Keep "
                "one line a picture, for example the label on which the annotators agree."
            )
    return found
