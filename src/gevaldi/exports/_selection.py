"""The samples to export and their classes, chosen in a first pass over the rows without pictures."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gevaldi.errors import SpecError, UnknownName
from gevaldi.exports._classes import Classes
from gevaldi.exports._columns import columns_needed, columns_of, flat
from gevaldi.exports._conditions import condition_notes
from gevaldi.exports._filters import passes
from gevaldi.exports._labels import Given, Labelled, labeller
from gevaldi.exports.base import Picture
from gevaldi.images import stored_bytes
from gevaldi.measures.duplicates import in_order
from gevaldi.measures.predictions import is_condition, rank
from gevaldi.measures.predictions import top as top_class
from gevaldi.runs.near_duplicates import deduplicate
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row

STAGES = {"end": ("end",), "start": ("start",), "both": ("start", "end"), "probable": ("probable",)}
LEFT = {
    "failed": "the search failed",
    "unlabelled": "no label",
    "missing": "no most probable disagreement was sought or reached",
}


@dataclass(frozen=True)
class Selection:
    """The samples to export.

    Attributes:
        run: the run.
        stages: the pictures of each sample.
        indices: the indices of the samples, ascending.
        labels: (samples, stages), the index of each picture's class in `classes`.
        classes: all classes.
        notes: the samples left out and the reasons, in sentences.
    """

    run: Run
    stages: tuple[str, ...]
    indices: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def pictures(self) -> int:
        """The number of pictures."""
        return len(self.indices) * len(self.stages)

    def each(self, begun: Callable[[int, int], None] = lambda number, total: None) -> Iterator[Picture]:
        """The pictures one by one, in the order of the run; only a part of the run is in memory.

        `begun` is called with the number of the current sample and the total.
        """
        sizes, number, classes = self.run.spec.set_sizes, 0, Classes(self.run.record)
        kinds = ("picture", "sound") if self.run.rate else ("picture",)
        columns = [*columns_needed(sizes), *(f"{kind}_{stage}" for stage in self.stages for kind in kinds)]
        for table in self.run.tables(columns):
            for row in table.filter(np.isin(table["index"].to_numpy(), self.indices)).to_pylist():
                number += 1
                begun(number, len(self.indices))
                known = flat(dict.fromkeys(columns) | row, sizes, classes)
                labels = self.labels[np.searchsorted(self.indices, row["index"])]
                for stage, label in zip(self.stages, labels, strict=True):
                    png = stored_bytes(row[f"picture_{stage}"], f"The picture of sample {row['index']}")
                    sound = (row.get(f"sound_{stage}") or {}).get("bytes")
                    yield Picture(png, known | {"stage": stage, "label": self.classes[label]}, sound)


@dataclass
class Pass:
    """The result of a first pass over the rows: the candidates, in a few bytes each, and the reasons for leaving others out.

    Attributes:
        index, divergence, asked: for each candidate; `asked` says whether its condition is a class of the classifiers.
        labels: for each of their pictures in turn, the index of its class in `names`.
        readers: for each of their pictures in turn, the number of classifiers whose top class is the condition.
        names: the classes under which pictures are filed.
        left: the number of rows left out, by reason.
        used: all class names in the candidates' rows.
    """

    index: "array[int]" = field(default_factory=lambda: array("q"))
    divergence: "array[float]" = field(default_factory=lambda: array("f"))
    asked: "array[int]" = field(default_factory=lambda: array("b"))
    labels: "array[int]" = field(default_factory=lambda: array("i"))
    readers: "array[int]" = field(default_factory=lambda: array("b"))
    names: dict[str, int] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    used: set[str] = field(default_factory=set)

    def add(self, row: Row, columns: Mapping[str, Any], named: Labelled, stages: Sequence[str]) -> None:
        """Add a row if it can be exported, otherwise count the reason."""
        labels = tuple(name for stage in stages if (name := named(row, stage)) is not None)
        if row["status"] == "failed":
            self.left["failed"] += 1
        elif "probable" in stages and not row["probable_differs"]:
            self.left["missing"] += 1
        elif len(labels) < len(stages):
            self.left["unlabelled"] += 1
        else:
            self.index.append(row["index"])
            self.divergence.append(rank(row["divergence_end"]))
            self.asked.append(bool(row["target_classes"]))
            self.labels.extend(self.names.setdefault(name, len(self.names)) for name in labels)
            answers = [[top_class(row, side, stage) for side in ("first", "second")] for stage in stages]
            self.readers.extend(sum(is_condition(row, answer) for answer in both if answer) for both in answers)
            tops = (columns[f"{side}_{stage}"] for side in ("first", "second") for stage in stages)
            self.used |= {*labels, *(name for name in tops if name is not None)}


def select_samples(
    run: Run,
    pictures: str,
    where: Sequence[str],
    top: int | None,
    samples: Sequence[int] | None,
    label: Given,
    distinct: bool = False,
) -> Selection:
    """The samples that a user selects, with their labels.

    Raises:
        UnknownName, SpecError: an option is unknown or invalid, or no sample is left.
    """
    if pictures not in STAGES:
        raise UnknownName("picture of a sample", pictures, STAGES)
    if top is not None and top < 1:
        raise SpecError(f"top={top} is invalid; expected a number of samples, at least 1.")
    sizes, stages, classes = run.spec.set_sizes, STAGES[pictures], Classes(run.record)
    wanted, labels, first = passes(where, columns_of(sizes)), labeller(label, classes, run), Pass()
    asked = None if samples is None else set(samples)
    for row in run.each([*columns_needed(sizes), "target_classes"]):
        columns = flat(row, sizes, classes)
        if (asked is None or row["index"] in asked) and wanted(columns):
            first.add(row, columns, labels.named, stages)
    _check_indices(run, samples or (), labels.samples)
    return _chosen(run, first, stages, classes, top, label, distinct)


def _check_indices(run: Run, samples: Sequence[int], labelled: Set[int]) -> None:
    done = run.done()
    if unknown := {index for index in labelled if index not in done}:
        some = ", ".join(map(repr, sorted(unknown, key=str)[:3])) + (f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else "")
        raise SpecError(
            f"The labels name samples {some}, which the run in {run.folder} does not have; it has {len(done):,} of {run.total:,} "
            "rows. Do they belong to another run?"
        )
    if missing := sorted({index for index in samples if index not in done}):
        raise SpecError(f"The run in {run.folder} has no samples {missing}; it has {len(done)} of {run.total} rows.")


def _chosen(
    run: Run, first: Pass, stages: tuple[str, ...], classes: Classes, top: int | None, label: Given, distinct: bool
) -> Selection:
    """The selection after the first pass."""
    index, divergence = np.asarray(first.index), np.asarray(first.divergence)
    kept = np.arange(len(index))
    if distinct and len(index):
        kept = np.flatnonzero(np.isin(index, deduplicate(run).without_duplicates(index)))
    alike = len(index) - len(kept)
    smaller = len(kept) - min(len(kept), top) if top is not None else 0
    kept = kept[in_order(divergence[kept])][:top]
    notes = _notes(first.left, alike, smaller)
    if not len(kept):
        raise SpecError(" ".join(["No sample is left to export.", *notes, _advice(first.left, label)]).strip())
    if label == "condition":
        asked = np.asarray(first.asked, dtype=bool)[kept]
        readers = np.asarray(first.readers).reshape(len(index), len(stages))[kept][asked]
        notes = (*notes, *condition_notes(run, readers.ravel(), stages))
    kept = kept[np.argsort(index[kept])]
    known = classes.together_with(first.used)
    place = np.array([known.index(name) for name in first.names], dtype=np.int32)
    labels = place[np.asarray(first.labels).reshape(len(index), len(stages))[kept]]
    return Selection(run, stages, index[kept], labels, known, notes)


def _notes(left: Counter[str], alike: int, smaller: int) -> tuple[str, ...]:
    notes = [f"{_samples(count)} left out: {LEFT[why]}." for why, count in sorted(left.items())]
    notes += [f"{_samples(alike)} left out: near-duplicates of samples with a larger divergence."] if alike else []
    return (*notes, *([f"{_samples(smaller)} with a smaller divergence left out."] if smaller else []))


def _samples(count: int) -> str:
    return f"{count:,} sample{'s' * (count != 1)}"


def _advice(left: Counter[str], label: Given) -> str:
    if left["unlabelled"] and label == "condition":
        return (
            "The generator takes no class. Choose another label: agreed (the class that both named before the search), first or "
            "second (the class that this classifier names), or a CSV file with the columns index and label."
        )
    return "" if left["unlabelled"] or left["failed"] else "No sample passes the filters, or the run has none yet."
