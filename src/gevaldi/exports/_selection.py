"""Which samples are exported, and under which class: a first pass over the rows without their pictures."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any, NamedTuple

from gevaldi.errors import SpecError, UnknownName
from gevaldi.exports._classes import Classes
from gevaldi.exports._columns import columns_of, flat, needed
from gevaldi.exports._filters import passes
from gevaldi.exports._labels import Given, Labelled, labeller
from gevaldi.exports.base import Picture
from gevaldi.measures.predictions import rank
from gevaldi.runs.schema import Row
from gevaldi.runs.store import Run

MOMENTS = {"end": ("end",), "start": ("start",), "both": ("start", "end")}
LEFT = {
    "failed": "the search failed, and there is no picture",
    "unlabelled": "there is no label",
}


@dataclass(frozen=True)
class Selection:
    """What is exported.

    Attributes:
        run: where from.
        moments: which pictures of each sample.
        labels: by the sample's index, the class of each of these pictures.
        classes: all classes that there are; labels are among them.
        notes: what was left out and why, in sentences.
    """

    run: Run
    moments: tuple[str, ...]
    labels: dict[int, tuple[str, ...]]
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return len(self.labels) * len(self.moments)

    def each(self, begun: Callable[[int, int], None] = lambda number, total: None) -> Iterator[Picture]:
        """The pictures one by one, in the order in which the run has them; only a part of the run is in memory.

        `begun` is told how many samples of how many have been reached.
        """
        sizes, number, classes = self.run.spec.set_sizes, 0, Classes(self.run.record)
        for row in self.run.each([*needed(sizes), *(f"picture_{moment}" for moment in self.moments)]):
            if row["index"] not in self.labels:
                continue
            columns, number = flat(row, sizes, classes), number + 1
            begun(number, len(self.labels))
            for moment, label in zip(self.moments, self.labels[row["index"]], strict=True):
                yield Picture(row[f"picture_{moment}"]["bytes"], columns | {"moment": moment, "label": label})


class Found(NamedTuple):
    """What is kept of a row that may be exported."""

    divergence: float | None
    labels: tuple[str, ...]
    asked: bool


@dataclass
class Pass:
    """What a first pass over the rows finds: those that may be exported, and why others may not.

    Attributes:
        found: by index, in the order of the run.
        left: how many were left out, by the reason.
        met: the indices of all rows.
        used: all names of classes that the rows found speak of.
    """

    found: dict[int, Found] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    met: set[int] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def add(self, row: Row, columns: Mapping[str, Any], named: Labelled, moments: Sequence[str]) -> None:
        """Judge a row that the user asked for."""
        labels = tuple(name for moment in moments if (name := named(row, moment)) is not None)
        if row["status"] == "failed":
            self.left["failed"] += 1
        elif len(labels) < len(moments):
            self.left["unlabelled"] += 1
        else:
            self.found[row["index"]] = Found(row["divergence_end"], labels, bool(row["asked_labels"]))
            tops = (columns[f"{who}_{moment}"] for who in ("first", "second") for moment in moments)
            self.used |= {*labels, *(name for name in tops if name is not None)}


def selected(
    run: Run, pictures: str, where: Sequence[str], top: int | None, samples: Sequence[int] | None, label: Given
) -> Selection:
    """The samples that a user asked for, with their labels.

    Raises:
        UnknownName, SpecError: something asked for is not known, or nothing is left.
    """
    if pictures not in MOMENTS:
        raise UnknownName("picture of a sample", pictures, MOMENTS)
    if top is not None and top < 1:
        raise SpecError(f"top={top} was given; at least one sample has to be left.")
    sizes, moments, classes = run.spec.set_sizes, MOMENTS[pictures], Classes(run.record)
    wanted, labels, first = passes(where, columns_of(sizes)), labeller(label, classes), Pass()
    asked = None if samples is None else set(samples)
    for row in run.each([*needed(sizes), "asked_labels"]):
        first.met.add(row["index"])
        columns = flat(row, sizes, classes)
        if (asked is None or row["index"] in asked) and wanted(columns):
            first.add(row, columns, labels.named, moments)
    _check_indices(run, labels.samples - first.met, len(first.met))
    return _chosen(run, first, moments, classes, top, samples, label)


def _check_indices(run: Run, unknown: Set[int], rows: int) -> None:
    if unknown:
        some = ", ".join(map(repr, sorted(unknown, key=str)[:3])) + (f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else "")
        raise SpecError(
            f"The labels speak of samples {some}, but the run in {run.folder} has none of these; it has {rows:,} rows of "
            f"{run.total:,}. Are they of another run?"
        )


def _chosen(
    run: Run,
    first: Pass,
    moments: tuple[str, ...],
    classes: Classes,
    top: int | None,
    samples: Sequence[int] | None,
    label: Given,
) -> Selection:
    """The selection after the first pass."""
    if unknown := sorted(set(samples or ()) - first.met):
        raise SpecError(f"The run in {run.folder} has no samples {unknown}; it has {len(first.met)} of {run.total}.")
    found = first.found
    kept = nlargest(top, found, key=lambda index: rank(found[index].divergence)) if top is not None else list(found)
    notes = _notes(first.left, len(found), len(kept))
    if not kept:
        raise SpecError(" ".join(["Nothing is left to export.", *notes, _advice(first.left, label)]).strip())
    if label == "condition" and not any(found[index].asked for index in kept):
        notes = (*notes, "The conditions are no classes of the classifiers; --label agreed, first or second files by classes.")
    return Selection(run, moments, {index: found[index].labels for index in kept}, classes.together_with(first.used), notes)


def _notes(left: Counter[str], found: int, kept: int) -> tuple[str, ...]:
    notes = [f"{_samples(count)} left out, where {LEFT[why]}." for why, count in sorted(left.items())]
    return (*notes, *([f"{_samples(found - kept)} of smaller divergence left out."] if kept < found else []))


def _samples(count: int) -> str:
    return f"{count:,} sample{'s' * (count != 1)}"


def _advice(left: Counter[str], label: Given) -> str:
    if left["unlabelled"] and label == "condition":
        return (
            "The generator was asked for no class. Give another label: agreed (the class that both named before the search), "
            "first or second (the class that this classifier names), or a CSV file with the columns index and label."
        )
    return "" if left["unlabelled"] or left["failed"] else "No sample passes the filters, or the run has none yet."
