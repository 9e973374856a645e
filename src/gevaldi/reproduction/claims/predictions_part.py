"""After the search the top classes of the two differ more often than before it."""

from functools import partial

from gevaldi.measures.predictions import differs
from gevaldi.reproduction.evidence import Evidence, Finding, between, judge
from gevaldi.runs.store.schema import Row

STAGES = {"start": "before", "end": "after"}


def predictions_part(evidence: Evidence, *, run: str) -> Finding:
    """The share of samples with different top classes is larger after the search than before it."""
    more = evidence.mean(run, between(-1.0, 1.0, _more))
    shares = {f"share {when}": evidence.share(run, partial(differs, stage=stage)) for stage, when in STAGES.items()}
    return judge({"share after minus share before": more}, evidence.rests_on(run), shares)


def _more(row: Row) -> float:
    return float(differs(row, "end")) - float(differs(row, "start"))
