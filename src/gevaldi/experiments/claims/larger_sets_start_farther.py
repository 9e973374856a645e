"""Before the search, larger sets of top classes are farther apart."""

from itertools import pairwise

from gevaldi.experiments.evidence import Evidence, Finding, column, judged, less


def larger_sets_start_farther(evidence: Evidence, *, runs: list[str], sizes: list[int]) -> Finding:
    """The mean set distance before the search grows with n, from each of `sizes` to the next, in every one of `runs`."""
    measured = {
        f"{run}, n = {more} less n = {fewer}": evidence.contrast(
            {run: 1.0}, less(column(f"set_distance_{more}_start"), column(f"set_distance_{fewer}_start"))
        )
        for run in runs
        for fewer, more in pairwise(sizes)
    }
    return judged(measured, evidence.rests_on(*runs))
