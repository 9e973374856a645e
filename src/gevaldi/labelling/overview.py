"""What the owner of a question sees: who answered what, which controls were missed, and on which pictures people disagree."""

from collections.abc import Mapping, Sequence
from typing import Any

from gevaldi.labelling.queues import Status
from gevaldi.verdicts.people import Overview, Person

MOST = 200  # points of the interval
LISTED = 100  # pictures to discuss


def overview(
    done: Mapping[str, int], compared: Overview, status: Status, points: Sequence[tuple[int, float, float]]
) -> dict[str, Any]:
    """All that the owner's page says.

    Args:
        done: how many tasks each person has answered.
        compared: what the answers say of people, also those that came otherwise or were revised.
        status: what the answers decide.
        points: how the interval narrowed: labels, lower and upper end.
    """
    by_name = {one.name: one for one in compared.people}
    return {
        "people": [_person(name, answers, by_name.get(name)) for name, answers in done.items()],
        "answers": sum(done.values()),
        "interval": status.interval,
        "points": [*points[:: max(1, len(points) // MOST)], *points[-1:]],
        "agreement": compared.sentences,
        "discuss": [{"picture": one.picture, "answers": one.answers, "final": one.final} for one in compared.discuss[:LISTED]],
    }


def _person(name: str, answers: int, own: Person | None) -> dict[str, Any]:
    return {
        "name": name,
        "answers": answers,
        "controls": own.controls.count if own else 0,
        "missed": own.missed if own else 0,
        "repeats": own.repeats.count if own else 0,
        "repeated_alike": own.same if own else 0,
        "last": own.last if own else "",
    }
