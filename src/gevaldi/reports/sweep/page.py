"""A sweep as one page, one table and a figure for each divergence and λ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gevaldi.figures import HeatMap, heat_maps, saved
from gevaldi.folders import in_path
from gevaldi.measures.sweeps import ALL, DRAWN, END, REAL, Entry, as_csv, exactly
from gevaldi.names import full_name, listed, plain
from gevaldi.reports.environment import environment, written
from gevaldi.reports.sweep.pictures import Source, pictures
from gevaldi.reports.sweep.sentences import answer
from gevaldi.reports.sweep.tables import Matrix, as_table, fitting, matrices

IN_FIGURE = 18  # letters of a name that fit beside a matrix
STAGES = {DRAWN: "generated pictures", REAL: "real pictures", END: "after the search"}


@dataclass(frozen=True)
class About:
    """The description of a sweep.

    Attributes:
        title, question: from the user.
        classifiers: full names by their names in the matrix, in its order.
        generator: its name.
        command: the command that reproduces the sweep.
        failed: for each comparison or classifier that failed, the reason.
        warnings: every distinct warning, with the comparisons that have it.
    """

    title: str
    question: str
    classifiers: Mapping[str, str]
    generator: str
    command: str
    failed: Mapping[str, str]
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """The searches under one divergence and one λ.

    Attributes:
        divergence: as the user named it.
        unit: its unit.
        symmetric: whether it is declared symmetric.
        prior_weight: λ.
        sources: the comparison behind each cell, by row and column.
    """

    divergence: str
    unit: str
    symmetric: bool
    prior_weight: float
    sources: Mapping[tuple[str, str], Source]


def write_sweep(folder: Path, about: About, entries: Sequence[Entry], grids: Sequence[Grid]) -> Path:
    """Write `index.html`, `matrix.csv` and `matrix….png` and `.svg` into the folder of a sweep; returns the page's path.

    Raises:
        RunFolderError: a file cannot be written.
    """
    names = list(about.classifiers)
    written(folder / "matrix.csv", as_csv(entries))
    units = {grid.divergence: grid.unit for grid in grids}
    searched = [_searched(grid, entries, names, len(grids) > 1) for grid in grids]
    for grid, shown in zip(grids, searched, strict=True):
        _figures(folder / shown["figure"], grid, entries, names)
    page = (
        environment()
        .get_template("sweep.html")
        .render(
            title=about.title or f"{len(names)} classifiers, compared in pairs",
            question=about.question,
            names={plain(name): full_name(full) for name, full in about.classifiers.items()},
            generator=full_name(about.generator),
            command=about.command,
            failed={plain(name): plain(why, None) for name, why in about.failed.items()},
            warnings={plain(text, None): plain(listed(names), None) for text, names in about.warnings.items()},
            answer=answer(entries, units, {grid.divergence for grid in grids if grid.symmetric}),
            searched=[shown for shown in searched if shown["tables"]],
            before=[found for stage in (DRAWN, REAL) if (found := _before(entries, names, stage, units))],
            ranking=_ranking(entries, names),
        )
    )
    return written(folder / "index.html", page)


def of(entries: Sequence[Entry], stage: str, divergence: str, prior_weight: float | None) -> list[Entry]:
    """The numbers of one matrix."""
    return [e for e in entries if (e.stage, e.divergence, e.prior_weight) == (stage, divergence, prior_weight)]


def _sought(grid: Grid) -> str:
    """The aim of a cell's search, in a sentence."""
    if grid.symmetric:
        return "The divergence is symmetric, so both cells of a pair show the same search."
    what = "pictures that the row's classifier is sure of and the column's rules out" if grid.divergence == "kl" else "the largest"
    return f"Each cell is a search for {what}, D[row || column]; the cell across the diagonal swaps the two."


def _searched(grid: Grid, entries: Sequence[Entry], names: Sequence[str], several: bool) -> dict[str, Any]:
    own = of(entries, END, grid.divergence, grid.prior_weight)
    stem = f"-{in_path(grid.divergence)}-w{exactly(grid.prior_weight)}" if several else ""
    return {
        "heading": f"{plain(grid.divergence)}, λ = {exactly(grid.prior_weight)}",
        "sought": _sought(grid),
        "figure": f"matrix{stem}",
        "tables": [as_table(found, grid.sources) for found in matrices(own, names, grid.unit)],
        "columns": [plain(name) for name in names],
        "pictures": pictures(names, grid.sources),
        "samples": sorted({e.samples + e.failed for e in own if e.quantity == "divergence"}),
    }


def _before(entries: Sequence[Entry], names: Sequence[str], stage: str, units: Mapping[str, str]) -> dict[str, Any] | None:
    """The matrices before any search: the mean of each divergence, and the quantities that do not depend on it."""
    found = [each for text, unit in units.items() for each in matrices(of(entries, stage, text, None), names, unit)]
    first = [each for each in found if each.divergence == next(iter(units)) and each.quantity != "divergence"]
    shown = [each for each in found if each.quantity == "divergence"] + first
    if not shown:
        return None
    counts = [e.samples + e.failed for e in entries if e.stage == stage and e.quantity == "divergence"]
    return {"heading": STAGES[stage], "pictures": max(counts), "tables": [as_table(each, {}) for each in shown]}


def _ranking(entries: Sequence[Entry], names: Sequence[str]) -> dict[str, Any] | None:
    """How often each classifier was the only wrong one of a pair, most often first; None if no classes are known."""
    wrong = [e for e in entries if e.column == ALL]
    if not wrong:
        return None
    stages = [stage for stage in (REAL, DRAWN) if any(e.stage == stage for e in wrong)]
    known = {(e.row, e.stage): e for e in wrong}
    order = sorted(names, key=lambda name: -known[name, stages[0]].estimate.value if (name, stages[0]) in known else 0)
    return {
        "columns": [STAGES[stage] for stage in stages],
        "rows": [{"name": plain(name), "cells": [known.get((name, stage)) for stage in stages]} for name in order],
    }


def _figures(stem: Path, grid: Grid, entries: Sequence[Entry], names: Sequence[str]) -> None:
    """The heat maps of one divergence and λ: before the search on the left, after it on the right, one quantity a row."""
    by_moment = {
        stage: matrices(of(entries, stage, grid.divergence, grid.prior_weight if stage == END else None), names, grid.unit)
        for stage in STAGES
    }
    there = {stage: {m.quantity: m for m in found} for stage, found in by_moment.items() if found}
    rows = [[_titled(found[q], stage) for stage, found in there.items() if q in found] for q in _quantities(there)]
    if rows:
        drawn = heat_maps(fitting(names, IN_FIGURE), rows)
        for ending in (".png", ".svg"):
            saved(drawn, stem.with_name(stem.name + ending))


def _quantities(there: Mapping[str, Mapping[str, Matrix]]) -> list[str]:
    return list(dict.fromkeys(quantity for found in there.values() for quantity in found if quantity != "row_alone_wrong"))


def _titled(found: Matrix, stage: str) -> HeatMap:
    heat = found.heat()
    return replace(heat, title=f"{heat.title}\n{STAGES[stage]}")
