"""A third classifier's opinion in sentences."""

from gevaldi.measures.referee import Opinion, Sides
from gevaldi.statistics.intervals import share


def opinion_sentences(found: Opinion, names: dict[str, str]) -> list[str]:
    """What it says, with what it itself is worth; `names` are those of first, second and referee."""
    sentences = []
    if found.known:
        around = share(found.right, found.known)
        sentences.append(
            f"{names['referee']} itself is right on {found.right:,} of {found.known:,} real pictures "
            f"({100 * around.low:.1f} to {100 * around.high:.1f} %)."
        )
    else:
        sentences.append(f"How often {names['referee']} itself is right is not known: no real pictures of its classes were given.")
    if found.real.total:
        sentences.append(f"Of {_many(found.real, 'real picture')} on which the two differ, {_sides(found.real, names)}.")
    for stage, there in (("before", found.start), ("after", found.end)):
        if there.total:
            sentences.append(f"Of {_many(there, 'sample')} on which they differ {stage} the search, {_sides(there, names)}.")
    if found.end.total:
        sentences.append(
            "On searched pictures its side depends on how sure of itself each of the two is: compare them with --calibrate to take "
            "that out."
        )
    return sentences


def _many(found: Sides, what: str) -> str:
    return f"{found.total:,} {what}{'s' * (found.total != 1)}"


def _sides(found: Sides, names: dict[str, str]) -> str:
    return (
        f"it says what {names['first']} says on {found.first:,}, what {names['second']} says on {found.second:,}, another class "
        f"on {found.neither:,}, and is unsure on {found.unsure:,}"
    )
