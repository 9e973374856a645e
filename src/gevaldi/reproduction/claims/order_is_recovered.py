"""The set distance tells which of several classifiers learnt the hierarchy better."""

from itertools import pairwise

from gevaldi.reproduction.evidence import Evidence, Finding, NotTestable, column, judge


def order_is_recovered(evidence: Evidence, *, runs: list[str], by: str) -> Finding:
    """The mean of the column `by` grows from each of `runs` to the next, from the best learner to the worst.

    Skips runs that the experiment does not have.
    """
    known = [run for run in runs if run in evidence.runs or run in evidence.failed]
    if len(known) < 2:
        raise NotTestable("there are no two classifiers of known order here")
    measured = {
        f"{worse} minus {better}": evidence.contrast({worse: 1.0, better: -1.0}, column(by)) for better, worse in pairwise(known)
    }
    return judge(measured, evidence.rests_on(*known), {run: evidence.mean(run, column(by)) for run in known})
