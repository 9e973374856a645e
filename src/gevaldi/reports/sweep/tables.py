"""The matrices of a sweep as tables for the page and for figures: the text and the colour strength of each cell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gevaldi.figures import HeatMap
from gevaldi.measures.sweeps import ALL, Entry
from gevaldi.names import plain
from gevaldi.reports.environment import link
from gevaldi.reports.sweep.pictures import Source
from gevaldi.statistics.intervals import Estimate

HOTTEST = 45  # percent of the colour in the cell with the largest number; with more, dark pages cannot be read


@dataclass(frozen=True)
class Matrix:
    """One quantity of one matrix, by row and column.

    Attributes:
        quantity: as in `gevaldi.measures.sweeps`.
        names: of rows and columns.
        divergence: as the user named it.
        unit: of the divergence.
        cells: the cells that have a number.
    """

    quantity: str
    names: tuple[str, ...]
    divergence: str
    unit: str
    cells: Mapping[tuple[str, str], Entry]

    @property
    def title(self) -> str:
        """The name and unit of the quantity."""
        kind, _, n = self.quantity.rpartition("_")
        if kind == "set_distance":
            return f"Set distance, n = {n} (levels)"
        return {
            "divergence": f"Mean {plain(self.divergence)} ({plain(self.unit)})",
            "disagreement": "Different top classes",
            "column_alone_wrong": "Only the column's classifier is wrong",
            "row_alone_wrong": "Only the row's classifier is wrong",
        }[self.quantity]

    def words(self, value: float) -> str:
        """A number as text, with the same number of decimals throughout the matrix."""
        if value in (float("inf"), float("-inf")):
            return "∞" if value > 0 else "-∞"
        if value != value:
            return "–"
        return f"{self._rounded(value, small=True)}{'' if self._factor == 1 else ' %'}"

    @cached_property
    def decimals(self) -> int:
        """The number of decimals: what the largest number needs, and one more if small shares or levels would vanish."""
        small = [v for e in self.cells.values() if 0 < (v := self._factor * abs(e.estimate.value)) < math.inf]
        if self.quantity == "divergence":
            most = max(small, default=0.0)
            return 3 if most < 0.9995 else 2 if most < 99.995 else 1
        return 1 + any(v < 0.095 for v in small) if self.is_distance else int(any(v < 9.95 for v in small))

    @property
    def is_distance(self) -> bool:
        """Whether the unit is levels."""
        return self.quantity.startswith("set_distance")

    @property
    def _factor(self) -> int:
        return 1 if self.is_distance or self.quantity == "divergence" else 100

    def _rounded(self, value: float, small: bool = False) -> str:
        """A number with the decimals of the matrix; with `small`, one that rounds to zero is shown as less than a unit."""
        text = f"{self._factor * value:.{self.decimals}f}"
        if float(text):
            return text
        step = f"{10**-self.decimals:.{self.decimals}f}"
        return text.removeprefix("-") if not small or value == 0 else f"< {step}" if value > 0 else f"> -{step}"

    def between(self, estimate: Estimate) -> str:
        """The interval as text; empty if it is not known."""
        return "" if estimate.low != estimate.low else f"{self._rounded(estimate.low)} to {self._rounded(estimate.high)}"

    @property
    def most(self) -> float:
        """The largest finite number, or 0."""
        return max((e.estimate.value for e in self.cells.values() if np.isfinite(e.estimate.value)), default=0.0)

    def heat(self) -> HeatMap:
        """The matrix as a heat map to draw."""
        values = np.full((len(self.names), len(self.names)), np.nan)
        words = [[""] * len(self.names) for _ in self.names]
        for (row, column), entry in self.cells.items():
            i, j = self.names.index(row), self.names.index(column)
            values[i, j], words[i][j] = entry.estimate.value, self.words(entry.estimate.value)
        return HeatMap(self.title, values, words)


def matrices(entries: Sequence[Entry], names: Sequence[str], unit: str) -> list[Matrix]:
    """The quantities on the page, each with its cells; of the set distances, the one with the fewest classes."""
    told = {e.quantity for e in entries if e.column != ALL}
    sizes = sorted(int(q.rpartition("_")[2]) for q in told if q.startswith("set_distance"))
    shown = ["divergence", "disagreement", *(f"set_distance_{n}" for n in sizes[:1]), "column_alone_wrong", "row_alone_wrong"]
    return [
        Matrix(
            quantity, tuple(names), entries[0].divergence, unit, {(e.row, e.column): e for e in entries if e.quantity == quantity}
        )
        for quantity in shown
        if quantity in told
    ]


def fitting(names: Sequence[str], room: int) -> list[str]:
    """Names in at most `room` letters; longer ones lose their common prefix."""
    if max(map(len, names)) <= room:
        return [plain(name, room) for name in names]
    alike = next((i for i, letters in enumerate(zip(*names, strict=False)) if len({*letters}) > 1), min(map(len, names)))
    shared = 1 + max(names[0][:alike].rfind(separator) for separator in "-_.:/, ")
    return [plain(f"…{name[shared:]}" if shared else name, room) for name in names]


def as_table(found: Matrix, sources: Mapping[tuple[str, str], Source]) -> dict[str, Any]:
    """A matrix for the page; each cell links to the report of its comparison."""
    return {
        "title": found.title,
        "columns": [plain(name) for name in found.names],
        "rows": [
            {"name": plain(row), "cells": [_cell(found, row, column, sources) for column in found.names]} for row in found.names
        ],
    }


def _cell(found: Matrix, row: str, column: str, sources: Mapping[tuple[str, str], Source]) -> dict[str, Any] | None:
    entry = found.cells.get((row, column))
    if row == column or entry is None:
        return None if row == column else {"words": "–", "between": "", "heat": 0, "failed": 0, "address": None}
    value = entry.estimate.value
    heat = (
        HOTTEST if value == float("inf") else round(HOTTEST * max(0.0, value) / found.most) if found.most and value == value else 0
    )
    source = sources.get((row, column))
    return {
        "words": found.words(value),
        "between": found.between(entry.estimate),
        "heat": heat,
        "failed": entry.failed,
        "address": link(f"{source.run.folder.name}/report.html") if source else None,
    }
