"""What the owner of a question sees: who answered what, which controls were missed, and on which pictures people disagree."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from gevaldi.labelling.queues import Status
from gevaldi.labelling.store import Response

LISTED = 100  # pictures to discuss


def overview(
    done: Mapping[str, Sequence[Response]], known: Mapping[str, str], status: Status, points: Sequence[tuple[int, float, float]]
) -> dict[str, Any]:
    """All that the owner's page says.

    Args:
        done: the responses of each person that count.
        known: the answer of each control.
        status: what the answers decide.
        points: how the interval narrowed: labels, lower and upper end.
    """
    return {
        "people": [_person(name, own, known) for name, own in done.items()],
        "answers": sum(map(len, done.values())),
        "left": status.left,
        "finished": status.finished,
        "interval": status.interval,
        "points": list(points),
        "discuss": disagreements(done),
    }


def _person(name: str, own: Sequence[Response], known: Mapping[str, str]) -> dict[str, Any]:
    controls = [one for one in own if one.kind == "control"]
    first = {one.picture: one.answer for one in own if one.occasion == 1}
    repeats = [one for one in own if one.kind == "repeat" and one.picture in first]
    return {
        "name": name,
        "answers": len(own),
        "controls": len(controls),
        "missed": sum(known.get(one.picture, one.answer) != one.answer for one in controls),
        "repeats": len(repeats),
        "repeated_alike": sum(first[one.picture] == one.answer for one in repeats),
        "last": max((one.time for one in own), default=""),
    }


def disagreements(done: Mapping[str, Sequence[Response]]) -> list[dict[str, Any]]:
    """Pictures to which people gave different answers; each with who said what."""
    by_picture: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, own in done.items():
        for one in own:
            if one.occasion == 1 and one.kind != "control":
                by_picture[one.picture][name] = one.answer
    apart = {picture: said for picture, said in by_picture.items() if len(set(said.values())) > 1}
    return [{"picture": picture, "answers": said} for picture, said in list(apart.items())[:LISTED]]
