"""What came out of a run, in numbers, for each order."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gevaldi.measures.predictions import differs, is_condition, top
from gevaldi.statistics.intervals import Estimate, mean, median, share

SUMMARISED = [
    *("order", "status", "asked_labels", "divergence_start", "divergence_end", "delta_z", "typicality_end"),
    *("first_start", "first_end", "second_start", "second_end", "flipped", "shift", "right_start", "right_end", "surer", "held"),
]
"""The columns that a summary is made of, beside set distances."""


def summarised(set_sizes: Sequence[int]) -> list[str]:
    """The columns that a summary is made of, where set distances are followed for these numbers of classes."""
    return SUMMARISED + [f"set_distance_{n}_{moment}" for n in set_sizes for moment in ("start", "end")]


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
        held: share on which both name the same top classes when the picture is stored in 8 bits and read by their own pipelines.
        typical: share inside the region that holds 99.9 % of the prior, of those of which the prior says where they lie.
        set_distance_start, set_distance_end: means in levels, by the number of top classes; empty without a hierarchy.
        kinds: how many samples are of each kind (`flipped`, `shift`), as `gevaldi.measures.kinds` tells them.
        passages: how many samples went from one `right_start` to one `right_end`; empty where no class was asked for.
        surer: share on which both became surer and right; None where no class was asked for.
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
    held: Estimate
    typical: Estimate
    set_distance_start: dict[int, Estimate]
    set_distance_end: dict[int, Estimate]
    kinds: dict[tuple[str, str | None], int]
    passages: dict[tuple[str, str], int]
    surer: Estimate | None
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
    held: bool | None
    typical: bool | None
    set_distances: tuple[tuple[int, float, float], ...]
    kind: tuple[str, str | None] | None
    passage: tuple[str, str] | None
    surer: bool | None
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
        held=row["held"],
        typical=_typical(row["typicality_end"]),
        set_distances=tuple((n, row[f"set_distance_{n}_start"], row[f"set_distance_{n}_end"]) for n in set_sizes_of(row)),
        kind=(row["flipped"], row["shift"]) if row["flipped"] else None,
        passage=(row["right_start"], row["right_end"]) if row["right_end"] else None,
        surer=row["surer"],
        left_first=left(row, "first"),
        left_second=left(row, "second"),
    )


def _typical(typicality: float | None) -> bool | None:
    return None if typicality is None or math.isnan(typicality) else typicality <= TYPICAL


def set_sizes_of(row: dict[str, Any]) -> list[int]:
    """The numbers of top classes of which a row has set distances."""
    found = [re.fullmatch(r"set_distance_(\d+)_end", column) for column, value in row.items() if value is not None]
    return sorted(int(match[1]) for match in found if match)


def _summary(order: str, outcomes: list[Outcome | None]) -> Summary:
    good = [found for found in outcomes if found]
    left_first = [found.left_first for found in good if found.left_first is not None]
    left_second = [found.left_second for found in good if found.left_second is not None]
    distances: dict[int, list[tuple[float, float]]] = {}
    for found in good:
        for n, start, end in found.set_distances:
            distances.setdefault(n, []).append((start, end))
    surer = [found.surer for found in good if found.surer is not None]
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
        held=share(sum(bool(found.held) for found in good), sum(found.held is not None for found in good)),
        typical=share(sum(bool(found.typical) for found in good), sum(found.typical is not None for found in good)),
        set_distance_start={n: mean([start for start, _ in pairs]) for n, pairs in sorted(distances.items())},
        set_distance_end={n: mean([end for _, end in pairs]) for n, pairs in sorted(distances.items())},
        kinds=dict(Counter(found.kind for found in good if found.kind)),
        passages=dict(Counter(found.passage for found in good if found.passage)),
        surer=share(sum(surer), len(surer)) if surer else None,
        left_first=share(sum(left_first), len(left_first)) if left_first else None,
        left_second=share(sum(left_second), len(left_second)) if left_second else None,
    )


def left(row: dict[str, Any], who: str) -> bool | None:
    """Whether a classifier that named the condition before the search no longer names it after; None if it did not before."""
    before, after = top(row, who, "start"), top(row, who, "end")
    return not is_condition(row, after) if before and after and is_condition(row, before) else None
