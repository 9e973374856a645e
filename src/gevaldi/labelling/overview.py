"""What the owner of a question sees: who answered what, which controls were missed, and on which pictures people disagree."""

from collections.abc import Mapping, Sequence
from typing import Any

from gevaldi.labelling.queues import Status
from gevaldi.verdicts import people
from gevaldi.verdicts.final import Rule
from gevaldi.verdicts.responses import Response

MOST = 200  # points of the interval
LISTED = 100  # pictures to discuss


def overview(
    done: Mapping[str, Sequence[Response]],
    known: Mapping[str, str],
    status: Status,
    points: Sequence[tuple[int, float, float]],
    rule: Rule = "unanimous",
) -> dict[str, Any]:
    """All that the owner's page says.

    Args:
        done: the responses of each person that count.
        known: the answer of each control.
        status: what the answers decide.
        points: how the interval narrowed: labels, lower and upper end.
        rule: by which the answers of several people to a picture become one.
    """
    found = people.overview([one for own in done.values() for one in own], known, rule)
    compared = {one.name: one for one in found.people}
    return {
        "people": [_person(name, len(own), compared.get(name)) for name, own in done.items()],
        "answers": sum(map(len, done.values())),
        "interval": status.interval,
        "points": [*points[:: max(1, len(points) // MOST)], *points[-1:]],
        "agreement": found.sentences,
        "discuss": [{"picture": one.picture, "answers": one.answers, "final": one.final} for one in found.discuss[:LISTED]],
    }


def _person(name: str, answers: int, own: people.Person | None) -> dict[str, Any]:
    return {
        "name": name,
        "answers": answers,
        "controls": own.controls.count if own else 0,
        "missed": own.missed if own else 0,
        "repeats": own.repeats.count if own else 0,
        "repeated_alike": own.same if own else 0,
        "last": own.last if own else "",
    }
