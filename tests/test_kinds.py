"""Kinds of failure: the examples that the paper discusses in Appendix C come out as it says."""

from typing import Any

import pytest

from gevaldi.measures.kinds import RULES, Scale, kind
from gevaldi.taxonomy import Taxonomy, distances, edge_counts, registry

ILSVRC: Taxonomy = registry.get("ilsvrc")()
SCALE = Scale(edge_counts(ILSVRC))
PUBLISHED = distances(ILSVRC)


def prediction(name: str | None) -> list[dict[str, Any]]:
    if name is None:
        return []
    found = ILSVRC.find(name)
    return [{"label": ILSVRC.classes.index(found), "name": name, "id": found, "probability": 0.6}]


def row(asked: str | None, *, first: tuple[str | None, str], second: tuple[str | None, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"target_classes": [ILSVRC.classes.index(ILSVRC.find(asked))] if asked else []}
    for side, (before, after) in (("first", first), ("second", second)):
        found |= {f"{side}_start": prediction(before), f"{side}_end": prediction(after)}
        found |= {f"target_{side}_start": 0.7 if asked else None, f"target_{side}_end": 0.6 if asked else None}
    return found


def apart(found: dict[str, Any], stage: str) -> float:
    first, second = (found[f"{side}_{stage}"][0]["label"] for side in ("first", "second"))
    return float(PUBLISHED[first, second])


def test_the_harvestman_that_one_calls_a_barn_spider_is_a_flip_at_the_same_level() -> None:
    sample = row("harvestman", first=("harvestman", "harvestman"), second=("harvestman", "barn spider"))
    assert (apart(sample, "start"), apart(sample, "end")) == (0.0, 1.0)
    assert kind(sample, SCALE) == {
        "flipped": "second", "shift": "same level", "shift_first": 0.0, "shift_second": 1.0,
        "right_start": "both", "right_end": "first", "both_more_confident": False,
    }  # fmt: skip


def test_the_orange_that_one_calls_a_maraca_is_a_lateral_shift() -> None:
    sample = row("Granny Smith", first=("orange", "maraca"), second=("Granny Smith", "Granny Smith"))
    assert (apart(sample, "start"), apart(sample, "end")) == (2.0, 7.0)
    found = kind(sample, SCALE)
    assert (found["flipped"], found["shift"]) == ("first", "lateral")
    assert (found["right_start"], found["right_end"]) == ("second", "second")


def test_a_picture_that_both_come_to_read_rightly_is_one_on_which_both_became_surer() -> None:
    both = row("brambling", first=("goldfinch", "brambling"), second=("house finch", "brambling"))
    found = kind(both | {"target_first_start": 0.1, "target_second_start": 0.2}, SCALE)
    assert (found["right_start"], found["right_end"], found["both_more_confident"]) == ("neither", "both", True)
    already = row("brambling", first=("brambling",) * 2, second=("brambling",) * 2)
    assert kind(already, SCALE)["both_more_confident"] is False
    more = already | {"target_first_end": 0.9, "target_second_end": 0.8}
    assert (kind(more, SCALE)["flipped"], kind(more, SCALE)["shift"], kind(more, SCALE)["both_more_confident"]) == (
        "neither",
        None,
        True,
    )


@pytest.mark.parametrize(
    ("before", "after", "shift"),
    [
        ("brambling", "goldfinch", "same level"),  # two finches, 2 edges
        ("brambling", "hummingbird", "near"),  # 6 edges, of 12.59 in the mean
        ("tench", "great white shark", "near"),
        ("racket", "vine snake", "lateral"),  # 15 edges
    ],
)
def test_a_shift_is_told_by_the_edges_it_covers(before: str, after: str, shift: str) -> None:
    assert kind(row(None, first=(before, after), second=(after, after)), SCALE)["shift"] == shift


def test_the_farther_of_two_flips_decides() -> None:
    sample = row(None, first=("brambling", "goldfinch"), second=("brambling", "maraca"))
    assert (kind(sample, SCALE)["flipped"], kind(sample, SCALE)["shift"]) == ("both", "lateral")


def test_what_is_not_known_is_not_said() -> None:
    without = kind(row(None, first=("orange", "maraca"), second=("orange", "orange")))
    assert (without["flipped"], without["shift"], without["shift_first"], without["right_end"]) == ("first", None, None, None)
    assert set(kind(row(None, first=(None, "maraca"), second=("orange", "orange")), SCALE).values()) == {None}


def test_the_mean_that_parts_near_from_lateral_is_that_of_all_pairs_of_classes() -> None:
    assert SCALE.mean == pytest.approx(12.59, abs=0.005)
    assert {"same level", "near", "lateral"} < RULES.keys()


def test_a_report_defines_words_and_no_names_of_columns() -> None:
    assert not [term for term in RULES if "_" in term]
