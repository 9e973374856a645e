"""The set distance tells which of several classifiers learnt the hierarchy better."""

from itertools import pairwise

from gevaldi.experiments.evidence import Evidence, Finding, column, judged


def order_is_told(evidence: Evidence, *, runs: list[str], by: str) -> Finding:
    """The mean of the column `by` grows from each of `runs` to the next: from who learnt it best to who learnt it worst."""
    measured = {
        f"{worse} less {better}": evidence.contrast({worse: 1.0, better: -1.0}, column(by)) for better, worse in pairwise(runs)
    }
    return judged(measured, evidence.rests_on(*runs), {run: evidence.contrast({run: 1.0}, column(by)) for run in runs})
