"""The search moves larger sets of top classes apart less."""

from itertools import pairwise

from gevaldi.reproduction.evidence import Evidence, Finding, judge, less, rise


def rise_shrinks_with_size(evidence: Evidence, *, runs: list[str], sizes: list[int]) -> Finding:
    """The mean rise of the set distance over the search falls with n, from each of `sizes` to the next, in every one of `runs`.

    Leaves out failed runs, with a note.
    """
    there = evidence.there(runs)
    measured = {
        f"{run}, rise at n = {fewer} minus rise at n = {more}": evidence.contrast(
            {run: 1.0}, less(rise(f"set_distance_{fewer}"), rise(f"set_distance_{more}"))
        )
        for run in there
        for fewer, more in pairwise(sizes)
    }
    return judge(measured, f"{evidence.rests_on(*there)}{evidence.without(runs)}")
