"""What came out of a sweep, in sentences."""

from collections.abc import Container, Mapping, Sequence

from gevaldi.measures.sweeps import ALL, DRAWN, END, REAL, Entry, exactly
from gevaldi.names import plain
from gevaldi.reports.numbers import number, percent

WHERE = {DRAWN: "pictures that the generator drew, unsearched", REAL: "real pictures"}


Searched = Mapping[tuple[str, float | None], Sequence[Entry]]
"""The numbers after the searches, by divergence and λ."""


def answer(entries: Sequence[Entry], units: Mapping[str, str], symmetric: Container[str] = ()) -> list[str]:
    """Which two part most and least, who is the wrong one, and what failed, for each divergence and λ.

    Args:
        entries: all numbers of the sweep.
        units: of its divergences.
        symmetric: those of them that claim to be.
    """
    sentences = [sentence for moment in (DRAWN, REAL) if (sentence := _apart_before(entries, moment))]
    searched = [e for e in entries if e.moment == END]
    by_setting: dict[tuple[str, float | None], list[Entry]] = {}
    for e in searched:
        by_setting.setdefault((e.divergence, e.prior_weight), []).append(e)
    sentences += _extremes(by_setting, units, symmetric) + _wrong(by_setting)
    if lost := _failed(searched, symmetric):
        many = "1 sample failed and is" if lost == 1 else f"{lost:,} samples failed and are"
        sentences.append(f"{many} in no number here; the reports of the comparisons say why.")
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
    if most.estimate.value == least.estimate.value:
        return f"{where}, any two classifiers name different classes on {100 * most.estimate.value:.1f} %."
    return (
        f"{where}, two classifiers name different classes on {100 * least.estimate.value:.1f} % ({_pair(least)}) to "
        f"{100 * most.estimate.value:.1f} % ({_pair(most)})."
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
            f"Searched for{there}, the mean {of} {between(most)} reaches {reached}."
            if most == least
            else f"Searched for{there}, the mean {of} is largest {between(most)}: {reached}; and smallest {between(least)}: "
            f"{number(least.estimate.value)}."
        )
    return sentences


def _wrong(searched: Searched) -> list[str]:
    """Who is most often the wrong one, where this is more than chance: one sentence where all divergences and λ agree."""
    ranked = {
        setting: sorted(found, key=lambda e: -e.estimate.value)
        for setting, entries in searched.items()
        if len(found := [e for e in entries if e.column == ALL]) > 1
    }
    worst = {setting: own[0].row if _apart(own[0], own[1:]) else None for setting, own in ranked.items()}
    if len(ranked) < 2 or len({*worst.values()}) > 1:
        return [_verdict(own, f"under {_named(setting)}, " if len(searched) > 1 else "") for setting, own in ranked.items()]
    if (name := next(iter(worst.values()))) is None:
        each = "; ".join(f"under {_named(setting)}, {_alike(own)}" for setting, own in ranked.items())
        return [f"No one is most often the wrong one of the two beyond chance, under any divergence and λ: {each}."]
    each = ", ".join(f"on {percent(own[0].estimate)} under {_named(setting)}" for setting, own in ranked.items())
    return [f"{plain(name)} is most often the wrong one of the two under every divergence and λ: {each}."]


def _apart(most: Entry, others: Sequence[Entry]) -> bool:
    """Whether its interval lies above those of all others."""
    return all(most.estimate.low > other.estimate.high for other in others)


def _verdict(ranked: Sequence[Entry], where: str) -> str:
    """About one divergence and λ, from the classifiers that are wrong most often to those that are least."""
    first, second = ranked[:2]
    if not _apart(first, ranked[1:]):
        begin = f"{where}no one is most often the wrong one of the two beyond chance"
        return f"{begin[0].upper()}{begin[1:]}: {_alike(ranked)}."
    name = plain(first.row)
    begin = f"{where[0].upper()}{where[1:]}{name}" if where else name
    return (
        f"{begin} is most often the wrong one of the two, on {percent(first.estimate)} of the pictures that were searched for in "
        f"its comparisons; next is {plain(second.row)}, on {percent(second.estimate)}."
    )


def _alike(ranked: Sequence[Entry]) -> str:
    """Those whose intervals overlap with that of the first: the next of them with its number, and how many more."""
    first, *others = ranked
    rivals = [e for e in others if not _apart(first, [e])]
    more = "" if len(rivals) < 2 else f", nor can {plain(rivals[1].row) if len(rivals) == 2 else f'{len(rivals) - 1} more'}"
    return (
        f"{plain(first.row)}, on {percent(first.estimate)}, and {plain(rivals[0].row)}, on {percent(rivals[0].estimate)}, cannot "
        f"be told apart{more}"
    )


def _named(setting: tuple[str, float | None]) -> str:
    return f"{plain(setting[0])} with λ = {exactly(setting[1] or 0)}"


def _pair(entry: Entry) -> str:
    return f"{plain(entry.row)} and {plain(entry.column)}"


def _against(entry: Entry) -> str:
    return f"where {plain(entry.row)} stands against {plain(entry.column)}"


def _both(entry: Entry) -> str:
    return f"between {_pair(entry)}"
