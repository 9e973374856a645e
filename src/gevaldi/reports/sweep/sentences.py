"""The results of a sweep in sentences."""

from collections.abc import Container, Mapping, Sequence

from gevaldi.measures.sweeps import ALL, DRAWN, END, REAL, Entry, exactly
from gevaldi.names import plain
from gevaldi.reports.numbers import number
from gevaldi.statistics.paired import MISS, Paired
from gevaldi.statistics.words import percentage

ALONE = ("row_alone_wrong", "column_alone_wrong")
NAMED = 3  # pairs in a sentence
WHERE = {DRAWN: "generated pictures before any search", REAL: "real pictures"}


Searched = Mapping[tuple[str, float | None], Sequence[Entry]]
"""The numbers after the searches, by divergence and λ."""


def answer(entries: Sequence[Entry], units: Mapping[str, str], symmetric: Container[str] = ()) -> list[str]:
    """Which classifiers are right more often on real pictures, which pairs differ most and least, and how many samples failed.

    Args:
        entries: all numbers of the sweep.
        units: the unit of each divergence.
        symmetric: the divergences that are declared symmetric.
    """
    sentences = [sentence for stage in (DRAWN, REAL) if (sentence := _apart_before(entries, stage))]
    searched = [e for e in entries if e.stage == END]
    by_setting: dict[tuple[str, float | None], list[Entry]] = {}
    for e in searched:
        by_setting.setdefault((e.divergence, e.prior_weight), []).append(e)
    sentences += [_right_more_often(entries), *_extremes(by_setting, units, symmetric)]
    if lost := _failed(searched, symmetric):
        many = "1 sample failed and is" if lost == 1 else f"{lost:,} samples failed and are"
        sentences.append(f"{many} left out of all numbers here; the reports of the comparisons say why.")
    return [sentence.replace(" %", "\u00a0%") for sentence in sentences]


def _failed(searched: Sequence[Entry], symmetric: Container[str]) -> int:
    """How many samples failed; a symmetric divergence has one search for the two cells of a pair."""
    each = {}
    for e in searched:
        if e.column != ALL:
            pair = sorted((e.row, e.column)) if e.divergence in symmetric else (e.row, e.column)
            each[e.divergence, e.prior_weight, *pair] = e.failed
    return sum(each.values())


def _apart_before(entries: Sequence[Entry], stage: str) -> str | None:
    found = [e for e in entries if e.stage == stage and e.quantity == "disagreement" and e.samples]
    found = [e for e in found if e.divergence == found[0].divergence]
    if not found:
        return None
    most, least = (pick(found, key=lambda e: e.estimate.value) for pick in (max, min))
    where = f"Of {most.samples:,} {WHERE[stage]}"
    if len({frozenset((e.row, e.column)) for e in found}) == 1:
        return f"{where}, the two name different classes on {percentage(most.estimate.value, most.samples)}."
    if most.estimate.value == least.estimate.value:
        return f"{where}, each pair names different classes on {percentage(most.estimate.value, most.samples)}."
    return (
        f"{where}, a pair names different classes on {percentage(least.estimate.value, least.samples)} ({_pair(least)}) to "
        f"{percentage(most.estimate.value, most.samples)} ({_pair(most)})."
    )


def _extremes(searched: Searched, units: Mapping[str, str], symmetric: Container[str]) -> list[str]:
    """A sentence for each divergence and λ."""
    sentences = []
    for setting, entries in searched.items():
        found = [e for e in entries if e.quantity == "divergence" and e.estimate.value == e.estimate.value]
        if not found:
            continue
        most, least = (pick(found, key=lambda e: e.estimate.value) for pick in (max, min))
        there, of = (f" under λ = {exactly(setting[1] or 0)}" if len({w for _, w in searched}) > 1 else ""), plain(setting[0])
        between = _both if setting[0] in symmetric else _against
        reached = f"{number(most.estimate.value)} {plain(units[setting[0]])}"
        sentences.append(
            f"After the search{there}, the mean {of} {between(most)} is {reached}."
            if most == least
            else f"After the search{there}, the mean {of} is largest {between(most)}: {reached}; it is smallest {between(least)}: "
            f"{number(least.estimate.value)}."
        )
    return sentences


def _right_more_often(entries: Sequence[Entry]) -> str:
    """The pairs in which McNemar's exact test shows that one classifier is right more often on real pictures.

    The p-values are multiplied by the number of pairs [Bonferroni].
    """
    real = [e for e in entries if e.stage == REAL and e.quantity in ALONE and e.samples]
    if not real:
        return "The sweep has no real pictures of known classes, so it does not show which classifier is better. A search cannot."
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for e in real:
        if e.divergence == real[0].divergence and (e.column, e.row) not in counts:
            counts.setdefault((e.row, e.column), {})[e.quantity] = round(e.estimate.value * e.samples)
    decided = []
    for (row, column), wrong in counts.items():
        only = {row: wrong["column_alone_wrong"], column: wrong["row_alone_wrong"]}
        if Paired(0, only[row], only[column], 0).chance() * len(counts) < MISS:
            better, worse = sorted(only, key=lambda name: -only[name])
            decided.append((only[better] - only[worse], better, worse, only))
    if not decided:
        where = "" if len(counts) == 1 else f" in any of the {len(counts)} pairs"
        return f"The real pictures do not show which classifier is better{where}."
    named = [
        f"{plain(better)} than {plain(worse)} (only {plain(better)} on {only[better]:,}, only {plain(worse)} on {only[worse]:,})"
        for _, better, worse, only in sorted(decided, key=lambda pair: -pair[0])[:NAMED]
    ]
    more = f"; and one of the two in {len(decided) - NAMED} more pairs" if len(decided) > NAMED else ""
    return f"On real pictures, these are right more often: {'; '.join(named)}{more}."


def _pair(entry: Entry) -> str:
    return f"{plain(entry.row)} and {plain(entry.column)}"


def _against(entry: Entry) -> str:
    return f"for {plain(entry.row)} against {plain(entry.column)}"


def _both(entry: Entry) -> str:
    return f"between {_pair(entry)}"
