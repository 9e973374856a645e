"""The question and the answer in plain sentences, with the numbers they rest on."""

from typing import Any

from gevaldi.measures.duplicates import Finds
from gevaldi.measures.summary import Summary
from gevaldi.names import plain, told_apart
from gevaldi.reports.numbers import percent
from gevaldi.reports.seriousness import alignment_sentences, apart
from gevaldi.statistics.intervals import share


def answer(record: dict[str, Any], found: list[Summary]) -> list[str]:
    """What came out, one sentence an item."""
    first, second = told_apart(record["models"]["first"]["name"], record["models"]["second"]["name"])
    names = {"first": first, "second": second}
    divergence = record["divergence"]
    sentences = accuracy(record, names)
    sentences += [_differ(summary, names, divergence) for summary in found if summary.samples > summary.failed]
    departures = [summary for summary in found if summary.left_first and summary.left_second]
    sentences += [_leave(summary, names) for summary in departures]
    sentences += [sentence for summary in found if (sentence := apart(summary))]
    sentences += alignment_sentences(record)
    failed = sum(summary.failed for summary in found)
    if failed:
        sentences.append(f"{failed:,} samples failed; the gallery ends with their errors.")
    return [sentence.replace(" %", "\u00a0%") for sentence in sentences]


def accuracy(record: dict[str, Any], names: dict[str, str]) -> list[str]:
    """Before any search: how many of the real pictures each reads rightly, where there are any of known classes."""
    real = (record.get("audit") or {}).get("real") or {}
    right = [
        f"{names[who]} is right on {100 * real[f'read_{who}'] / real[f'known_{who}']:.1f} %"
        for who in ("first", "second")
        if real.get(f"known_{who}")
    ]
    return [f"Of {real['pictures']:,} real pictures, unsearched, {' and '.join(right)}."] if right else []


def _sought(order: str, names: dict[str, str], divergence: dict[str, Any]) -> str:
    """What a search was for, in words; only of KL can be said which of the two it makes hold what the other denies."""
    if divergence["name"] not in ("kl", "reverse-kl"):
        return f"Searched for the largest {plain(divergence['name'])} ({order})"
    holds, denies = ("first", "second") if (order == "forward") == (divergence["name"] == "kl") else ("second", "first")
    return f"Searched for what {names[holds]} holds and {names[denies]} denies ({order})"


def _differ(summary: Summary, names: dict[str, str], divergence: dict[str, Any]) -> str:
    return (
        f"{_sought(summary.order, names, divergence)}, the two end with different top classes on "
        f"{percent(summary.differ_end)} of {summary.samples - summary.failed:,} samples; before the search on "
        f"{100 * summary.differ_start.value:.0f} %."
    )


def _leave(summary: Summary, names: dict[str, str]) -> str:
    assert summary.left_first
    assert summary.left_second
    return (
        f"In the {summary.order} order {names['first']} leaves the class asked for on {percent(summary.left_first)} of the "
        f"samples that it had read so before the search, {names['second']} on {percent(summary.left_second)}."
    )


def duplicates(finds: Finds) -> str | None:
    """How many samples show once more what others show; None if none does."""
    many, of = finds.duplicates
    if not many:
        return None
    samples = "One sample is a near-duplicate" if many == 1 else f"{many:,} samples are near-duplicates"
    return f"{samples} of {'another' if of == 1 else f'{of:,} others'}, which leaves {len(finds.distinct):,} distinct ones."


def caution(record: dict[str, Any]) -> str:
    """What not to conclude."""
    text = (
        "These samples were searched for: the shares say how easily the two can be pushed apart, not how often they differ. Nor do "
        "they say who is right: after a search a picture may no longer show the class that was asked for, so that leaving it is no "
        "error. Look at the pictures, or ask a third classifier."
    )
    audit = record.get("audit") or {}
    parts = []
    for key, where in (("generated", "pictures that the generator drew, unsearched"), ("real", "real pictures")):
        if found := audit.get(key):
            rate = share(found["disagreements"], found["pictures"])
            parts.append(f"on {100 * rate.value:.1f} % of {found['pictures']:,} {where}")
    return f"{text} They differ {' and '.join(parts)}.".replace(" %", "\u00a0%") if parts else text
