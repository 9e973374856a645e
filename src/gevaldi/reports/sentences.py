"""The outcome of the searches in plain sentences, with their numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from gevaldi.measures.duplicates import Deduplicated
from gevaldi.measures.summary import Summary
from gevaldi.names import grouped, plain, told_apart
from gevaldi.reports.numbers import typicality
from gevaldi.reports.seriousness import alignment_sentences, apart
from gevaldi.runs.store.run import Run
from gevaldi.sounds.words import Medium, medium_of
from gevaldi.spec import MOST_PROBABLE
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import FEW, counted, with_interval


def search_sentences(record: dict[str, Any], found: list[Summary]) -> list[str]:
    """The outcome of the search, one sentence an item."""
    first, second = told_apart(record["models"]["first"]["name"], record["models"]["second"]["name"])
    names, medium = {"first": first, "second": second}, medium_of(record)
    goal = record["spec"]["search"].get("goal")  # which runs of versions without goals lack
    good = [summary for summary in found if summary.samples > summary.failed]
    sentences = [_differ(summary, searched_for(summary.order, names, record["divergence"], goal, medium)) for summary in good]
    sentences += probable_sentences(found, medium)
    sentences += [sentence for summary in found if (sentence := apart(summary))]
    sentences += alignment_sentences(record)
    failed = sum(summary.failed for summary in found)
    if failed:
        sentences.append(f"{failed:,} samples failed; their errors are at the end of the gallery.")
    return [sentence.replace(" %", "\u00a0%") for sentence in sentences]


def probable_sentences(found: Sequence[Summary], medium: Medium) -> list[str]:
    """For each order, how many most probable disagreements were reached, and how typical they are."""
    return [_probable(summary, summary.probable, medium) for summary in found if summary.probable]


def _probable(summary: Summary, reached: Estimate, medium: Medium) -> str:
    known = summary.typicality_probable
    typical = typicality(summary.typicality.value)
    return f"The most probable {medium.drawn} on which the two differ ({summary.order}) was found for {_of_samples(reached)}." + (
        f" Median typicality: {typicality(known.value)}; after the search {typical}; of draws 0.5." if known else ""
    )


def warnings_of(runs: Mapping[str, Run]) -> dict[str, list[str]]:
    """Every distinct warning of several runs, with the names of the runs that have it."""
    return grouped((name, warning) for name, run in runs.items() for warning in run.record.get("warnings", ()))


def searched_for(order: str, names: dict[str, str], divergence: dict[str, Any], goal: str | None, medium: Medium) -> str:
    """The aim of a search in words; only with KL is it known which classifier becomes sure."""
    if goal == MOST_PROBABLE:
        return f"After the search for the most probable {medium.drawn}s on which the two differ"
    if divergence["name"] not in ("kl", "reverse-kl"):
        return f"After the search for the largest {plain(divergence['name'])} ({order})"
    sure, other = ("first", "second") if (order == "forward") == (divergence["name"] == "kl") else ("second", "first")
    return f"After the search for {medium.drawn}s that {names[sure]} is sure of and {names[other]} rules out ({order})"


def _differ(summary: Summary, aim: str) -> str:
    chance = summary.differ_by_chance
    control = f", and at the same distance in a random direction on {counted(chance)}" if chance else ""
    return (
        f"{aim}, the two name different classes on "
        f"{_of_samples(summary.differ_end)}; before it, on {counted(summary.differ_start)}{control}."
    )


def _of_samples(differ: Estimate) -> str:
    if differ.count < FEW:
        return f"{counted(differ)} sample{'s' * (differ.count != 1)} (too few for an interval)"
    return f"{with_interval(differ)} of {differ.count:,} samples"


def duplicates(deduplicated: Deduplicated) -> str | None:
    """How many samples are near-duplicates, in a sentence; None if there are none."""
    many, of = deduplicated.duplicates
    if not many:
        return None
    samples = "One sample is a near-duplicate" if many == 1 else f"{many:,} samples are near-duplicates"
    left, differ = len(deduplicated.distinct), sum(map(deduplicated.distinct_of, ("forward", "reverse")))
    which = "" if differ == left else f", of which {differ:,} end with different top classes"
    return f"{samples} of {'another' if of == 1 else f'{of:,} others'}, which leaves {left:,} distinct samples{which}."


def caution(record: dict[str, Any]) -> str:
    """The conclusions that the samples do not support."""
    medium = medium_of(record)
    text = (
        f"These {medium.drawn}s come from a search. Their shares say how easily the two can be pushed apart, not how often they "
        f"differ, and not which is better: a search exploits the less confident one, and a {medium.drawn} may no longer "
        f"{medium.show} the requested class."
    )
    audit = record.get("audit") or {}
    parts = []
    for key, where in (("generated", f"generated {medium.drawn}s before any search"), ("real", f"real {medium.real}s")):
        counts = record.get("evaluation") if key == "real" else audit.get(key)
        if counts:
            differ = counts["differ" if key == "real" else "disagreements"]
            parts.append(f"on {differ:,} of {counts['pictures']:,} {where}")
    return f"{text} They differ {' and '.join(parts)}." if parts else text
