"""The opinion of a third classifier in sentences."""

from gevaldi.measures.referee import Opinion, Sides
from gevaldi.sounds.words import PICTURES, Medium
from gevaldi.statistics.intervals import share
from gevaldi.statistics.words import interval


def opinion_sentences(found: Opinion, names: dict[str, str], medium: Medium = PICTURES) -> list[str]:
    """The referee's opinion and its own accuracy, in sentences; `names` maps first, second and referee to names."""
    sentences = []
    if found.known:
        around = share(found.right, found.known)
        sentences.append(
            f"{names['referee']} itself is right on {found.right:,} of {found.known:,} real {medium.real}s ({interval(around)})."
        )
    else:
        sentences.append(
            f"The accuracy of {names['referee']} itself is not known: the run has no real {medium.real}s of its classes."
        )
    if found.real.total:
        sentences.append(f"Of {_many(found.real, f'real {medium.real}')} on which the two differ, {_sides(found.real, names)}.")
    for stage, there in (("before", found.start), ("after", found.end)):
        if there.total:
            sentences.append(f"Of {_many(there, 'sample')} on which they differ {stage} the search, {_sides(there, names)}.")
    if found.asked_probable:
        sentences.append(
            f"It names the requested class on {found.read_probable:,} of {found.asked_probable:,} most probable disagreements, and "
            f"on {found.read:,} of {found.asked:,} samples on which they differ after the search."
        )
    if found.end.total:
        sentences.append(
            "After a search, its side depends on how confident each of the two is: run the comparison with --calibrate to remove "
            "that effect."
        )
    return sentences


def _many(found: Sides, what: str) -> str:
    return f"{found.total:,} {what}{'s' * (found.total != 1)}"


def _sides(found: Sides, names: dict[str, str]) -> str:
    return (
        f"it agrees with {names['first']} on {found.first:,} and with {names['second']} on {found.second:,}, names another class "
        f"on {found.neither:,}, and is unsure on {found.unsure:,}"
    )
