"""The answer in one sentence and a few figures, over both orders."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gevaldi.measures.predictions import differs, only
from gevaldi.measures.summary import left
from gevaldi.reports.numbers import level
from gevaldi.statistics.intervals import Estimate, mean, share
from gevaldi.statistics.signs import sign_test

UNLIKELY = 0.05  # the chance below which a difference between the two is called one
COLUMNS = ("index", "status", "asked_labels", *only("label", "first_start", "first_end", "second_start", "second_end"))
"""The columns that it is made of, beside the set distance."""


@dataclass(frozen=True)
class Outcomes:
    """What both orders say together. A start that was searched in both is one observation, the mean of its two.

    Attributes:
        searches: that did not fail.
        differ: share that ends with different top classes.
        left_first, left_second: share that leaves the class asked for, of the searches before which both classifiers had named it.
        more: the one that leaves more often, first or second; None where the starts do not say. They do where its share is the
            larger and the sign test over starts says so: of those whose difference (first minus second, by start) is not zero,
            more have its sign than chance would give in one of twenty. The test is exact however few or alike the starts are.
        levels: between the two sets of top classes after, in the mean over starts.
        read: searches before which both had named the class asked for.
        nearest, measured: how many top classes `levels` is of, and in how many searches.
    """

    searches: int
    differ: Estimate
    left_first: Estimate | None
    left_second: Estimate | None
    more: str | None
    levels: Estimate | None
    read: int
    nearest: int | None
    measured: int


def outcomes(rows: Iterable[dict[str, Any]], orders: int, nearest: int | None) -> Outcomes:
    """The outcomes of all searches.

    Args:
        rows: with `COLUMNS` and, where it is known, the set distance of `nearest` top classes at the end.
        orders: in how many orders every start was searched; those of one start are neighbours by index.
        nearest: the smallest number of top classes whose distance is followed.
    """
    found = {key: ByStart() for key in ("differ", "first", "second", "levels")}
    for row in rows:
        if row["status"] != "failed":
            for key, value in _outcome(row, nearest).items():
                found[key].add(row["index"] // orders, value)
    differ, first, second, levels = (observed.means() for observed in found.values())
    return Outcomes(
        len(found["differ"]),
        _share(differ),
        _share(first) if first else None,
        _share(second) if second else None,
        _more([one - other for one, other in zip(first, second, strict=True)]),
        mean(levels) if levels else None,
        len(found["first"]),
        nearest,
        len(found["levels"]),
    )


class ByStart:
    """A quantity of many searches, in eight bytes each, to be averaged over those of each start."""

    def __init__(self) -> None:
        self._starts, self._values = array("i"), array("f")

    def __len__(self) -> int:
        return len(self._values)

    def add(self, start: int, value: float) -> None:
        """One more search of a start."""
        self._starts.append(start)
        self._values.append(value)

    def means(self) -> list[float]:
        """The mean of each start that has any, in their order."""
        starts = np.asarray(self._starts)
        counts = np.bincount(starts)
        sums = np.bincount(starts, weights=np.asarray(self._values, dtype=float))
        return [*map(float, sums[counts > 0] / counts[counts > 0])]


def _outcome(row: dict[str, Any], nearest: int | None) -> dict[str, float]:
    found: dict[str, float] = {"differ": differs(row, "end")}
    first, second = left(row, "first"), left(row, "second")
    if first is not None and second is not None:
        found |= {"first": first, "second": second}
    far = row.get(f"set_distance_{nearest}_end")
    return found | ({"levels": far} if far is not None and far == far else {})


def _more(differences: list[float]) -> str | None:
    """Which of the two leaves more often, if the starts say so."""
    lean = sum(difference > 0 for difference in differences) - sum(difference < 0 for difference in differences)
    if lean * sum(differences) <= 0 or sign_test(differences) >= UNLIKELY:
        return None
    return "first" if lean > 0 else "second"


def _share(values: list[float]) -> Estimate:
    """A share with the interval that as many independent observations as there are starts would have."""
    middle = mean(values).value
    if middle != middle:
        return share(0, 0)
    around = share(round(middle * len(values)), len(values))
    return Estimate(middle, min(around.low, middle), max(around.high, middle))


def verdict(found: Outcomes, names: dict[str, str]) -> str:
    """The answer in a sentence."""
    if not found.searches:
        return "No search came to an end, so there is no answer."
    if found.left_first is None or found.left_second is None:
        return (
            f"Pushed apart, {names['first']} and {names['second']} end with different top classes on "
            f"{_percent(found.differ.value)} of {found.searches:,} searches. Which of them is right is not known."
        )
    first, second = found.left_first.value, found.left_second.value
    shares = {"first": _percent(first), "second": _percent(second)}
    if found.more:
        more, less = found.more, {"first": "second", "second": "first"}[found.more]
        return (
            f"Pushed apart, {names[more]} leaves the class asked for more often than {names[less]}: on {shares[more]} against "
            f"{shares[less]} of {found.read:,} searches."
        )
    return (
        f"Pushed apart, {names['first']} leaves the class asked for on {shares['first']} of {found.read:,} searches and "
        f"{names['second']} on {shares['second']}: too close to tell which of the two holds to it."
    )


def figures(found: Outcomes, names: dict[str, str], record: dict[str, Any]) -> list[dict[str, str]]:
    """The figures beside it: a value, what it is, and what it rests on."""
    made = []
    audit = record.get("audit") or {}
    for key, what in (("generated", "drawn pictures, unsearched"), ("real", "real pictures")):
        if seen := audit.get(key):
            rate = share(seen["disagreements"], seen["pictures"])
            made.append(_figure(f"{100 * rate.value:.1f} %", f"differ on {what}", f"{_within(rate, 1)} of {seen['pictures']:,}"))
    if found.searches:
        made.append(
            _figure(_percent(found.differ.value), "differ after a search", f"{_within(found.differ)} of {found.searches:,}")
        )
    for who, left_it in (("first", found.left_first), ("second", found.left_second)):
        if left_it is not None:
            title = f"{names[who]} leaves the class asked for"
            made.append(_figure(_percent(left_it.value), title, f"{_within(left_it)} of {found.read:,}") | {"who": who})
    if found.levels is not None:
        title = f"apart in the hierarchy after, n = {found.nearest}"
        made.append(_figure(f"{level(found.levels.value)} levels", title, _beside_levels(found, found.levels, record)))
    return made


def _beside_levels(found: Outcomes, levels: Estimate, record: dict[str, Any]) -> str:
    """Its interval, unless all starts agree, of how many searches; and the levels by chance, which are known of single classes."""
    around = f"{level(max(0.0, levels.low))} to {level(levels.high)} " if levels.low < levels.high else ""
    chance = ((record.get("taxonomy") or {}).get("by_chance") or {}).get("levels")
    random = f"; two classes at random: {level(chance)}" if chance is not None and found.nearest == 1 else ""
    return f"{around}of {found.measured:,}{random}"


def _figure(value: str, title: str, beside: str) -> dict[str, str]:
    return {"value": value, "title": title, "beside": beside, "who": ""}


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _within(estimate: Estimate, digits: int = 0) -> str:
    return f"{100 * estimate.low:.{digits}f} to {100 * estimate.high:.{digits}f} %"
