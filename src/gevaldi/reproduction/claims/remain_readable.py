"""The pictures after the search still show the requested class."""

from gevaldi.reproduction.evidence import Evidence, Finding, between, verdict
from gevaldi.reproduction.referee import PART, read


def remain_readable(evidence: Evidence, *, run: str, more_than: float) -> Finding:
    """A third classifier, the part `referee`, reads the requested class on more than this share of pictures after the search.

    Also shows the share before the search, and the difference.
    """
    before, after = read(evidence, run, "start"), read(evidence, run, "end")
    share = evidence.share(run, lambda row: after[id(row)].shows_condition)
    measured = {
        "read as the requested class, after": share,
        "before": evidence.share(run, lambda row: before[id(row)].shows_condition),
        "after minus before": evidence.mean(
            run, between(-1.0, 1.0, lambda row: _less(after[id(row)].shows_condition, before[id(row)].shows_condition))
        ),
    }
    rests_on = f"{evidence.rests_on(run)}; read by {evidence.models[PART].partition(',')[0]}; it holds above {more_than:g}"
    return Finding(verdict(share.low > more_than, share.high < more_than), measured, rests_on)


def _less(after: bool | None, before: bool | None) -> float | None:
    return None if after is None or before is None else float(after) - float(before)
