"""Pairs of the benchmark in words."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from gevaldi.bundled.plants import GENERATORS, Pair, Plant
from gevaldi.bundled.worlds import world_of
from gevaldi.plants.score import PairScore, total
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import FEW, counted, interval, percentage


def classes_of(world: str) -> list[str]:
    """The names of a world's classes, in the order of the predictions."""
    classes = world_of(GENERATORS[world].partition(":")[2]).data.classes
    return [label if isinstance(label, str) else label[1] for label in classes]


def rule_of(pair: Pair) -> str:
    """What the second classifier misreads: `4 as 9: slant above 12°`; a dash for nothing."""
    if pair.plant is None:
        return "–"
    classes = classes_of(pair.world)
    reads = ", ".join(f"{classes[a]} as {classes[b]}" for a, b in pair.plant.reads)
    return f"{reads}: {_bound(pair.plant)}" if pair.plant.property else reads


def _bound(plant: Plant) -> str:
    from gevaldi.properties import unit_of

    side, box, name = "above" if plant.above else "below", plant.box, plant.property or ""
    if box is None:
        return f"{name} {side} {plant.bound:g}{unit_of(name)}"
    where = f"rows {box.top} to {box.bottom - 1}, columns {box.left} to {box.right - 1} ({name})"
    return f"brightness of {where} {side} {plant.bound:g} %"


@cache
def shares() -> dict[str, dict[str, float]]:
    """For each plant, the share of the misread classes' pictures that carry it: of 10,000 `drawn` and 10,000 `real` ones."""
    found: dict[str, dict[str, float]] = json.loads(files("gevaldi.plants").joinpath("shares.json").read_text(encoding="utf-8"))
    return found


def shares_of(pair: Pair) -> tuple[str, str]:
    """These shares in words: of draws, and of real test pictures."""
    own = shares().get(pair.name)
    return (percentage(own["drawn"]), percentage(own["real"])) if own else ("–", "–")


def sentences(scores: Sequence[PairScore]) -> list[str]:
    """The scores of all pairs together."""
    own = total(scores)
    lines = []
    if own.plants:
        lines.append(
            f"Of {own.plants} plants, {counts(own.found)} were found, {counts(own.classes)} with the right classes in the right "
            f"order and {counts(own.property)} with the right property."
        )
    if not own.false.count:
        return [*lines, "No region was reported."]
    rest = f"; {own.false_ordinary:,} of these are in the {own.ordinary} pairs without a plant" if own.ordinary else ""
    return [*lines, f"Of {own.false.count:,} reported regions, {counts(own.false)} are false{rest}."]


def counts(share: Estimate) -> str:
    """How many, and what share with its 95 % interval: 27 (87 %; 70 to 96 %); of fewer than ten, how many alone."""
    number = round(share.value * share.count)
    return f"{number:,} ({counted(share)}; {interval(share)})" if share.count >= FEW else str(number)
