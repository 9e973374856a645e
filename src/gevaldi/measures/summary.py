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
        left_first, left_second: share whose condition that classifier named before, and no longer after; None without conditions.
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
    asked = row["condition_name"] is not None
    return Outcome(
        converged=row["status"] == "converged",
        differ_start=differs(row, "start"),
        differ_end=differs(row, "end"),
        divergence_start=row["divergence_start"],
        divergence_end=row["divergence_end"],
        delta_z=row["delta_z"],
        typical=row["typicality_end"] <= TYPICAL,
        left_first=left(row, "first") if asked else None,
        left_second=left(row, "second") if asked else None,
    )


def _summary(order: str, outcomes: list[Outcome | None]) -> Summary:
    good = [found for found in outcomes if found]
    asked = [found for found in good if found.left_first is not None]
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
        left_first=share(sum(bool(found.left_first) for found in asked), len(asked)) if asked else None,
        left_second=share(sum(bool(found.left_second) for found in asked), len(asked)) if asked else None,
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
    """Whether a class is what the generator was asked for: by id where both have one, otherwise by name."""
    if row["condition_id"] and label["id"]:
        return bool(row["condition_id"] == label["id"])
    return bool(row["condition_name"] == label["name"])


def left(row: dict[str, Any], who: str) -> bool:
    """Whether a classifier named the condition before the search and no longer names it after."""
    before, after = top(row, who, "start"), top(row, who, "end")
    return before is not None and after is not None and is_condition(row, before) and not is_condition(row, after)
