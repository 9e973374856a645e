"""A kind of failure occurs among the samples."""

from collections.abc import Callable

from gevaldi.errors import SpecError, UnknownName
from gevaldi.reproduction.evidence import Evidence, Finding, NotTestable
from gevaldi.reproduction.referee import read
from gevaldi.runs.store.schema import Row

UNSURE = 0.5  # probability below which a picture shows no class clearly

Holds = Callable[[Row], bool | None]
"""Whether a sample is of a kind; None if unknown."""


def occurs(evidence: Evidence, *, kind: str, run: str) -> Finding:
    """Whether a search ended in a `kind` of failure. Not seeing one does not show that there is none.

    Kinds are same-level and lateral (flips), both-more-confident (and right), one-errs (both were right, one no longer is, and the
    referee still reads the class) and unclear (the referee gives no class a probability above one half).

    Raises:
        SpecError: the kind is unknown.
    """
    kinds: dict[str, tuple[str, Callable[[], Holds]]] = {
        "same-level": ("flips at the same level", lambda: _shift("same level")),
        "lateral": ("lateral flips", lambda: _shift("lateral")),
        "both-more-confident": ("both more confident and right", lambda: lambda row: row["both_more_confident"]),
        "one-errs": ("one errs on a picture that the referee still reads", lambda: _one_errs(evidence, run)),
        "unclear": ("the referee gives no class a probability above one half", lambda: _unclear(evidence, run)),
    }
    if kind not in kinds:
        raise SpecError(str(UnknownName("kind", kind, kinds)))
    description, test_of_kind = kinds[kind]
    holds = test_of_kind()
    rows = [row for replicate in evidence.rows(run) for row in replicate]
    known = [result for row in rows if (result := holds(row)) is not None]
    if not known:
        raise NotTestable("the hierarchy of the classes or the requested classes are unknown")
    rests_on = f"{sum(known)} of {len(known)} searches{_by_chance(evidence, run, kind)}"
    return Finding("seen" if any(known) else "not seen", {description: evidence.share(run, holds)}, rests_on)


def _shift(kind: str) -> Holds:
    return lambda row: (
        None if row["flipped"] is None or (row["flipped"] != "neither" and not row["shift"]) else row["shift"] == kind
    )


def _one_errs(evidence: Evidence, run: str) -> Holds:
    readings = read(evidence, run, "end")

    def value(row: Row) -> bool | None:
        if row["right_end"] is None or readings[id(row)].shows_condition is None:
            return None
        errs = row["right_start"] == "both" and row["right_end"] in ("first", "second")
        return bool(errs and readings[id(row)].shows_condition)

    return value


def _unclear(evidence: Evidence, run: str) -> Holds:
    readings = read(evidence, run, "end")
    return lambda row: readings[id(row)].probability < UNSURE


def _by_chance(evidence: Evidence, run: str, kind: str) -> str:
    """The share of pairs of random classes that are as far apart, in words."""
    known = (evidence.runs[run][0].record.get("taxonomy") or {}).get("by_chance") or {}
    return f"; {100 * known['lateral']:.0f} % of random pairs of classes are" if kind == "lateral" and known else ""
