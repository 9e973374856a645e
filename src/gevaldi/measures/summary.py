"""What came out of a run, in numbers, for each order."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.measures.records import records
from gevaldi.statistics.intervals import Estimate, median, share

if TYPE_CHECKING:
    import pandas as pd

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


def summaries(rows: "pd.DataFrame") -> list[Summary]:
    """A summary for each order in the rows, forward first."""
    return [_summary(order, rows[rows["order"] == order]) for order in ("forward", "reverse") if (rows["order"] == order).any()]


def _summary(order: str, rows: "pd.DataFrame") -> Summary:
    good = records(rows[rows["status"] != "failed"])
    count = len(good)
    asked = [row for row in good if row["condition_name"] is not None]
    return Summary(
        order=order,
        samples=len(rows),
        failed=len(rows) - count,
        converged=sum(row["status"] == "converged" for row in good),
        differ_start=share(sum(differs(row, "start") for row in good), count),
        differ_end=share(sum(differs(row, "end") for row in good), count),
        divergence_start=median([row["divergence_start"] for row in good]),
        divergence_end=median([row["divergence_end"] for row in good]),
        delta_z=median([row["delta_z"] for row in good]),
        typical=share(sum(row["typicality_end"] <= TYPICAL for row in good), count),
        left_first=share(sum(left(row, "first") for row in asked), len(asked)) if asked else None,
        left_second=share(sum(left(row, "second") for row in asked), len(asked)) if asked else None,
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
