"""The two predictions in a row: their top classes, whether they differ, and whether they are the requested class."""

import math
from typing import Any


def only(piece: str, *columns: str) -> tuple[str, ...]:
    """The names of one field of prediction columns, such as the labels; reading it alone takes a fifth of the time."""
    return tuple(f"{column}.list.element.{piece}" for column in columns)


def top(row: dict[str, Any], side: str, stage: str) -> dict[str, Any] | None:
    """A classifier's most probable class; None if it made no prediction."""
    classes = row[f"{side}_{stage}"]
    return classes[0] if classes is not None and len(classes) else None


def differs(row: dict[str, Any], stage: str) -> bool:
    """Whether the two classifiers' top classes differ."""
    first, second = top(row, "first", stage), top(row, "second", stage)
    return first is not None and second is not None and first["label"] != second["label"]


def is_condition(row: dict[str, Any], label: dict[str, Any]) -> bool:
    """Whether a class is the requested one."""
    return label["label"] in (row["target_classes"] or ())


def rank(divergence: float | None) -> float:
    """The sort key of samples, largest first: the divergence, with unknown values and NaN last."""
    return -math.inf if divergence is None or math.isnan(divergence) else divergence
