"""The divergence rises along the search."""

from itertools import pairwise

from gevaldi.reproduction.evidence import Evidence, Finding, along, between, judge, less
from gevaldi.runs.store.schema import Row


def divergence_rises(evidence: Evidence) -> Finding:
    """The mean divergence is larger at the last step than at the start, in every run.

    Also shows the share of steps that rise. Uses the last step and not the best, where a sample ends, because the best cannot lie
    below the start.
    """
    rise = less(along("divergence", -1), along("divergence", 0))
    measured = {f"{run}, last step minus start, nats": evidence.mean(run, rise) for run in evidence.there()}
    beside = {f"{run}, share of steps that rise": evidence.mean(run, between(0.0, 1.0, _rising)) for run in evidence.there()}
    return judge(measured, f"{evidence.rests_on(*evidence.there())}{evidence.without()}", beside)


def _rising(row: Row) -> float | None:
    path = row["path_divergence"]
    return sum(after > before for before, after in pairwise(path)) / (len(path) - 1) if path and len(path) > 1 else None
