"""What came out of a run, in numbers, for each order."""

import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gevaldi.measures.predictions import differs, is_condition, only, top
from gevaldi.statistics.intervals import Estimate, mean, median, share

SUMMARISED = [
    *("order", "status", "target_classes", "divergence_start", "divergence_end", "delta_z", "typicality_end"),
    *("probable_differs", "typicality_probable", "survives_storage_probable"),
    *("flipped", "shift", "right_start", "right_end", "both_more_confident", "survives_storage"),
    "differ_by_chance",
    *only("label", "first_start", "first_end", "second_start", "second_end"),
]
"""The columns that a summary is made of, beside set distances."""


def columns_of_summary(set_sizes: Sequence[int]) -> list[str]:
    """The columns that a summary is made of, where set distances are followed for these numbers of classes."""
    return SUMMARISED + [f"set_distance_{n}_{stage}" for n in set_sizes for stage in ("start", "end")]


TYPICAL = 0.999  # a latent farther out than this share of the prior is called atypical


@dataclass(frozen=True)
class Summary:
    """One order of a run. Shares are of the samples that did not fail.

    Attributes:
        order: forward or reverse.
        samples, failed, converged: counts of rows.
        distinct: how many samples end with different top classes, near-duplicates (`gevaldi.measures.duplicates`) counted once;
            None where that was not looked for.
        differ_start, differ_end: share with different top classes, before and after the search.
        differ_by_chance: the same as far from the starts as the searches ended, in directions drawn at random; None where rows do
            not say.
        divergence_start, divergence_end: medians, in the divergence's unit.
        delta_z: the median of |z - z_start| / |z|.
        survives_storage: share on which both name the same top classes on the picture stored in 8 bits, by their own pipelines.
        typicality: the median of the share of the prior that lies nearer its centre than the latent after the search, of those of
            which the prior says it; NaN of none.
        probable: share of which a most probable disagreement was reached; None where none was sought.
        typicality_probable: the median typicality of most probable disagreements; None where there is none.
        survives_storage_probable: share of them on which both name the same top classes on the stored picture.
        set_distance_start, set_distance_end: means in levels, by the number of top classes; empty without a hierarchy.
        kinds: how many samples are of each kind (`flipped`, `shift`), as `gevaldi.measures.kinds` tells them.
        passages: how many samples went from one `right_start` to one `right_end`; empty where no class was asked for.
        both_more_confident: share on which both became more confident and right; None where no class was asked for.
        left_first, left_second: of the samples whose condition that classifier named before, the share whose it no longer names
            after; None if there are none, as without conditions or where these are no classes of the classifier.
    """

    order: str
    samples: int
    failed: int
    converged: int
    distinct: int | None
    differ_start: Estimate
    differ_end: Estimate
    differ_by_chance: Estimate | None
    divergence_start: Estimate
    divergence_end: Estimate
    delta_z: Estimate
    survives_storage: Estimate
    typicality: Estimate
    probable: Estimate | None
    typicality_probable: Estimate | None
    survives_storage_probable: Estimate | None
    set_distance_start: dict[int, Estimate]
    set_distance_end: dict[int, Estimate]
    kinds: dict[tuple[str, str | None], int]
    passages: dict[tuple[str, str], int]
    both_more_confident: Estimate | None
    left_first: Estimate | None
    left_second: Estimate | None

    def __repr__(self) -> str:
        differ, divergence = f"{self.differ_start.value:.3g} before, {self.differ_end!r} after", self.divergence_start.value
        return (
            f"<{self.order}: {self.samples} samples, {self.failed} failed; share with different top classes {differ}; "
            f"median divergence {divergence:.3g} before, {self.divergence_end!r} after>"
        )


def summaries(
    rows: Iterable[dict[str, Any]], distinct: Callable[[str], int] | None = None, largest: float = math.inf
) -> list[Summary]:
    """A summary for each order in the rows, forward first; the rows are read once, and a few bytes of each are kept.

    Args:
        rows: with the columns `summarised`.
        distinct: tells how many samples of an order are distinct, where that is known.
        largest: the largest distance of two classes, in levels.
    """
    tallies: dict[str, Tally] = {}
    for row in rows:
        tallies.setdefault(row["order"], Tally()).add(row)
    return [
        tallies[order].summary(order, distinct(order) if distinct else None, largest)
        for order in ("forward", "reverse")
        if order in tallies
    ]


def numbers() -> "array[float]":
    """An empty array of numbers as rows hold them, in four bytes each."""
    return array("f")


@dataclass
class Tally:
    """What a summary needs of the rows of one order: counts, and the numbers whose medians and means are taken."""

    samples: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    passages: Counter[tuple[str, str]] = field(default_factory=Counter)
    values: "defaultdict[str, array[float]]" = field(default_factory=lambda: defaultdict(numbers))
    distances: "defaultdict[tuple[int, str], array[float]]" = field(default_factory=lambda: defaultdict(numbers))

    def add(self, row: dict[str, Any]) -> None:
        """Count a row."""
        self.samples += 1
        if row["status"] == "failed":
            self.counts["failed"] += 1
            return
        self.counts["converged"] += row["status"] == "converged"
        for stage in ("start", "end"):
            self.counts[f"differ_{stage}"] += differs(row, stage)
        for key in ("typicality_end", "typicality_probable"):
            typicality = row.get(key)
            if typicality is not None and not math.isnan(typicality):
                self.values[key].append(typicality)
        self._share("probable", row.get("probable_differs"))
        self._share("survives_storage_probable", row.get("survives_storage_probable"))
        self._share("survives_storage", row["survives_storage"])
        self._share("differ_by_chance", row.get("differ_by_chance"))
        self._share("both_more_confident", row["both_more_confident"])
        for side in ("first", "second"):
            self._share(f"left_{side}", left(row, side))
        for key in ("divergence_start", "divergence_end", "delta_z"):
            self.values[key].append(math.nan if row[key] is None else row[key])
        for n in set_sizes_of(row):
            for stage in ("start", "end"):
                distance = row[f"set_distance_{n}_{stage}"]
                self.distances[n, stage].append(math.nan if distance is None else distance)
        if row["flipped"]:
            self.kinds[row["flipped"], row["shift"]] += 1
        if row["right_end"]:
            self.passages[row["right_start"], row["right_end"]] += 1

    def _share(self, key: str, holds: bool | None) -> None:
        """Count whether something holds, where it is known."""
        if holds is not None:
            self.counts[f"{key} known"] += 1
            self.counts[key] += holds

    def summary(self, order: str, distinct: int | None, largest: float) -> Summary:
        """The rows in numbers."""
        distances = {place: mean(values).within(0.0, largest) for place, values in sorted(self.distances.items())}
        good = self.samples - self.counts["failed"]
        return Summary(
            order=order,
            samples=self.samples,
            failed=self.counts["failed"],
            converged=self.counts["converged"],
            distinct=distinct,
            differ_start=share(self.counts["differ_start"], good),
            differ_end=share(self.counts["differ_end"], good),
            differ_by_chance=self._known("differ_by_chance"),
            divergence_start=median(self.values["divergence_start"]),
            divergence_end=median(self.values["divergence_end"]),
            delta_z=median(self.values["delta_z"]),
            survives_storage=self._known("survives_storage") or share(0, 0),
            typicality=median(self.values["typicality_end"]),
            probable=self._known("probable"),
            typicality_probable=median(probable) if (probable := self.values["typicality_probable"]) else None,
            survives_storage_probable=self._known("survives_storage_probable"),
            set_distance_start={n: found for (n, stage), found in distances.items() if stage == "start"},
            set_distance_end={n: found for (n, stage), found in distances.items() if stage == "end"},
            kinds=dict(self.kinds),
            passages=dict(self.passages),
            both_more_confident=self._known("both_more_confident"),
            left_first=self._known("left_first"),
            left_second=self._known("left_second"),
        )

    def _known(self, key: str) -> Estimate | None:
        known = self.counts[f"{key} known"]
        return share(self.counts[key], known) if known else None


def set_sizes_of(row: dict[str, Any]) -> list[int]:
    """The numbers of top classes of which a row has set distances."""
    return [n for n, column in _set_distances(tuple(row)) if row[column] is not None]


@cache
def _set_distances(columns: tuple[str, ...]) -> list[tuple[int, str]]:
    found = [re.fullmatch(r"set_distance_(\d+)_end", column) for column in columns]
    return sorted((int(match[1]), match[0]) for match in found if match)


def left(row: dict[str, Any], side: str) -> bool | None:
    """Whether a classifier that named the condition before the search no longer names it after; None if it did not before."""
    before, after = top(row, side, "start"), top(row, side, "end")
    return not is_condition(row, after) if before and after and is_condition(row, before) else None
