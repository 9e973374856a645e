"""What came out of a run, in numbers, for each order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gevaldi.statistics.intervals import Estimate, median, share

SUMMARISED = [
    *("order", "status", "condition_name", "condition_id", "divergence_start", "divergence_end", "delta_z", "typicality_end"),
    *("first_start", "first_end", "second_start", "second_end"),
]
"""The columns that a summary is made of."""

TYPICAL = 0.999  # a latent farther out than this share of the prior is called atypical


@dataclass(frozen=True)
class Summary:
    """One order of a run. Shares are of the samples that did not fail.

    Attributes:
        order: forward or reverse.
        samples, failed, converged: counts of rows.
        differ_start, differ_end: share with different top classes, before and after the search.
        divergence_start, divergence_end: medians, in the divergence's unit.
        delta_z: the median of |z - z_start| / |z|.
        typical: share inside the region that holds 99.9 % of the prior.
        left_first, left_second: of the samples whose condition that classifier named before, the share whose it no longer names
            after; None if there are none, as without conditions or where these are no classes of the classifier.
    """

    order: str
    samples: int
    failed: int
    converged: int
    differ_start: Estimate
    differ_end: Estimate
    divergence_start: Estimate
    divergence_end: Estimate
    delta_z: Estimate
    typical: Estimate
    left_first: Estimate | None
    left_second: Estimate | None


def summaries(rows: Iterable[dict[str, Any]]) -> list[Summary]:
    """A summary for each order in the rows, forward first; the rows are read once and not kept."""
    outcomes: dict[str, list[Outcome | None]] = {}
    for row in rows:
        outcomes.setdefault(row["order"], []).append(None if row["status"] == "failed" else outcome(row))
    return [_summary(order, outcomes[order]) for order in ("forward", "reverse") if order in outcomes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a summary needs of a row, small enough that those of a large run fit in memory."""

    converged: bool
    differ_start: bool
    differ_end: bool
    divergence_start: float
    divergence_end: float
    delta_z: float
    typical: bool
    left_first: bool | None
    left_second: bool | None


def outcome(row: dict[str, Any]) -> Outcome:
    """The outcome of a row that did not fail."""
    return Outcome(
        converged=row["status"] == "converged",
        differ_start=differs(row, "start"),
        differ_end=differs(row, "end"),
        divergence_start=row["divergence_start"],
        divergence_end=row["divergence_end"],
        delta_z=row["delta_z"],
        typical=row["typicality_end"] <= TYPICAL,
        left_first=left(row, "first"),
        left_second=left(row, "second"),
    )


def _summary(order: str, outcomes: list[Outcome | None]) -> Summary:
    good = [found for found in outcomes if found]
    left_first = [found.left_first for found in good if found.left_first is not None]
    left_second = [found.left_second for found in good if found.left_second is not None]
    return Summary(
        order=order,
        samples=len(outcomes),
        failed=len(outcomes) - len(good),
        converged=sum(found.converged for found in good),
        differ_start=share(sum(found.differ_start for found in good), len(good)),
        differ_end=share(sum(found.differ_end for found in good), len(good)),
        divergence_start=median([found.divergence_start for found in good]),
        divergence_end=median([found.divergence_end for found in good]),
        delta_z=median([found.delta_z for found in good]),
        typical=share(sum(found.typical for found in good), len(good)),
        left_first=share(sum(left_first), len(left_first)) if left_first else None,
        left_second=share(sum(left_second), len(left_second)) if left_second else None,
    )


def top(row: dict[str, Any], who: str, moment: str) -> dict[str, Any] | None:
    """A classifier's most probable class, where it gave any."""
    classes = row[f"{who}_{moment}"]
    return classes[0] if classes is not None and len(classes) else None


def differs(row: dict[str, Any], moment: str) -> bool:
    """Whether the two classifiers' top classes differ."""
    first, second = top(row, "first", moment), top(row, "second", moment)
    return first is not None and second is not None and first["label"] != second["label"]


def is_condition(row: dict[str, Any], label: dict[str, Any]) -> bool:
    """Whether a class is what the generator was asked for."""
    return is_same_class((row["condition_name"], row["condition_id"]), (label["name"], label["id"]))


def is_same_class(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> bool:
    """Whether two (name, taxonomy id) mean the same class: by id where both have one, otherwise by name."""
    if one[1] and other[1]:
        return one[1] == other[1]
    return one[0] is not None and one[0] == other[0]


def left(row: dict[str, Any], who: str) -> bool | None:
    """Whether a classifier that named the condition before the search no longer names it after; None if it did not before."""
    before, after = top(row, who, "start"), top(row, who, "end")
    return not is_condition(row, after) if before and after and is_condition(row, before) else None
