"""Before the search, larger sets of top classes are farther apart."""

from itertools import pairwise
from typing import TYPE_CHECKING

from gevaldi.reproduction.evidence import Evidence, Finding, Quantity, between, column, judge, less
from gevaldi.runs.store.schema import Row
from gevaldi.statistics.intervals import Estimate
from gevaldi.taxonomy import distances

if TYPE_CHECKING:
    import numpy as np


def larger_sets_start_farther(evidence: Evidence, *, runs: list[str], sizes: list[int]) -> Finding:
    """The mean set distance before the search grows with n, from each of `sizes` to the next, in all finished `runs`.

    Much of that is arithmetic, since a set of several classes has a distance to itself; shows that of the first classifier's sets.
    """
    there = evidence.there(runs)
    measured = {
        f"{run}, n = {more} minus n = {fewer}": evidence.mean(
            run, less(column(f"set_distance_{more}_start"), column(f"set_distance_{fewer}_start"))
        )
        for run in there
        for fewer, more in pairwise(sizes)
    }
    beside: dict[str, Estimate] = {}
    for run in there:
        first = evidence.runs[run][0]
        if taxonomy := first.taxonomy():
            matrix = distances(taxonomy, first.record["taxonomy"]["convention"])
            for n in sizes:
                beside |= {
                    f"{run}, n = {n}": evidence.mean(run, column(f"set_distance_{n}_start")),
                    f"{run}, n = {n}, the first's set from itself": evidence.mean(run, _from_itself(matrix, n)),
                }
    return judge(measured, f"{evidence.rests_on(*there)}{evidence.without(runs)}", beside)


def _from_itself(matrix: "np.ndarray", n: int) -> Quantity:
    def value(row: Row) -> float | None:
        labels = [label["label"] for label in (row.get("first_start") or ())[:n]]
        return float(matrix[labels][:, labels].mean()) if len(labels) == n else None

    return between(0.0, float(matrix.max()), value)
