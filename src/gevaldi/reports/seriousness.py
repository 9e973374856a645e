"""How serious the differences are: set distances, kinds of change, and the path between two classes in words."""

from collections.abc import Callable
from typing import Any

from gevaldi.measures.kinds import RULES, SAME_LEVEL
from gevaldi.measures.summary import Summary
from gevaldi.names import plain
from gevaldi.reports.numbers import mean_of_levels
from gevaldi.statistics.intervals import share
from gevaldi.statistics.words import counted
from gevaldi.taxonomy import Taxonomy, in_words, way

WHO = {"first": "the first flipped", "second": "the second flipped", "both": "both flipped", "neither": "neither flipped"}
SHIFTS = ("same level", "near", "lateral")
RIGHT = {"both": "both right", "first": "only the first right", "second": "only the second right", "neither": "neither right"}


def distance_table(found: list[Summary]) -> list[dict[str, Any]]:
    """For each order and number of top classes, the mean set distance before and after, with its interval."""
    return [
        {"order": s.order, "n": n, "start": s.set_distance_start[n], "end": end}
        for s in found
        for n, end in s.set_distance_end.items()
    ]


def kinds_table(found: list[Summary]) -> list[dict[str, Any]]:
    """The number of samples of each kind that occurs, by order, in a fixed sequence."""
    kinds = [(side, shift) for side in WHO for shift in (*SHIFTS, None)]
    return _counts(found, kinds, lambda s: s.kinds, lambda kind: {"side": WHO[kind[0]], "shift": kind[1] or "–"})


def passages_table(found: list[Summary]) -> list[dict[str, Any]]:
    """The number of samples for each change in who is right, by order, in a fixed sequence."""
    passages = [(before, after) for before in RIGHT for after in RIGHT]
    return _counts(found, passages, lambda s: s.passages, lambda p: {"before": RIGHT[p[0]], "after": RIGHT[p[1]]})


def _counts(
    found: list[Summary], keys: list[Any], of: Callable[[Summary], dict[Any, int]], shown: Callable[[Any], dict[str, str]]
) -> list[dict[str, Any]]:
    rows = [shown(key) | {"counts": [of(s).get(key, 0) for s in found]} for key in keys]
    return [row for row in rows if any(row["counts"])]


def rules(has_taxonomy: bool, record: dict[str, Any]) -> dict[str, str]:
    """The definitions of the kinds that apply."""
    mean = (record.get("taxonomy") or {}).get("mean_edges")
    kept = {term: text for term, text in RULES.items() if has_taxonomy or term not in SHIFTS}
    if has_taxonomy and mean:
        kept["lateral"] = f"{RULES['lateral']} Here that mean is {mean:.1f} edges."
        if mean <= SAME_LEVEL + 1:
            del kept["near"]  # in so flat a hierarchy nothing is
    return kept


def between(taxonomy: Taxonomy | None, first: int | None, second: int | None) -> str | None:
    """The path from one top class to the other in words, and the hypernym at which it turns."""
    if taxonomy is None or first is None or second is None or first == second:
        return None
    found = way(taxonomy, taxonomy.classes[first], taxonomy.classes[second])
    return plain(f"{in_words(taxonomy, found)}; they meet at {taxonomy.name(found.top)}", 400)


def apart(found: Summary) -> str | None:
    """The distance of the two top classes in a sentence."""
    if not found.set_distance_end:
        return None
    n = min(found.set_distance_end)
    what = "their top classes" if n == 1 else f"their top {n} classes"
    before, after = found.set_distance_start[n], found.set_distance_end[n]
    return (
        f"In the {found.order} order {what} end {mean_of_levels(after, ' levels')} apart in the hierarchy of classes; before the "
        f"search they were {before.value:.1f} apart."
    )


def flips(found: Summary) -> str | None:
    """The shares of the kinds in a sentence."""
    total = sum(found.kinds.values())
    if not total:
        return None
    flipped = {side: sum(count for (which, _), count in found.kinds.items() if which == side) for side in WHO}
    share_of = {side: counted(share(count, total)) for side, count in flipped.items()}
    lateral = counted(share(sum(count for (_, shift), count in found.kinds.items() if shift == "lateral"), total))
    far = f"; {lateral} are lateral shifts in the hierarchy" if any(shift for _, shift in found.kinds) else ""
    return (
        f"In the {found.order} order the first alone flips on {share_of['first']}, the second alone on {share_of['second']}, "
        f"both on {share_of['both']}{far}."
    )


def alignment_sentences(record: dict[str, Any]) -> list[str]:
    """Which classes were left out or merged to make the two comparable."""
    alignment = record.get("alignment")
    if not alignment or alignment["how"] == "as they are":
        return []
    how = {"by id": "by taxonomy id", "by name": "by name"}.get(alignment["how"], alignment["how"])
    sentences = [
        f"The two differ in their classes or in the order of these, and were aligned {how} over {alignment['classes']:,} classes."
    ]
    for side in ("first", "second"):
        if left := alignment[side]["left_out"]:
            kept = ((record.get("audit") or {}).get("generated") or {}).get(f"kept_{side}")
            before = f", which held {100 * kept:.1f} % of its probability on generated pictures" if kept is not None else ""
            many = f"{len(left):,} classes of the {side} are" if len(left) > 1 else f"One class of the {side} is"
            sentences.append(f"{many} left out ({_some(left)}), and its predictions are renormalised over the rest{before}.")
        if added := alignment[side]["added_up"]:
            sentences.append(
                f"The {side}'s probabilities of {_some([f'{new}: ' + ', '.join(old) for new, old in added.items()])} are added."
            )
    return sentences


def _some(names: list[str]) -> str:
    return ", ".join(plain(name) for name in names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
