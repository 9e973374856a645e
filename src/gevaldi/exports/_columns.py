"""A sample as flat columns for any table: the scalars of the run, and the top classes with their probabilities."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from gevaldi.exports._classes import Classes
from gevaldi.measures.predictions import top
from gevaldi.runs.store.schema import Row, schema

TOPS = tuple((side, stage) for side in ("first", "second") for stage in ("start", "end", "probable"))
KINDS = {"int32": int, "int64": int, "float": float, "string": str, "bool": bool}


@dataclass(frozen=True)
class Column:
    """A flat column.

    Attributes:
        kind: int, float, str or bool; a value may also be None if it is not known.
        meaning: its description.
    """

    kind: type
    meaning: str


@cache
def columns_of(set_sizes: tuple[int, ...]) -> dict[str, Column]:
    """The flat columns, by name, of a run that records set distances for these numbers of classes."""
    fields = [field for field in schema(set_sizes) if str(field.type) in KINDS]
    scalars = {field.name: Column(KINDS[str(field.type)], field.metadata[b"description"].decode()) for field in fields}
    tops = {}
    for side, stage in TOPS:
        when = {"start": "before", "end": "after", "probable": "at the most probable disagreement"}[stage]
        tops[f"{side}_{stage}"] = Column(str, f"the {side} classifier's most probable class {when}")
        tops[f"{side}_{stage}_probability"] = Column(float, "its probability")
    index = {"index": scalars.pop("index")}
    own = {
        "stage": Column(str, "which picture of the sample: start (before the search), end (after it) or probable"),
        "label": Column(str, "the class under which the picture is filed"),
    }
    return index | own | tops | scalars


def columns_needed(set_sizes: tuple[int, ...]) -> list[str]:
    """The columns of a run from which the flat ones are computed."""
    return [name for name in schema(set_sizes).names if name in columns_of(set_sizes)]


def flat(row: Row, set_sizes: tuple[int, ...], classes: Classes) -> dict[str, Any]:
    """A row's flat columns, without `stage` and `label`, which belong to a picture."""
    found = {name: row.get(name) for name in columns_of(set_sizes)}
    for side, stage in TOPS:
        first = top(row, side, stage)
        found[f"{side}_{stage}"] = classes.unique_name(first["name"], first["id"]) if first else None
        found[f"{side}_{stage}_probability"] = first["probability"] if first else None
    return {name: _short(value) if isinstance(value, float) else value for name, value in found.items()}


def _short(value: float) -> float:
    """A 32-bit number rounded to its shortest decimal form: 0.1, not 0.10000000149011612."""
    import numpy as np

    return float(str(np.float32(value)))
