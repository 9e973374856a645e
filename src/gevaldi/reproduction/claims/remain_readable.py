"""The pictures after the search still show what they were meant to show."""

from gevaldi.reproduction.evidence import Evidence, Finding, verdict
from gevaldi.reproduction.referee import PART, read


def remain_readable(evidence: Evidence, *, run: str, more_than: float) -> Finding:
    """A third classifier, the part `referee`, names the class asked for on more than this share of pictures after the search.

    How many it names before stands beside, and by how much the share falls.
    """
    before, after = read(evidence, run, "start"), read(evidence, run, "end")
    found = evidence.share(run, lambda row: after[id(row)].asked)
    measured = {
        "read as the class asked for, after": found,
        "before": evidence.share(run, lambda row: before[id(row)].asked),
        "after less before": evidence.mean(run, lambda row: _less(after[id(row)].asked, before[id(row)].asked)),
    }
    said = f"{evidence.rests_on(run)}; read by {evidence.models[PART].partition(',')[0]}; it holds above {more_than:g}"
    return Finding(verdict(found.low > more_than, found.high < more_than), measured, said)


def _less(after: bool | None, before: bool | None) -> float | None:
    return None if after is None or before is None else float(after) - float(before)
