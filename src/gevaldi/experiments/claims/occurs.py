"""A kind of failure occurs among the samples."""

from collections.abc import Callable

from gevaldi.errors import SpecError, UnknownName
from gevaldi.experiments.evidence import Evidence, Finding, NotTestable
from gevaldi.runs.schema import Row
from gevaldi.statistics.intervals import share

KINDS: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "same-level": ("flips at the same level", lambda row: row["shift"] == "same level"),
    "lateral": ("lateral flips", lambda row: row["shift"] == "lateral"),
    "surer": ("both surer and right", lambda row: bool(row["surer"])),
    "one-fails": (
        "both right before, only one after",
        lambda row: row["right_start"] == "both" and row["right_end"] in ("first", "second"),
    ),
}


def occurs(evidence: Evidence, *, kind: str, run: str) -> Finding:
    """At least one sample is of a `kind`: same-level, lateral, surer, one-fails. That none was found says not that there is none.

    Raises:
        SpecError: there is no such kind.
    """
    if kind not in KINDS:
        raise SpecError(str(UnknownName("kind", kind, KINDS)))
    said, is_one = KINDS[kind]
    rows = [row for replicate in evidence.rows(run) for row in replicate if row["flipped"] is not None]
    known = "shift" if kind in ("same-level", "lateral") else "right_end"
    if not any(row[known] for row in rows):
        raise NotTestable("no hierarchy of the classes is known" if known == "shift" else "no class was asked for that both know")
    count = sum(map(is_one, rows))
    return Finding("holds" if count else "undecided", {said: share(count, len(rows))}, f"{count} of {len(rows)} samples")
