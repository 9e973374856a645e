"""What a row says of the two predictions: top classes, whether and how much they differ, whether they are what was asked for."""

import math
from typing import Any


def only(piece: str, *columns: str) -> tuple[str, ...]:
    """Columns of predictions of which only one piece is read, such as the labels: in a fifth of the time that the whole takes."""
    return tuple(f"{column}.list.element.{piece}" for column in columns)


def top(row: dict[str, Any], side: str, stage: str) -> dict[str, Any] | None:
    """A classifier's most probable class, where it gave any."""
    classes = row[f"{side}_{stage}"]
    return classes[0] if classes is not None and len(classes) else None


def differs(row: dict[str, Any], stage: str) -> bool:
    """Whether the two classifiers' top classes differ."""
    first, second = top(row, "first", stage), top(row, "second", stage)
    return first is not None and second is not None and first["label"] != second["label"]


def is_condition(row: dict[str, Any], label: dict[str, Any]) -> bool:
    """Whether a class is what the generator was asked for."""
    return label["label"] in (row["target_classes"] or ())


def rank(divergence: float | None) -> float:
    """What samples are ordered by, the largest first: their divergence, where what is not known or no number comes last."""
    return -math.inf if divergence is None or math.isnan(divergence) else divergence
