"""The first screen: which classifier real pictures show to be better, with what confidence, and what to do next."""

from dataclasses import dataclass
from typing import Any

from gevaldi.measures.evaluation import Evaluation, generator_fails
from gevaldi.sounds.words import Medium, medium_of
from gevaldi.statistics.intervals import Estimate, share
from gevaldi.statistics.paired import exact_share
from gevaldi.statistics.words import interval, percentage

OTHER = {"first": "second", "second": "first"}
SEARCH = "A search shows where two classifiers differ, never which is better."


@dataclass(frozen=True)
class Answer:
    """The answer of a report.

    Attributes:
        verdict: the answer in one sentence.
        reasons: the evidence, one sentence each.
        advice: what to do next; may be empty.
        trouble: why the generator fails its audit; None if it passes.
        tiles: the figures beside the answer: value, title, interval, and the classifier they belong to.
    """

    verdict: str
    reasons: list[str]
    advice: str
    trouble: str | None
    tiles: list[dict[str, str]]

    @property
    def sentences(self) -> list[str]:
        """All of it as plain text, for a terminal."""
        warning = f"The generator fails its audit. {self.trouble}" if self.trouble else ""
        return [sentence for sentence in (self.verdict, *self.reasons, self.advice, warning) if sentence]


def answer(record: dict[str, Any], names: dict[str, str]) -> Answer:
    """The answer from a run's record; `names` maps first and second to the names of the classifiers."""
    evaluation, medium = Evaluation.of(record), medium_of(record)
    trouble = generator_fails(record.get("audit"), medium)
    if evaluation is None:
        return Answer(
            f"This run does not show whether {names['first']} or {names['second']} is better.",
            [f"It had no real {medium.real}s. {SEARCH}"],
            f"Next: gevaldi verdict FIRST SECOND --pool {medium.source}:DIR decides on real {medium.real}s, and has only those "
            "labelled on which the two differ. With --out RUN/verdict, this page shows the decision.",
            trouble,
            _tiles_without(record, medium),
        )
    verdict, advice = _verdict(evaluation, names)
    return Answer(verdict, _reasons(evaluation, names), advice, trouble, _tiles(evaluation, names))


def _verdict(found: Evaluation, names: dict[str, str]) -> tuple[str, str]:
    """The verdict and the advice."""
    first, second, real = names["first"], names["second"], f"{found.medium.real}s"
    if found.differ == 0:
        return (
            f"{first} and {second} give the same answer on all {found.pictures:,} real {real}.",
            "",
        )
    if not found.known:
        return (
            f"{first} and {second} give different answers on {found.differ:,} of {found.pictures:,} real {real}, whose true "
            "classes are not known.",
            f"Next: label some of the {found.differ:,} {real} on which they differ, in random order; gevaldi verdict lists them "
            f"and says when there are enough. No other {real} can decide.",
        )
    right = {side: found.sides[side]["right"] for side in ("first", "second")}
    better = found.better
    if better:
        worse = OTHER[better]
        return (
            f"{names[better]} is right more often than {names[worse]} on {real} like these: on {right[better]:,} of "
            f"{found.known:,}, against {right[worse]:,}.",
            _losses(found, better, names),
        )
    advice = _alike_first(found, names) if found.paired.better() else _as_they_are(found) if found.favoured else _more_needed(found)
    sizes = ", of which the two saw different versions," if found.favoured else ""
    return (
        f"These {found.known:,} real {real}{sizes} do not show which is better: {first} is right on {right['first']:,}, "
        f"{second} on {right['second']:,}.",
        advice,
    )


def _losses(found: Evaluation, better: str, names: dict[str, str]) -> str:
    """What choosing the better one costs."""
    gained, lost = found.paired.only_first, found.paired.only_second
    if better == "second":
        gained, lost = lost, gained
    if not lost:
        return ""
    which, them = (f"the {lost:,} {found.medium.real}s", "them") if lost > 1 else (f"the {found.medium.real}", "it")
    worse = names[OTHER[better]]
    return f"Next: look at {which} that only {worse} gets right. Does losing {them} matter more than gaining {gained:,}?"


def _alike_first(found: Evaluation, names: dict[str, str]) -> str:
    """How to make the comparison fair if only one classifier saw the pictures unchanged."""
    other = names[OTHER[str(found.favoured)]]
    drawn = f"{found.medium.drawn}s"
    return f"Next: choose a generator whose {drawn} have the input size of {other}, so that both see the same {drawn}."


def _as_they_are(found: Evaluation) -> str:
    """What decides if only one classifier saw the pictures unchanged."""
    real = f"{found.medium.real}s"
    command = f"gevaldi verdict FIRST SECOND --pool {found.medium.source}:DIR"
    return f"Next: {command} shows both the same {real}, at their own size, and decides."


def _more_needed(found: Evaluation) -> str:
    needed, real = found.paired.pictures_needed(), f"{found.medium.real}s"
    if needed is None:
        return f"Next: choose by other criteria, such as speed or size, or compare them on the {real} that matter most to you."
    about = int(float(f"{needed:.1g}"))
    return (
        f"Next: if the true difference is as large as these {real} suggest, a total of about {about:,} labelled {real} like "
        "these would probably show it. If so small a difference does not matter, choose by speed or size."
    )


def _reasons(found: Evaluation, names: dict[str, str]) -> list[str]:
    first, second, counts, real = names["first"], names["second"], found.paired, f"{found.medium.real}s"
    if found.differ == 0:
        most = percentage(found.disagreement.high, found.pictures)
        return [f"They differ on at most {most} of all {real} like these, at 95 % confidence."]
    if not found.known:
        most = _points(found.differ / found.pictures)
        return [f"Whichever is right, their accuracies on these {real} differ by at most {most}."]
    wrong = f", and both are wrong, in different ways, on {found.both_wrong_differently:,}" if found.both_wrong_differently else ""
    parted = f"They give different answers on {found.differ:,} of {found.pictures:,} {real}"
    if found.known == found.pictures:
        parted += f": only {first} is right on {counts.only_first:,}, only {second} on {counts.only_second:,}{wrong}."
    else:
        parted += (
            f". {found.known:,} {real} have a class that both know: only {first} is right on {counts.only_first:,} of these, "
            f"only {second} on {counts.only_second:,}."
        )
    unlike = [_seen_otherwise(found, names)] if found.favoured else []
    return [parted, f"The difference in accuracy is {difference(counts.difference(), names)}.", *unlike]


def _seen_otherwise(found: Evaluation, names: dict[str, str]) -> str:
    """A caveat if only one of the two has its own preprocessing pipeline."""
    own, seen = str(found.favoured), f"{found.medium.saw} the {found.medium.real}s"
    return (
        f"{names[OTHER[own]]} has no preprocessing pipeline and {seen} at the generator's size, which may count against it. "
        f"At that size {names[own]} is right on {found.sides[own]['right_resized']:,}."
    )


def difference(estimate: Estimate, names: dict[str, str]) -> str:
    """A difference of accuracies, first minus second, in words with its interval."""
    low, high = estimate.low, estimate.high
    if low > 0 or high < 0:
        near, far = sorted((abs(low), abs(high)))
        return f"{_favour(estimate.value, names)} (95 % interval: {100 * near:.1f} to {100 * far:.1f})"
    ends = " to ".join(_favour(value, names).replace(" percentage points", "") for value in (low, high))
    return f"{_favour(estimate.value, names)} (95 % interval: from {ends})"


def _favour(value: float, names: dict[str, str]) -> str:
    if f"{100 * abs(value):.1f}" == "0.0":
        return "zero"
    return f"{_points(abs(value))} in favour of {names['first' if value > 0 else 'second']}"


def _points(value: float) -> str:
    return f"{100 * value:.1f} percentage points"


def _tiles(found: Evaluation, names: dict[str, str]) -> list[dict[str, str]]:
    tiles = []
    for side in ("first", "second") if found.known else ():
        right = found.sides[side]["right"]
        tiles.append(_tile(f"{right:,} of {found.known:,}", f"{names[side]} is right", interval(share(right, found.known)), side))
    around = found.disagreement
    tiles.append(_tile(f"{found.differ:,} of {found.pictures:,}", "get different answers", interval(around)))
    return tiles


def _tiles_without(record: dict[str, Any], medium: Medium) -> list[dict[str, str]]:
    drawn = (record.get("audit") or {}).get("generated")
    if not drawn:
        return []
    around = exact_share(drawn["disagreements"], drawn["pictures"])
    value = f"{drawn['disagreements']:,} of {drawn['pictures']:,}"
    return [_tile(value, f"generated {medium.drawn}s get different answers before any search", interval(around))]


def _tile(value: str, title: str, beside: str, side: str = "") -> dict[str, str]:
    return {"value": value, "title": title, "beside": beside, "side": side}
