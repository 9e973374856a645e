"""The divergence rises along the search."""

from gevaldi.experiments.evidence import Evidence, Finding, judged, rise
from gevaldi.statistics.intervals import share


def divergence_rises(evidence: Evidence) -> Finding:
    """The mean divergence is larger after the search than before it, in every run; beside it, on which share of samples it is."""
    measured = {f"{run}, rise in nats": evidence.contrast({run: 1.0}, rise("divergence")) for run in evidence.there()}
    rises = [value for run in evidence.there() for values in evidence.values(run, rise("divergence")) for value in values]
    beside = {"share of samples": share(sum(value > 0 for value in rises), len(rises))}
    return judged(measured, evidence.rests_on(*evidence.there()), beside)
