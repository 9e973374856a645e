"""A kind of failure occurs among the samples."""

from collections.abc import Callable

from gevaldi.errors import SpecError, UnknownName
from gevaldi.reproduction.evidence import Evidence, Finding, NotTestable
from gevaldi.reproduction.referee import read
from gevaldi.runs.store.schema import Row

UNSURE = 0.5  # the probability below which a picture shows no class clearly

Holds = Callable[[Row], bool | None]
"""Whether a sample is of a kind; None where it cannot be said."""


def occurs(evidence: Evidence, *, kind: str, run: str) -> Finding:
    """Whether a search was seen to end in a `kind` of failure. That none was says not that there is none.

    Kinds are same-level and lateral (flips), both-more-confident (and right), one-errs (both were right, one no longer is, and the
    referee still reads the class) and unclear (the referee finds no class more probable than a half).

    Raises:
        SpecError: there is no such kind.
    """
    kinds: dict[str, tuple[str, Callable[[], Holds]]] = {
        "same-level": ("flips at the same level", lambda: _shift("same level")),
        "lateral": ("lateral flips", lambda: _shift("lateral")),
        "both-more-confident": ("both more confident and right", lambda: lambda row: row["both_more_confident"]),
        "one-errs": ("one errs on what the referee still reads", lambda: _one_errs(evidence, run)),
        "unclear": ("the referee finds no class more probable than a half", lambda: _unclear(evidence, run)),
    }
    if kind not in kinds:
        raise SpecError(str(UnknownName("kind", kind, kinds)))
    said, made = kinds[kind]
    holds = made()
    rows = [row for replicate in evidence.rows(run) for row in replicate]
    known = [found for row in rows if (found := holds(row)) is not None]
    if not known:
        raise NotTestable("no hierarchy of the classes, or no class that was asked for, is known")
    rests_on = f"{sum(known)} of {len(known)} searches{_by_chance(evidence, run, kind)}"
    return Finding("seen" if any(known) else "not seen", {said: evidence.share(run, holds)}, rests_on)


def _shift(asked: str) -> Holds:
    return lambda row: (
        None if row["flipped"] is None or (row["flipped"] != "neither" and not row["shift"]) else row["shift"] == asked
    )


def _one_errs(evidence: Evidence, run: str) -> Holds:
    readings = read(evidence, run, "end")

    def value(row: Row) -> bool | None:
        if row["right_end"] is None or readings[id(row)].asked is None:
            return None
        return bool(row["right_start"] == "both" and row["right_end"] in ("first", "second") and readings[id(row)].asked)

    return value


def _unclear(evidence: Evidence, run: str) -> Holds:
    readings = read(evidence, run, "end")
    return lambda row: readings[id(row)].probability < UNSURE


def _by_chance(evidence: Evidence, run: str, kind: str) -> str:
    """How many pairs of classes picked at random are so far apart."""
    known = (evidence.runs[run][0].record.get("taxonomy") or {}).get("by_chance") or {}
    return f"; of pairs of classes picked at random {100 * known['lateral']:.0f} % are" if kind == "lateral" and known else ""
