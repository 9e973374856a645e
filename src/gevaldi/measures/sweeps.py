"""What N classifiers say of one another: cells of a matrix, each a classifier (row) against another (column), and who fails."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gevaldi import tables
from gevaldi.measures.predictions import differs
from gevaldi.measures.summary import set_sizes_of
from gevaldi.statistics.intervals import Estimate, mean, share

DRAWN, REAL, END = "drawn", "real", "end"
"""Stages: pictures drawn from the generator, unsearched; real ones; those at the ends of the searches."""

ALL = ""  # stands in the column of an entry that is about a classifier against all others

QUANTITIES = {
    "divergence": "mean D[row || column], in the divergence's unit",
    "disagreement": "share with different top classes",
    "row_alone_wrong": "share on which the column's classifier names the class asked for and the row's does not",
    "column_alone_wrong": "share on which the row's classifier names the class asked for and the column's does not",
    "alone_wrong": "of all pairs of a classifier: how often it was the wrong one of the two",
}
"""What is told of cells, beside `set_distance_n`, the mean set distance of the n most probable classes in levels."""

HEAD = (
    *("divergence", "prior_weight", "stage", "row", "column", "quantity"),
    *("value", "low", "high", "samples", "failed"),
)


@dataclass(frozen=True)
class PairPredictions:
    """What two classifiers say of pictures, in arrays over those that did not fail.

    Attributes:
        starts: which picture it is, so that what several pairs say of one is not taken for independent.
        divergence: D[row || column].
        differ: whether the top classes differ.
        set_distances: in levels, by the number of top classes.
        right: for each picture of which it can be said, by its start: whether the row's and the column's classifier name the class
            that was asked for.
        failed: how many pictures are left out, because a classifier gave no numbers.
        again: whether these are the pictures of the cell across the diagonal, which count once where both are looked at together.
        largest: the largest distance of two classes, in levels.
    """

    starts: Sequence[int]
    divergence: np.ndarray
    differ: np.ndarray
    set_distances: Mapping[int, np.ndarray] = field(default_factory=dict)
    right: Mapping[int, tuple[bool, bool]] = field(default_factory=dict)
    failed: int = 0
    again: bool = False
    largest: float = math.inf

    def transposed(self, divergence: np.ndarray | None = None) -> "PairPredictions":
        """The cell across the diagonal on the same pictures, with its own divergence, or the same where that is symmetric."""
        right = {start: (column, row) for start, (row, column) in self.right.items()}
        found = self.divergence if divergence is None else divergence
        return PairPredictions(self.starts, found, self.differ, self.set_distances, right, self.failed, True, self.largest)


@dataclass(frozen=True)
class Entry:
    """A number of a matrix.

    Attributes:
        divergence: as the user named it.
        prior_weight: λ of the search; None where nothing was searched.
        stage: drawn, real or end.
        row, column: classifiers; the column is empty where it is about the row's against all others.
        quantity: one of `QUANTITIES`, or set_distance_n.
        estimate: the number with its interval of 95 %.
        samples: on how many pictures it rests.
        failed: how many more there would be, had they not failed.
    """

    divergence: str
    prior_weight: float | None
    stage: str
    row: str
    column: str
    quantity: str
    estimate: Estimate
    samples: int
    failed: int = 0


def seen_in(rows: Iterable[dict[str, Any]], order: str, row_is: str, largest: float = math.inf) -> PairPredictions:
    """The rows of one order of a run, with the first or the second classifier as the row's.

    Raised was the divergence from the first in the forward order, and from the second in the reverse; of another classifier as
    the row's, the pictures are those of the cell across the diagonal.
    """
    starts, divergence, differ, failed = [], [], [], 0
    distances: dict[int, list[float]] = {}
    right: dict[int, tuple[bool, bool]] = {}
    other = "second" if row_is == "first" else "first"
    for row in rows:  # one by one, since they may be more than fit in memory
        if row["order"] != order:
            continue
        if row["status"] == "failed":
            failed += 1
            continue
        starts.append(row["seed"])
        divergence.append(row["divergence_end"])
        differ.append(differs(row, "end"))
        for n in set_sizes_of(row):
            distances.setdefault(n, []).append(row[f"set_distance_{n}_end"])
        if row["right_end"]:
            right[row["seed"]] = row["right_end"] in (row_is, "both"), row["right_end"] in (other, "both")
    return PairPredictions(
        starts,
        np.array(divergence, dtype=float),
        np.array(differ, dtype=bool),
        {n: np.array(values) for n, values in sorted(distances.items())},
        right,
        failed,
        again=(order == "forward") != (row_is == "first"),
        largest=largest,
    )


def columns(set_sizes: Sequence[int]) -> list[str]:
    """The columns of rows that `seen_in` looks at."""
    distances = [f"set_distance_{n}_end" for n in set_sizes]
    return ["seed", "order", "status", "divergence_end", "first_end", "second_end", "right_end", *distances]


Cells = Mapping[tuple[str, str], PairPredictions]
"""What was seen of each cell, by the names of the row's and the column's classifier."""


def entries(
    cells: Cells, divergence: str, prior_weight: float | None, stage: str, limits: tuple[float, float] = (0.0, math.inf)
) -> list[Entry]:
    """All numbers of a matrix: those of the cells, and, before a search, for each classifier how often it was the wrong one of two.

    After one, that would depend on how sure of itself each is.

    The `limits` are those of the divergence, beyond which no mean can be, nor an interval reach.
    """
    found = [
        Entry(
            divergence,
            prior_weight,
            stage,
            row,
            column,
            quantity,
            _possible(quantity, estimate, limits, seen),
            samples,
            seen.failed,
        )
        for (row, column), seen in cells.items()
        for quantity, (estimate, samples) in _numbers(seen).items()
    ]
    for name in dict.fromkeys(name for pair in cells for name in pair) if stage != END else ():
        wrong = _alone_wrong(cells, name)
        if wrong:
            failed = sum(seen.failed for pair, seen in cells.items() if name in pair and not seen.again)
            found.append(Entry(divergence, prior_weight, stage, name, ALL, "alone_wrong", *_over_starts(wrong), failed))
    return found


def _possible(quantity: str, estimate: Estimate, limits: tuple[float, float], seen: PairPredictions) -> Estimate:
    """The same within what its quantity can be: Student's interval knows no bounds, and rounding leaves them a little."""
    if quantity == "divergence":
        return estimate.within(*limits)
    return estimate.within(0.0, seen.largest) if quantity.startswith("set_distance") else estimate


def _numbers(seen: PairPredictions) -> dict[str, tuple[Estimate, int]]:
    count, judged = len(seen.divergence), len(seen.right)
    found = {
        "divergence": (mean_of(seen.divergence), count),
        "disagreement": (share(int(seen.differ.sum()), count), count),
    }
    found |= {f"set_distance_{n}": (mean_of(values), count) for n, values in sorted(seen.set_distances.items())}
    if judged:
        alone = [sum(one != other and one is wrong for one, other in seen.right.values()) for wrong in (False, True)]
        found["row_alone_wrong"] = share(alone[0], judged), judged
        found["column_alone_wrong"] = share(alone[1], judged), judged
    return found


def mean_of(values: np.ndarray) -> Estimate:
    """The mean with its interval; where a divergence is infinite on a picture, so is its mean, without an interval."""
    if len(values) and not np.isfinite(values).all():
        return Estimate(float(values.mean()), float("nan"), float("nan"))
    return mean(values.tolist())


def _alone_wrong(cells: Cells, name: str) -> dict[int, list[bool]]:
    """For each start, over all cells of a classifier: whether it was the wrong one of the two."""
    found: dict[int, list[bool]] = {}
    for (row, column), seen in cells.items():
        if name in (row, column) and not seen.again:
            for start, (one, other) in seen.right.items():
                own, others = (one, other) if name == row else (other, one)
                found.setdefault(start, []).append(others and not own)
    return found


def _over_starts(found: Mapping[int, Sequence[bool]]) -> tuple[Estimate, int]:
    """A share and on how many pictures it rests, with an interval over starts: pairs that look at the same are not independent."""
    each = [sum(wrong) / len(wrong) for wrong in found.values()]
    pictures = sum(map(len, found.values()))
    if all(value in (0, 1) for value in each):
        return share(int(sum(each)), len(each)), pictures
    estimate = mean(each)
    return replace(estimate, low=max(0.0, estimate.low), high=min(1.0, estimate.high)), pictures


def exactly(weight: float) -> str:
    """λ so that no two are written alike."""
    return repr(float(weight)).removesuffix(".0")


def as_csv(found: Sequence[Entry]) -> str:
    """All entries as a table in the long form, a number a line."""
    return tables.as_csv(HEAD, map(_as_row, found))


def _as_row(e: Entry) -> list[Any]:
    numbers = (e.estimate.value, e.estimate.low, e.estimate.high)
    weight = "" if e.prior_weight is None else exactly(e.prior_weight)
    told = [e.divergence, weight, e.stage, e.row, e.column, e.quantity]
    return [*told, *("" if n != n else f"{n:.6g}" for n in numbers), e.samples, e.failed]
