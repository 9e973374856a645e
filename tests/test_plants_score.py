"""The score of methods on planted differences, and the benchmark as files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gevaldi
from gevaldi.bundled.plants import PAIRS, REAL
from gevaldi.errors import RunFolderError, SpecError, UnknownName
from gevaldi.plants.answers import RegionsOfPairs, read_regions, score
from gevaldi.plants.data import answers, carried, draw, pictures_at, real_pictures
from gevaldi.plants.export import export
from gevaldi.plants.score import Reported, score_pair, total
from gevaldi.plants.words import rule_of, sentences

SLANT, MERGED, SWAPPED = (PAIRS[f"digits-{name}"] for name in ("slant-4-9", "merged-7-2", "swapped-3-5"))
ORDINARY = PAIRS["digits-none-1"]


def region(hits: int, of: int = 10, **named: Any) -> Reported:
    return Reported([True] * hits + [False] * (of - hits), **named)


def test_eight_of_the_first_ten_pictures_find_a_plant_and_seven_do_not() -> None:
    assert score_pair(SLANT, [region(8)]).found
    assert not score_pair(SLANT, [region(7)]).found


def test_pictures_after_the_tenth_do_not_count_and_missing_ones_are_misses() -> None:
    assert not score_pair(SLANT, [Reported([False] * 3 + [True] * 40)]).found
    assert not score_pair(SLANT, [region(7, of=7)]).found


def test_only_the_first_five_regions_can_find_a_plant() -> None:
    assert score_pair(SLANT, [region(0)] * 4 + [region(10)]).found
    assert not score_pair(SLANT, [region(0)] * 5 + [region(10)]).found


def test_classes_are_right_in_their_order_only() -> None:
    assert score_pair(SLANT, [region(10, first=4, second=9)]).classes
    assert not score_pair(SLANT, [region(10, first=9, second=4)]).classes
    assert not score_pair(SLANT, [region(10)]).classes
    assert score_pair(SWAPPED, [region(10, first=5, second=3)]).classes


def test_a_property_is_right_with_its_direction_only() -> None:
    assert score_pair(SLANT, [region(10, property="slant", above=True)]).property
    assert not score_pair(SLANT, [region(10, property="slant", above=False)]).property
    assert not score_pair(SLANT, [region(10, property="stroke", above=True)]).property


def test_merged_classes_have_no_property_to_name() -> None:
    assert score_pair(MERGED, [region(10)]).property
    assert not score_pair(MERGED, [region(10, property="slant", above=True)]).property


def test_the_first_region_that_finds_a_plant_names_it() -> None:
    regions = [region(2, first=4, second=9), region(9, first=9, second=4), region(10, first=4, second=9)]
    assert not score_pair(SLANT, regions).classes


def test_a_region_is_false_below_half_and_always_in_a_pair_without_a_plant() -> None:
    assert score_pair(SLANT, [region(4), region(5), region(10)]).false == 1
    assert score_pair(ORDINARY, [region(0), region(10)]).false == 2


def test_totals_count_plants_and_regions_over_all_pairs() -> None:
    right = region(10, first=4, second=9, property="slant", above=True)
    scores = [score_pair(SLANT, [right, region(0)]), score_pair(MERGED, []), score_pair(ORDINARY, [region(0)] * 2)]
    own = total(scores)
    assert (own.plants, own.ordinary, own.false_ordinary) == (2, 1, 2)
    assert (own.found.value, own.classes.value, own.property.value, own.false.value) == (0.5, 0.5, 0.5, 0.75)
    assert sentences(scores) == [
        "Of 2 plants, 1 were found, 1 with the right classes in the right order and 1 with the right property.",
        "Of 4 reported regions, 3 are false; 2 of these are in the 1 pairs without a plant.",
    ]


def test_a_score_without_any_region_is_a_sentence() -> None:
    assert sentences([score_pair(ORDINARY, [])]) == ["No region was reported."]


def test_the_rule_of_a_pair_is_said_in_words() -> None:
    assert rule_of(SLANT) == "4 as 9: slant above 12°"
    assert rule_of(MERGED) == "7 as 2"
    assert rule_of(SWAPPED) == "3 as 5, 5 as 3: slant above 15°"
    assert rule_of(PAIRS["garments-tall-bag-shirt"]) == "Bag as Shirt: height above 77 %"
    assert "rows 5 to 10, columns 17 to 22 (top right) above 46 %" in rule_of(PAIRS["digits-patch-2-8"])
    assert rule_of(ORDINARY) == "–"


def test_a_method_that_reports_the_pictures_that_carry_the_plant_has_the_full_score(tmp_path: Path) -> None:
    pictures, _ = draw("digits", range(1000))
    found = answers(SLANT, pictures)
    hits = np.flatnonzero(found.carries & (found.first.argmax(1) != found.second.argmax(1)))[:10]
    own = {"exemplars": hits.tolist(), "first": "4", "second": 9, "property": "slant", "above": True}
    file = tmp_path / "regions.json"
    file.write_text(json.dumps({"pairs": {SLANT.name: [own], ORDINARY.name: []}}))
    (first, second) = score(read_regions(file))
    assert first.found and first.classes and first.property  # noqa: PT018
    assert (first.false, second.reported) == (0, 0)


def test_a_draw_depends_on_its_number_alone() -> None:
    both, _ = draw("garments", [3, 7])
    alone, condition = draw("garments", [7])
    assert np.allclose(both[1:], alone, atol=1e-6)
    assert 0 <= condition[0] < 10


def test_real_pictures_can_be_exemplars() -> None:
    pictures, _ = real_pictures(REAL["digits"])
    hits = np.flatnonzero(carried(SLANT, pictures))[:10].tolist()
    regions = {"pairs": {SLANT.name: [{"exemplars": hits}]}, "pictures": {"digits": REAL["digits"]}}
    assert score(RegionsOfPairs.model_validate(regions))[0].found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "docs/plants.md"),
        ("{", "docs/plants.md"),
        ('{"pairs": {"digits-none-1": [{"exemplars": ["a"]}]}}', "exemplars"),
        ('{"pairs": {"digits-none-1": [{"exemplars": [], "name": "x"}]}}', "name"),
        ('{"pairs": {"digits-none-1": {}}}', "list"),
    ],
)
def test_a_file_of_another_form_is_refused_in_a_sentence(content: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "regions.json"
    file.write_text(content)
    with pytest.raises(SpecError, match=words):
        read_regions(file)


def test_unknown_pairs_classes_and_pictures_are_refused() -> None:
    def answer(**own: Any) -> RegionsOfPairs:
        return RegionsOfPairs.model_validate({"pairs": {ORDINARY.name: [{"exemplars": [0], **own}]}})

    with pytest.raises(UnknownName, match="digits-none-1"):
        score(RegionsOfPairs.model_validate({"pairs": {"digits-none-0": []}}))
    with pytest.raises(UnknownName, match="eleven"):
        score(answer(first="eleven"))
    with pytest.raises(SpecError, match="0 to 9"):
        score(answer(second=10))
    with pytest.raises(SpecError, match="start at 0"):
        score(answer(exemplars=[-1]))
    with pytest.raises(SpecError, match="1,000"):
        pictures_at(REAL["digits"], "digits", [1000])


@pytest.mark.slow
def test_the_exported_benchmark_agrees_with_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.plants.export.real_pictures", lambda name: tuple(own[::4] for own in real_pictures(name)))
    export(tmp_path / "plants", draws=20)
    folder = tmp_path / "plants"
    truth = json.loads((folder / "truth.json").read_text())
    assert [pair["name"] for pair in truth] == list(PAIRS)
    for pair in truth:
        label = np.load(folder / f"{pair['world']}-real.npz")["label"]
        with np.load(folder / f"{pair['name']}-real.npz") as found:
            first, second, carries = found["first"], found["second"], found["carries"]
        assert first.shape == second.shape == (250, 10)
        assert (first.argmax(1) == label).mean() > 0.85
        assert np.allclose(np.exp(second).sum(1), 1, atol=1e-3)
        if pair["plant"] is None:
            assert not carries.any()
            continue
        read = {pair["classes"].index(one["as"]) for one in pair["plant"]["reads"]}
        assert carries.any()
        assert np.isin(second[carries].argmax(1), list(read)).all()
    with pytest.raises(RunFolderError, match="already holds files"):
        export(folder)


@pytest.mark.slow
def test_the_command_lists_pairs_and_scores_a_file(tmp_path: Path) -> None:
    file = tmp_path / "regions.json"
    file.write_text(json.dumps({"pairs": {ORDINARY.name: [{"exemplars": [1, 2]}]}}))
    script = "from sys import argv; from gevaldi.cli.main import app; "
    script += "[app(['plant', *words], standalone_mode=False) for words in ([], argv[1:])]"
    command = [sys.executable, "-c", script, "score", str(file)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in listed[: 1 + len(PAIRS)]] == ["pair", *PAIRS]
    assert "4 as 9: slant above 12°" in listed[3]
    assert "Of 1 reported regions, 1 are false" in "".join(listed)


@pytest.mark.slow
def test_two_classifiers_of_a_pair_can_be_compared_like_any_others(tmp_path: Path) -> None:
    few = {"samples": 3, "steps": 20, "audited": 20, "conditions": [4]}
    comparison = gevaldi.compare(SLANT.first, SLANT.second, "bundled:mnist-vae", out=tmp_path / "run", **few)
    rows = comparison.rows()
    assert len(rows) == 6
    assert rows["error"].isna().all()
    assert (rows["divergence_end"] >= rows["divergence_start"]).all()
