"""The near-duplicates of a run: reads its latents part by part, and compares one group at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.measures.duplicates import REACH, Deduplicated, in_order, leaders
from gevaldi.measures.limits import limits_of
from gevaldi.measures.predictions import only
from gevaldi.measures.summary import Summary, columns_of_summary, summaries
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import schema

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("index", "order", "status", "condition", "divergence_end", *only("label", "first_end", "second_end"), "z_start")
BUDGET = 8_000_000  # bytes of latents in memory at once, unless a single group needs more
NUMBERS = 128  # most numbers of a latent to compare


def summary_of(run: Run, deduplicated: Deduplicated | None = None) -> list[Summary]:
    """The results of a run in numbers, for each order; pass the run's `deduplicated` if they are known already."""
    _, largest = limits_of(run.record, "set_distance")
    return summaries(run.each(columns_of_summary(run.spec.set_sizes)), (deduplicated or deduplicate(run)).distinct_of, largest)


def deduplicate(run: Run) -> Deduplicated:
    """Which samples of a run are distinct, and which sample each of the others duplicates.

    Latents of more than 128 numbers are compared by 128 sums with random signs, which estimate a distance to 6 %. Holds some bytes
    of each sample in memory, and rereads the latents after the search as often as needed to hold only a few at once.
    """
    samples = _Samples(run.total)
    for table in run.tables(COLUMNS):
        samples.add(table)
    like = np.where(samples.there, np.arange(run.total), -1)
    for members, sizes in _batches(samples):
        place = np.full(run.total, -1, np.int32)
        place[members] = np.arange(len(members))
        latents = np.full((len(members), min(samples.size, NUMBERS)), np.nan, np.float32)
        for table in run.tables(["index", "z_end"]):
            _put(table, place, latents)
        end = np.cumsum(sizes)
        for begin, upto in zip(end - sizes, end, strict=True):
            group = members[begin:upto]
            like[group] = group[leaders(latents[begin:upto], REACH * samples.typical_distance)]
    return Deduplicated(like, samples.first, samples.second, samples.divergence, samples.reverse)


@dataclass
class _Samples:
    """A few values of each sample, by its index, and the sums that give the typical distance between starts."""

    total: int
    starts: int = 0
    sums: np.ndarray = field(default_factory=lambda: np.zeros(0))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.there, self.reverse = np.zeros(self.total, bool), np.zeros(self.total, bool)
        self.first, self.second, self.condition = (np.full(self.total, -1, np.int32) for _ in range(3))
        self.divergence = np.full(self.total, np.nan, np.float32)

    @property
    def size(self) -> int:
        """The number of values in a latent."""
        return len(self.sums)

    @property
    def typical_distance(self) -> float:
        """The root of the mean square of the distance between two starts."""
        if not self.starts:
            return 0.0
        variance = self.squares / self.starts - (self.sums / self.starts) ** 2
        return float(np.sqrt(2 * np.maximum(variance, 0).sum()))

    def add(self, table: "pa.Table") -> None:
        """Add samples."""
        import pyarrow.compute as pc

        first, second = (_tops(table, name) for name in ("first_end", "second_end"))
        good = (first >= 0) & (second >= 0) & ~_equal(table, "status", "failed")
        index = table["index"].to_numpy()[good]
        self.there[index], self.first[index], self.second[index] = True, first[good], second[good]
        self.reverse[index] = _equal(table, "order", "reverse")[good]
        self.condition[index] = pc.fill_null(_column(table, "condition"), -1).to_numpy()[good]
        self.divergence[index] = pc.fill_null(_column(table, "divergence_end"), float("nan")).to_numpy()[good]
        _, starts = _latents(table, "z_start")
        if len(starts):
            if not self.starts:
                self.sums, self.squares = np.zeros((2, starts.shape[1]))
            self.starts += len(starts)
            self.sums += starts.sum(0, dtype=float)
            self.squares += np.square(starts, dtype=float).sum(0)


def _batches(samples: _Samples) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of groups within the memory budget: samples by group and then by divergence, and the sizes of the groups."""
    index = np.flatnonzero(samples.there)
    key = np.zeros(len(index), int)
    for words in (samples.condition, samples.first, samples.second):
        key = np.unique(key * (int(words.max()) + 2) + words[index] + 1, return_inverse=True)[1]
    _, group, sizes = np.unique(key, return_inverse=True, return_counts=True)
    index, group = (values[sizes[group] > 1] for values in (index, group))
    index, group = (values[in_order(samples.divergence[index])] for values in (index, group))
    index, sizes = index[np.argsort(group, kind="stable")], sizes[sizes > 1]
    end = np.cumsum(sizes)
    batch = (end - sizes) // max(1, BUDGET // (4 * max(1, min(samples.size, NUMBERS))))
    for number in np.unique(batch):
        own = np.flatnonzero(batch == number)
        yield index[end[own[0]] - sizes[own[0]] : end[own[-1]]], sizes[own]


def _put(table: "pa.Table", place: np.ndarray, latents: np.ndarray) -> None:
    """Copy the latents of a table's samples to their places in the batch."""
    rows, values = _latents(table, "z_end")
    places = place[table["index"].to_numpy()[rows]]
    if (places >= 0).any():
        latents[places[places >= 0]] = _fewer(values[places >= 0])


def _latents(table: "pa.Table", column: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows that have a latent, and their latents as an array (rows, numbers)."""
    import pyarrow.compute as pc

    values = _column(table, column)
    rows = np.flatnonzero(pc.fill_null(pc.list_value_length(values), 0).to_numpy())
    return rows, pc.list_flatten(values).to_numpy().reshape(len(rows), -1) if len(rows) else np.zeros((0, 0), np.float32)


def _column(table: "pa.Table", name: str) -> Any:
    """A column; nulls if a part lacks it."""
    import pyarrow as pa

    return table[name] if name in table.column_names else pa.nulls(len(table), schema().field(name).type)


def _fewer(latents: np.ndarray) -> np.ndarray:
    """At most 128 numbers of each, with about the same distances [Charikar, Chen and Farach-Colton 2002]."""
    size = latents.shape[1]
    if size <= NUMBERS:
        return latents
    random = np.random.default_rng(size)
    signs, order = random.choice(np.array([-1, 1], np.float32), size), random.permutation(size)
    return np.add.reduceat((latents * signs)[:, order], np.linspace(0, size, NUMBERS, endpoint=False).astype(int), axis=1)


def _tops(table: "pa.Table", column: str) -> np.ndarray:
    """The label of the most probable class in each row, or -1."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(_column(table, column)), 0).to_numpy()
    labels = pc.struct_field(pc.list_flatten(_column(table, column)), "label").to_numpy()
    tops = np.full(len(lengths), -1, np.int32)
    tops[lengths > 0] = labels[(np.cumsum(lengths) - lengths)[lengths > 0]]
    return tops


def _equal(table: "pa.Table", column: str, value: str) -> np.ndarray:
    import pyarrow.compute as pc

    equal: np.ndarray = pc.fill_null(pc.equal(_column(table, column), value), False).to_numpy()
    return equal
