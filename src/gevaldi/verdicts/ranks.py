"""The tables of three classifiers or more: what is known of each one, and of each pair."""

from dataclasses import dataclass

from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import percentage
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.gate import rows
from gevaldi.verdicts.means import means
from gevaldi.verdicts.scores import Score
from gevaldi.verdicts.sentences import lower_is_better, mean_score, operands, quantity, short_names, signed, span

MOST_PAIRS = 45  # of ten classifiers


@dataclass(frozen=True)
class RankTable:
    """Classifiers by estimated score, in words.

    Attributes:
        head: the headings of columns.
        rows: a row for each classifier: its name, and what stands below each heading.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PairTable:
    """Pairs of classifiers in the order of ranks, in words.

    Attributes:
        rows: both names, on how many pictures they differ, how many of these are labelled, and the interval of the difference.
        count: the number of all pairs, of which the first `MOST_PAIRS` are in rows.
    """

    rows: tuple[tuple[str, str, str, str, str], ...]
    count: int


def rank_table(verdict: Assessment) -> RankTable:
    """Ranks, the mean score where labels say it, and the interval of the difference to the first one."""
    score, size, order, names = verdict.questions[0].score, len(verdict.pool), verdict.ranking.order, short_names(verdict)
    what, first, bounds = quantity(score), order[0], means(verdict).bounds
    loss = lower_is_better(score)
    from_mean = f"mean of all minus its {what}" if loss else f"{what} minus the mean of all"
    from_first = " minus ".join(operands(score, names[first], "it"))
    head = ("classifier", "rank (certain)", *((what,) if bounds else ()), f"{from_mean} (estimate)", f"{from_first} (interval)")
    found = []
    for i, (name, estimate, rank) in zip(order, rows(verdict), strict=True):
        known = (mean_score(bounds[i], score, size),) if bounds else ()
        difference = "–" if i == first else _interval(_difference(verdict, first, i), score, size)
        found.append((name, rank, *known, estimate, difference))
    return RankTable(head, tuple(found))


def pair_table(verdict: Assessment) -> PairTable:
    """On how many pictures two classifiers differ, and the interval of their difference."""
    score, size, order, names = verdict.questions[0].score, len(verdict.pool), verdict.ranking.order, short_names(verdict)
    pairs = [(better, worse) for at, better in enumerate(order) for worse in order[at + 1 :]]
    found = []
    for worse, better in [(worse, better) for better, worse in pairs[:MOST_PAIRS]]:
        own = verdict.evidence[0, (min(worse, better), max(worse, better))]
        minuend, subtrahend = operands(score, names[worse], names[better])
        differ = f"{own.disputed:,} ({percentage(own.disputed / size, size)})"
        difference = _interval(_difference(verdict, worse, better), score, size)
        found.append((minuend, subtrahend, differ, f"{own.used:,}", difference))
    return PairTable(tuple(found), len(pairs))


def _difference(verdict: Assessment, first: int, second: int) -> Estimate:
    """The score of the second minus that of the first, whichever is the older one."""
    own = verdict.evidence[0, (min(first, second), max(first, second))].difference()
    return own if first < second else Estimate(-own.value, -own.high, -own.low, own.count)


def _interval(difference: Estimate, score: Score, pictures: int) -> str:
    if difference.low == difference.high:
        return f"{signed(difference.value, score, pictures)} (exact)"
    return span(difference, score, pictures)
