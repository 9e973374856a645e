"""Regions of disagreement."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from gevaldi.images import size_of
from gevaldi.reports.pictures import LADDER, LOSSLESS, as_address
from gevaldi.reports.sections.base import CARDS, Report, section
from gevaldi.runs.store.regions import Shown

COLOURS = 8  # regions with a colour of their own on the map
WIDTH, HEIGHT = 640, 420  # of the map


@section("Regions", place=15)
def regions(report: Report) -> str:
    """How much of what the generator draws the two dispute, and in which regions; empty if this was not measured."""
    if report.regions is None:
        return ""
    record, shown = report.regions
    thrift = LADDER[5]  # pictures of a card are small
    cards = [
        region
        | {
            "pictures": {
                role: _figures(shown, number, role, thrift, report.region_sounds) for role in ("probable", "exemplar", "real")
            }
        }
        | {"samples": _samples(report, region["first_class"], region["second_class"])}
        for number, region in enumerate(record["regions"][:CARDS], 1)
    ]
    return report.html(
        "regions.html",
        found=record,
        cards=cards,
        map=_map([one for one in shown if one.role == "map"], record["regions"]),
        by_condition=sorted(record["by_condition"].values(), key=lambda one: -one["value"]),
        width=WIDTH,
        height=HEIGHT,
        colours=COLOURS,
    )


def _figures(shown: Sequence[Shown], region: int, role: str, thrift: Any, heard: Mapping[int, str | None]) -> list[dict[str, Any]]:
    own = [one for one in shown if one.region == region and one.role == role]
    return [
        {
            "address": as_address(one.picture, thrift),
            "small": max(size_of(one.picture, one.name)) <= LOSSLESS,
            "first": one.first,
            "second": one.second,
            "condition": one.condition,
            "typicality": one.typicality,
            "name": one.name,
            "sound": heard.get(id(one)),
        }
        for one in own
    ]


def _samples(report: Report, first: str, second: str) -> dict[str, Any] | None:
    """How many samples of the gallery end with two classes, and the address that shows them; None without any."""
    labels = {name: label for label, name in report.gallery.names.items()}
    pair = {"first": labels.get(first), "second": labels.get(second)}
    count = sum(all(sample["sought"][side] == label for side, label in pair.items()) for sample in report.gallery.samples)
    return {"count": count, "address": urlencode(pair)} if count and None not in pair.values() else None


def _map(shown: Sequence[Shown], named: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The dots of the map, and what each shows."""
    return [
        {
            "x": round(WIDTH * (one.x or 0), 1),
            "y": round(HEIGHT * (one.y or 0), 1),
            "region": one.region,
            "words": f"{one.first} or {one.second}",
        }
        for one in shown
    ]
