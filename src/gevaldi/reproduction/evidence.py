"""The evidence of an experiment's runs for a claim: estimates with intervals, and a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import Any, Literal

from gevaldi.measures.limits import Limits, limits_of
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row
from gevaldi.statistics.contrasts import contrast
from gevaldi.statistics.intervals import NORMAL, Estimate, share

Verdict = Literal["holds", "does not hold", "undecided", "seen", "not seen", "not tested"]

Number = Callable[[Row], float | None]


@dataclass(frozen=True)
class Quantity:
    """A number of a sample.

    Attributes:
        of: the number of a row; None if it has none.
        limits: the least and the largest value that it can have in a run with this record.
    """

    of: Number
    limits: Callable[[Mapping[str, Any]], Limits]

    def __call__(self, row: Row) -> float | None:
        """The number of a row."""
        return self.of(row)


def between(low: float, high: float, number: Number) -> Quantity:
    """A number that lies between two bounds in every run."""
    return Quantity(number, lambda record: (low, high))


UNREAD = ("picture_original", "path_pictures", "z_start", "z_end")
"""Large columns that no claim uses."""


NEARLY_ALL = 3.090232306167813  # the 0.999 quantile of the normal distribution


class NotTestable(Exception):
    """These runs cannot test a claim; the message says why."""


@dataclass(frozen=True)
class Finding:
    """The result of testing a claim in one world.

    Attributes:
        verdict: holds, does not hold, undecided (the interval allows both), or not tested; for a claim that something occurs, seen
            or not seen.
        measured: the estimates, by short descriptions.
        rests_on: the data behind the verdict, or why the claim was not tested.
    """

    verdict: Verdict
    measured: dict[str, Estimate] = field(default_factory=dict)
    rests_on: str = ""


@dataclass(frozen=True)
class Evidence:
    """The finished runs of one experiment.

    Attributes:
        runs: the runs by name, each with its replicates.
        failed: why other runs failed, by name.
        models: the models by part.
        more: above 1, the starts are the first of so many times as many in the full set, and intervals reach as far as its own may.
    """

    runs: Mapping[str, Sequence[Run]]
    failed: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    more: float = 1.0

    @cached_property
    def _rows(self) -> dict[str, list[list[Row]]]:
        return {name: [[*_read(run)] for run in replicates] for name, replicates in self.runs.items()}

    def there(self, requested: Sequence[str] | None = None) -> list[str]:
        """The finished runs, among all or the requested ones.

        Raises:
            NotTestable: none is finished.
        """
        names = [*self.runs, *self.failed] if requested is None else requested
        if not any(name in self.runs for name in names):
            raise NotTestable(_failed([name for name in names if name in self.failed]) or "there are no runs here")
        return [name for name in names if name in self.runs]

    def rows(self, name: str) -> list[list[Row]]:
        """The samples of a run that did not fail, for each of its replicates.

        Raises:
            NotTestable: the run failed, or has no samples.
        """
        if name not in self.runs:
            raise NotTestable(_failed([name]) if name in self.failed else f"there is no run {name!r} here")
        if not all(self._rows[name]):
            raise NotTestable(f"no sample of the run {name!r} finished")
        return self._rows[name]

    def values(self, name: str, quantity: Quantity) -> list[list[float]]:
        """A number of each start, for each replicate of a run; the mean over both orders if a start was searched in both.

        Raises:
            NotTestable: no sample has the number.
        """
        values = [_by_start(rows, quantity) for rows in self.rows(name)]
        if not all(values):
            raise NotTestable(f"the samples of the run {name!r} lack the required values")
        return values

    def mean(self, name: str, quantity: Quantity) -> Estimate:
        """The mean of a quantity over one run.

        Raises:
            NotTestable: the run is missing, or no sample has the quantity.
        """
        return self.contrast({name: 1.0}, quantity)

    def share(self, name: str, holds: Callable[[Row], bool | None]) -> Estimate:
        """The share of a run's samples for which something holds, leaving out samples for which it is unknown.

        Raises:
            NotTestable: the run is missing, or it is unknown for all samples.
        """

        def counted(row: Row) -> float | None:
            result = holds(row)
            return None if result is None else float(result)

        values = self.values(name, between(0.0, 1.0, counted))
        whole = [value for replicate in values for value in replicate]
        if len(values) < 3 and all(value in (0, 1) for value in whole):
            reach = NORMAL / sqrt(self.more) + NEARLY_ALL * sqrt(1 - 1 / self.more)
            return share(int(sum(whole)), len(whole), reach)
        return self.mean(name, between(0.0, 1.0, counted))

    def contrast(self, weights: Mapping[str, float], quantity: Quantity) -> Estimate:
        """The weighted sum of a quantity's means over runs, with an interval from their replicates or samples.

        Raises:
            NotTestable: a run is missing.
        """
        found = contrast([*weights.values()], [self.values(name, quantity) for name in weights], self.more)
        ends = [sorted(w * end for end in quantity.limits(self.runs[name][0].record)) for name, w in weights.items()]
        return found.within(*map(sum, zip(*ends, strict=True)))

    def without(self, requested: Sequence[str] | None = None) -> str:
        """A note on failed runs, among all or the requested ones."""
        lost = [name for name in (self.failed if requested is None else requested) if name not in self.runs]
        return f"; without {' and '.join(lost)}, which failed" if lost else ""

    def rests_on(self, *names: str) -> str:
        """The number of starts and replicates behind a finding, in words."""
        starts = sum(len({row["seed"] for row in rows}) for name in names for rows in self.rows(name))
        replicates = len(self.rows(names[0]))
        if replicates < 3:
            return f"{starts} starts; for these networks only"
        return f"networks of {replicates} seeds, {starts} starts; intervals over the seeds"


def _failed(names: Sequence[str]) -> str:
    return f"the run{'s' * (len(names) > 1)} {' and '.join(names)} failed" if names else ""


def _by_start(rows: Sequence[Row], quantity: Quantity) -> list[float]:
    known: dict[int, list[float]] = {}
    for row in rows:
        value = quantity(row)
        if value is not None and value == value:
            known.setdefault(row["seed"], []).append(value)
    return [sum(values) / len(values) for values in known.values()]


def column(name: str) -> Quantity:
    """The number in a column."""
    return Quantity(lambda row: row.get(name), lambda record: limits_of(record, name))


def along(name: str, step: int) -> Quantity:
    """A path's value at a step, or at its last step if it ended before; -1 for the last."""

    def value(row: Row) -> float | None:
        path = row.get(f"path_{name}")
        return float(path[step if step < 0 else min(step, len(path) - 1)]) if path else None

    return Quantity(value, lambda record: limits_of(record, name))


def rise(name: str) -> Quantity:
    """The change over a search: the column NAME_end minus the column NAME_start."""
    return less(column(f"{name}_end"), column(f"{name}_start"))


def less(one: Quantity, other: Quantity) -> Quantity:
    """The difference of two quantities of the same sample."""

    def value(row: Row) -> float | None:
        a, b = one(row), other(row)
        return None if a is None or b is None else a - b

    def limits(record: Mapping[str, Any]) -> Limits:
        (least, most), (least_b, most_b) = one.limits(record), other.limits(record)
        return least - most_b, most - least_b

    return Quantity(value, limits)


def judge(measured: dict[str, Estimate], rests_on: str, beside: dict[str, Estimate] | None = None) -> Finding:
    """Judge a claim that all estimates are positive: it holds if every interval is positive, and does not if one is negative.

    Estimates in `beside` are shown but not judged.
    """
    shown = measured | (beside or {})
    if any(e.low != e.low for e in measured.values()):
        return Finding("undecided", shown, f"{rests_on}; too few for an interval")
    holds, fails = all(e.low > 0 for e in measured.values()), any(e.high < 0 for e in measured.values())
    return Finding(verdict(holds, fails), shown, rests_on)


def verdict(holds: bool, fails: bool) -> Verdict:
    """The verdict in words; undecided if neither."""
    return "holds" if holds else "does not hold" if fails else "undecided"


def _read(run: Run) -> list[Row]:
    from gevaldi.runs.store.schema import schema

    wanted: list[Any] = [name for name in schema(run.spec.set_sizes).names if name not in UNREAD]
    return [row for row in run.each(wanted) if row["status"] != "failed"]
