"""Real pictures on the page: those on which the classifiers differ, counts by class, and the calibration of both."""

from collections.abc import Sequence
from typing import Any

from gevaldi.images import open_picture
from gevaldi.measures.evaluation import Evaluation
from gevaldi.names import plain
from gevaldi.reports.pictures import LOSSLESS, NAME, Thrift, as_address
from gevaldi.reports.sounds import addresses
from gevaldi.sounds.words import PICTURES, Medium
from gevaldi.statistics.intervals import share

GROUPS = {
    "first": "only the first is right",
    "second": "only the second is right",
    "neither": "both are wrong, with different answers",
    "unknown": "the true class is not known",
}
SHOWN = 48  # real pictures on the page, at most
FEW = 8  # of them on the first screen
CLASSES = 12  # in the table by class
SIDE = Thrift(side=160, along=96, quality=60, frames=0)
SMALL = Thrift(side=96, along=96, quality=60, frames=0)


def cards(rows: Sequence[dict[str, Any]], medium: Medium = PICTURES) -> list[dict[str, Any]]:
    """The stored real pictures on which the two differ, beginning with those on which exactly one is right.

    If there are too many for the page, the groups share the space evenly.
    """
    groups: dict[str, list[dict[str, Any]]] = {key: [] for key in GROUPS}
    for row in rows:
        if row["kind"] == "real" and row["picture"] and row["first_label"] != row["second_label"]:
            groups[_group(row)].append(row)
    most = dict.fromkeys(groups, 0)
    while sum(most.values()) < min(SHOWN, sum(map(len, groups.values()))):
        for key, members in groups.items():
            most[key] += most[key] < len(members)
    chosen = [(row, key) for key, members in groups.items() for row in members[: most[key]]][:SHOWN]
    heard = addresses([row["sound"]["bytes"] if row.get("sound") else None for row, _ in chosen])
    return [_card(row, key, medium) | {"sound": sound} for (row, key), sound in zip(chosen, heard, strict=True)]


def on_first_screen(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few of the cards, drawn as evenly from the groups as possible."""
    groups = [[card for card in found if card["group"] == key] for key in GROUPS]
    chosen: list[dict[str, Any]] = []
    for i in range(FEW):
        chosen += [members[i] for members in groups if i < len(members)]
    kept = chosen[:FEW]
    return [card for card in found if card in kept]


def _group(row: dict[str, Any]) -> str:
    if row["first_right"] is None or row["second_right"] is None or (row["first_right"] and row["second_right"]):
        return "unknown"  # also where each names one of two classes that bear the folder's name
    return "first" if row["first_right"] else "second" if row["second_right"] else "neither"


def _card(row: dict[str, Any], group: str, medium: Medium) -> dict[str, Any]:
    return {
        "index": row["index"],
        "group": group,
        "address": as_address(row["picture"]["bytes"], SIDE),
        "small": max(open_picture(row["picture"]["bytes"], NAME).size) <= LOSSLESS,
        "name": plain(row["name"] or f"{medium.real} {row['index']}"),
        "class": plain(row["class"]) if row["class"] else None,
        "says": [
            {
                "side": side,
                "class": plain(row[f"{side}_class"]),
                "probability": row[f"{side}_probability"],
                "right": row[f"{side}_right"],
            }
            for side in ("first", "second")
        ],
    }


def beside(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Ten generated pictures, and up to ten real ones."""
    drawn = [row for row in rows if row["kind"] == "drawn" and row["picture"]]
    real = [row for row in rows if row["kind"] == "real" and row["picture"] and row["first_label"] == row["second_label"]]
    step = max(1, len(real) // 10)
    chosen = {"drawn by the generator": drawn[:10], "real": real[::step][:10]}
    return {title: [_small(row) for row in some] for title, some in chosen.items() if some}


def _small(row: dict[str, Any]) -> dict[str, Any]:
    said = plain(row["class"]) if row["class"] else ""
    small = max(open_picture(row["picture"]["bytes"], NAME).size) <= LOSSLESS
    return {"address": as_address(row["picture"]["bytes"], SMALL), "class": said, "small": small}


def seen_as(found: Evaluation) -> str:
    """One sentence on how each classifier's input was prepared."""
    own = [side for side in ("first", "second") if found.sides[side]["official"]]
    if len(own) == 2:
        return f"Each {found.medium.saw} the original {found.medium.real}s, preprocessed by the pipeline of its own package."
    brought = f"{found.medium.real}s were {found.medium.fitted}"
    if found.medium is PICTURES:
        brought += ". A verdict needs no generator and leaves their size, so its counts may differ"
    if not own:
        return f"Neither has its own preprocessing pipeline, so {brought}."
    other = "second" if own == ["first"] else "first"
    original = f"{found.medium.saw} the original {found.medium.real}s"
    return f"The {own[0]} {original}, preprocessed by the pipeline of its own package; for the {other}, {brought}."


def by_class(found: Evaluation) -> dict[str, Any]:
    """The classes on which the two differ most, and the number of classes left out."""
    ranked = sorted(
        (c for c in found.by_class if c["only_first"] + c["only_second"]),
        key=lambda c: (-(c["only_first"] + c["only_second"]), c["class"]),
    )
    shown = [
        c | {"name": plain(c["class"]), "wrong": c["both_wrong_alike"] + c["both_wrong_differently"]} for c in ranked[:CLASSES]
    ]
    return {"rows": shown, "others": len(ranked) - len(shown)}


def calibration(found: Evaluation) -> list[dict[str, Any]]:
    """Accuracy and calibration of each classifier, with the interval and the points of the reliability curve in the unit square."""
    return [
        {
            "side": side,
            "rate": share(own["right"], found.known),
            **own,
            "points": [(b["confidence"], b["right"] / b["pictures"], b["pictures"]) for b in own["reliability"]],
        }
        for side, own in found.sides.items()
        if found.known
    ]


def confusions(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent pairs of different answers on real pictures."""
    pairs: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["kind"] == "real" and row["first_label"] != row["second_label"]:
            pair = plain(row["first_class"]), plain(row["second_class"])
            pairs[pair] = pairs.get(pair, 0) + 1
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [{"first": first, "second": second, "count": count} for (first, second), count in ranked[:CLASSES]]
