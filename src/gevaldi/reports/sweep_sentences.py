"""What came out of a sweep, in sentences."""

from collections.abc import Container, Mapping, Sequence

from gevaldi.measures.sweeps import ALL, DRAWN, END, REAL, Entry
from gevaldi.names import plain
from gevaldi.reports.numbers import number, percent

WHERE = {DRAWN: "pictures that the generator drew, unsearched", REAL: "real pictures"}


def answer(entries: Sequence[Entry], units: Mapping[str, str], symmetric: Container[str] = ()) -> list[str]:
    """Which two part most and least, who is the wrong one, and what failed; the first divergence and λ speak for all.

    Args:
        entries: all numbers of the sweep.
        units: of its divergences.
        symmetric: those of them that claim to be.
    """
    sentences = [sentence for moment in (DRAWN, REAL) if (sentence := _apart_before(entries, moment))]
    searched = [e for e in entries if e.moment == END]
    if searched:
        first = [e for e in searched if (e.divergence, e.prior_weight) == (searched[0].divergence, searched[0].prior_weight)]
        sentences += _extremes(first, units[first[0].divergence]) + _wrong(first)
    if lost := _failed(searched, symmetric):
        sentences.append(f"{lost:,} samples failed and are in no number here; the reports of their comparisons say why.")
    return [sentence.replace(" %", "\u00a0%") for sentence in sentences]


def _failed(searched: Sequence[Entry], symmetric: Container[str]) -> int:
    """How many samples failed: the two cells of a pair are two searches, but one where the divergence is symmetric."""
    each = {}
    for e in searched:
        if e.column != ALL:
            pair = sorted((e.row, e.column)) if e.divergence in symmetric else (e.row, e.column)
            each[e.divergence, e.prior_weight, *pair] = e.failed
    return sum(each.values())


def _apart_before(entries: Sequence[Entry], moment: str) -> str | None:
    found = [e for e in entries if e.moment == moment and e.quantity == "disagreement" and e.samples]
    found = [e for e in found if e.divergence == found[0].divergence]
    if not found:
        return None
    most, least = (pick(found, key=lambda e: e.estimate.value) for pick in (max, min))
    where = f"Of {most.samples:,} {WHERE[moment]}"
    if len({frozenset((e.row, e.column)) for e in found}) == 1:
        return f"{where}, the two name different classes on {100 * most.estimate.value:.1f} %."
    return (
        f"{where}, two classifiers name different classes on {100 * least.estimate.value:.1f} % ({_pair(least)}) to "
        f"{100 * most.estimate.value:.1f} % ({_pair(most)})."
    )


def _extremes(entries: Sequence[Entry], unit: str) -> list[str]:
    found = [e for e in entries if e.quantity == "divergence" and e.estimate.value == e.estimate.value]
    if not found:
        return []
    most, least = (pick(found, key=lambda e: e.estimate.value) for pick in (max, min))
    of = plain(most.divergence)
    if most == least:
        return [f"Searched for, the mean {of} of {_against(most)} reaches {number(most.estimate.value)} {plain(unit)}."]
    return [
        f"Searched for, the mean {of} is largest where {_against(most)}: {number(most.estimate.value)} {plain(unit)}; and smallest "
        f"where {_against(least)}: {number(least.estimate.value)}."
    ]


def _wrong(entries: Sequence[Entry]) -> list[str]:
    found = [e for e in entries if e.column == ALL]
    if len(found) < 2:
        return []
    most, least = (pick(found, key=lambda e: e.estimate.value) for pick in (max, min))
    if most.estimate.low <= least.estimate.high:
        return [
            f"Who is more often the wrong one of the two cannot be told from these pictures: it is {plain(least.row)} on "
            f"{percent(least.estimate)}, and {plain(most.row)} on {percent(most.estimate)}, and the intervals overlap."
        ]
    return [
        f"{plain(most.row)} is most often the wrong one of the two, on {percent(most.estimate)} of the pictures that were searched "
        f"for in its comparisons; {plain(least.row)} least often, on {percent(least.estimate)}."
    ]


def _pair(entry: Entry) -> str:
    return f"{plain(entry.row)} and {plain(entry.column)}"


def _against(entry: Entry) -> str:
    return f"{plain(entry.row)} stands against {plain(entry.column)}"
