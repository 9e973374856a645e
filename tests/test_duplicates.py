"""Near-duplicates: who is like whom by a plain double loop, and what pages, tables and exports make of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gevaldi.exports import export
from gevaldi.figures import figure_of
from gevaldi.measures.duplicates import Deduplicated, choose, leaders
from gevaldi.reports.page import render
from gevaldi.runs import near_duplicates as reading
from gevaldi.runs.near_duplicates import deduplicate, summary_of
from gevaldi.runs.store.run import Run
from test_reports import Page, made, prediction, row


def by_two_loops(latents: np.ndarray, reach: float) -> list[int]:
    like: list[int] = []
    for i, z in enumerate(latents):
        found = [j for j in range(i) if like[j] == j and np.linalg.norm(z - latents[j]) <= reach]
        like.append(found[0] if found else i)
    return like


@given(st.integers(0, 700), st.integers(1, 3), st.floats(0.05, 3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_each_is_like_the_first_distinct_one_in_reach_as_two_loops_find_it(n: int, d: int, reach: float, seed: int) -> None:
    latents = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    apart = np.linalg.norm(latents[:, None] - latents, axis=-1)
    if (np.abs(apart - reach) > 1e-3).all():  # otherwise rounding decides
        assert leaders(latents, reach).tolist() == by_two_loops(latents, reach)


def test_more_distinct_ones_than_fit_into_a_block_are_all_looked_at() -> None:
    places = np.arange(5000, dtype=np.float32)[:, None]
    twice = np.concatenate([places, places[::-1] + 0.1])
    assert leaders(twice, 0.5).tolist() == [*range(5000), *range(4999, -1, -1)]


def test_latents_that_are_no_numbers_are_like_none() -> None:
    assert leaders(np.full((3, 2), np.nan, np.float32), 1.0).tolist() == [0, 1, 2]


def alike(index: int, end: list[float], **others: Any) -> dict[str, Any]:
    """A row of the forward order that ends there, as all of them do with the same classes, after a start of its own."""
    start = np.random.default_rng(index).normal(size=len(end)).tolist()
    classes = {"first_end": prediction("dog"), "second_end": prediction("eel")}
    return row(index) | classes | {"order": "forward", "z_start": start, "z_end": end, **others}


def run_of(folder: Path, rows: list[dict[str, Any]], parts: int = 1, samples: int | None = None) -> Run:
    run = made(folder, rows[::parts], samples=samples or len(rows))
    for i in range(1, parts):
        run.append(rows[i::parts])
    return run


FAR, HERE = [9.0] * 8, [0.0] * 8
OTHERS = [
    {"condition": 1},
    {"first_end": prediction("cat")},
    {"second_end": prediction("cat")},
    {"z_end": FAR},
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: next(iter(other)))
def test_near_ends_are_duplicates_only_in_one_condition_and_between_the_same_classes(tmp_path: Path, other: Any) -> None:
    far = [alike(i, FAR, first_end=prediction("ape")) for i in range(2, 20)]  # starts, which say what is typical
    assert deduplicate(run_of(tmp_path / "same", [alike(0, HERE), alike(1, HERE), *far])).like[:2].tolist() == [1, 1]
    assert deduplicate(run_of(tmp_path / "other", [alike(0, HERE), alike(1, HERE, **other), *far])).like[:2].tolist() == [0, 1]


def test_near_ends_of_both_orders_are_duplicates_and_count_once(tmp_path: Path) -> None:
    far = [alike(i, FAR, first_end=prediction("ape")) for i in range(2, 20)]
    found = deduplicate(run_of(tmp_path, [alike(0, HERE), alike(1, HERE, order="reverse"), *far]))
    assert found.like[:2].tolist() == [1, 1]
    assert (
        found.distinct_of("forward") + found.distinct_of("reverse")
        == (found.first[found.distinct] != found.second[found.distinct]).sum()
    )


def test_near_is_half_of_what_two_draws_of_the_prior_are_apart_in_the_mean(tmp_path: Path) -> None:
    far = [alike(i, FAR, first_end=prediction("ape")) for i in range(2, 400)]
    typical = np.sqrt(2 * 8)  # of standard normal draws of eight numbers
    for i, (part, near) in enumerate(((0.45, True), (0.55, False))):
        end = [part * typical, *[0.0] * 7]
        deduplicated = deduplicate(run_of(tmp_path / str(i), [alike(0, HERE), alike(1, end), *far]))
        assert (deduplicated.like[0] == 1) == near


def test_of_searches_that_all_start_at_one_place_only_equal_ends_are_duplicates(tmp_path: Path) -> None:
    ends = [HERE, HERE, [0.1, *HERE[1:]]]
    deduplicated = deduplicate(run_of(tmp_path, [alike(i, end, z_start=HERE) for i, end in enumerate(ends)]))
    assert deduplicated.like[:3].tolist() == [1, 1, 2]
    assert deduplicated.duplicates == (1, 1)


def test_what_failed_or_was_not_predicted_or_is_not_there_is_like_none(tmp_path: Path) -> None:
    rows = [alike(0, HERE), row(1, failed=True), alike(2, HERE, first_end=None), alike(3, HERE, second_end=[])]
    deduplicated = deduplicate(run_of(tmp_path, rows, samples=6))
    assert deduplicated.like.tolist() == [0, -1, -1, -1, *[-1] * 8]
    assert deduplicated.duplicates == (0, 0)


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[dict[str, Any]]]:
    """60 searches that end in 12 wells, which have two pairs of classes; the divergence rises with the index."""
    random = np.random.default_rng(0)
    centres = 20 * random.normal(size=(12, 8))
    rows = []
    for i in range(60):
        well = int(random.integers(12))
        classes = {"first_end": prediction(("dog", "ape")[well % 2])}
        rows.append(alike(i, (centres[well] + 0.01 * random.normal(size=8)).tolist(), **classes))
    return run_of(tmp_path_factory.mktemp("wells"), rows, parts=7), rows


@pytest.fixture
def deduplicated(wells: tuple[Run, list[dict[str, Any]]]) -> Deduplicated:
    return deduplicate(wells[0])


def test_a_distinct_sample_has_the_largest_divergence_of_all_that_are_like_it(deduplicated: Deduplicated) -> None:
    assert (deduplicated.divergence[deduplicated.like[:60]] >= deduplicated.divergence[:60]).all()
    assert len(deduplicated.distinct) == 12
    assert (np.diff(deduplicated.divergence[deduplicated.distinct]) < 0).all()
    assert deduplicated.alike.sum() == 48


def test_parts_and_a_memory_for_few_latents_change_nothing(
    tmp_path: Path, wells: tuple[Run, list[dict[str, Any]]], deduplicated: Deduplicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (deduplicate(run_of(tmp_path, wells[1])).like == deduplicated.like).all()
    monkeypatch.setattr(reading, "BUDGET", 100)
    assert (deduplicate(wells[0]).like == deduplicated.like).all()


def test_the_summary_counts_distinct_samples_that_end_with_different_classes(wells: tuple[Run, Any]) -> None:
    (summary,) = summary_of(wells[0])
    assert (summary.samples, summary.distinct) == (60, 12)


def test_long_latents_are_as_far_apart_as_their_sums_say_to_a_quarter() -> None:
    latents = np.random.default_rng(1).normal(size=(40, 4000)).astype(np.float32)
    fewer = reading._fewer(latents)
    assert fewer.shape == (40, 128)
    a, b = np.triu_indices(40, 1)
    ratio = np.linalg.norm(fewer[a] - fewer[b], axis=1) / np.linalg.norm(latents[a] - latents[b], axis=1)
    assert 0.75 < ratio.min() < ratio.max() < 1.25
    assert ratio.std() == pytest.approx(1 / np.sqrt(2 * 128), rel=0.2)


def of_pairs(sizes: list[int], agreeing: int) -> Deduplicated:
    first = np.concatenate([np.full(size, i) for i, size in enumerate(sizes)] + [np.full(agreeing, 99)]).astype(np.int32)
    second = np.where(first == 99, 99, 50).astype(np.int32)
    divergence = np.random.default_rng(0).permutation(len(first)).astype(np.float32)
    return Deduplicated(np.arange(len(first)), first, second, divergence, np.zeros(len(first), bool))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 10), st.integers(1, 120))
def test_those_chosen_are_the_largest_under_the_least_limit_a_pair_that_fills_the_page(
    sizes: list[int], agreeing: int, count: int
) -> None:
    deduplicated = of_pairs(sizes, agreeing)
    choice = choose(deduplicated, count)
    differing = sum(sizes)
    assert (choice.pairs, choice.differing) == (len(sizes), differing)
    assert len(choice.indices) == min(count, differing + agreeing)
    assert (np.diff(deduplicated.divergence[choice.indices]) < 0).all()
    shown = deduplicated.first[choice.indices]
    assert choice.shown == len({*shown.tolist()} - {99})
    assert (shown == 99).sum() == max(0, min(count, differing + agreeing) - differing)
    assert all((shown == i).sum() <= choice.most for i in range(len(sizes)))
    assert sum(min(size, choice.most) for size in sizes) >= min(count, differing)
    assert sum(min(size, choice.most - 1) for size in sizes) < count
    for i in range(len(sizes)):  # of each pair, those with the largest divergence
        own = np.sort(deduplicated.divergence[deduplicated.first == i])[::-1]
        there = np.sort(deduplicated.divergence[choice.indices[shown == i]])[::-1]
        assert (own[: len(there)] == there).all()


@pytest.mark.slow
def test_a_page_that_has_room_shows_all_and_says_which_are_alike(wells: tuple[Run, Any]) -> None:
    page = Page(render(wells[0]))
    assert len([tag for tag, _ in page.tags if tag == "article"]) == 60
    assert "48 samples are near-duplicates of 12 others, which leaves 12 distinct samples." in page.words
    assert page.words.count("a near-duplicate of sample") == 48
    assert "the page shows" not in page.words


@pytest.mark.slow
def test_a_page_of_some_samples_shows_no_near_duplicates_and_says_which_it_shows_and_how_many_there_are(
    wells: tuple[Run, Any], deduplicated: Deduplicated
) -> None:
    page = Page(render(wells[0], limit=6))
    numbers = [int(str(a["id"]).removeprefix("sample-")) for tag, a in page.tags if tag == "article"]
    assert numbers == choose(deduplicated, 6).indices.tolist()
    assert {deduplicated.first[i] for i in numbers} == {ord("a"), ord("d")}
    assert "Of 60 samples the page shows 6, without near-duplicates" in page.words
    assert "but at most 3 for each pair of classes, so that no confusion fills the page; they cover 2 of the 2 pairs" in page.words
    dogs = int((deduplicated.first == ord("d")).sum())
    assert f"{deduplicated.alike[numbers[0]]} near-duplicates" in page.words
    assert f"{dogs} end with these two classes" in page.words


def test_a_page_with_more_room_than_there_are_distinct_samples_says_so(wells: tuple[Run, Any]) -> None:
    page = Page(render(wells[0], limit=30))
    assert len([tag for tag, _ in page.tags if tag == "article"]) == 12
    assert "Of 60 samples the page shows 12, without near-duplicates" in page.words


def test_failed_samples_do_not_make_a_page_leave_out_others(tmp_path: Path) -> None:
    rows = [row(i, failed=i >= 10) for i in range(40)]
    page = Page(render(made(tmp_path, rows, samples=20), limit=10))
    assert len([tag for tag, _ in page.tags if tag == "article"]) == 30
    assert "Of 40 samples the page shows all 10 that did not fail; and 20 of the 30 that failed." in page.words


def test_an_export_of_distinct_samples_keeps_of_each_well_the_largest_that_passes(
    wells: tuple[Run, Any], deduplicated: Deduplicated, tmp_path: Path
) -> None:
    done = export(wells[0], "imagefolder", tmp_path / "all", label="first", distinct=True)
    assert done.samples == 12
    assert "48 samples left out: near-duplicates of samples with a larger divergence." in done.notes
    some = export(wells[0], "parquet", tmp_path / "some", label="first", distinct=True, where=["index<30"])
    import pandas as pd

    left = set(pd.read_parquet(some.path)["index"])
    expected = {max(i for i in range(30) if deduplicated.like[i] == well) for well in set(deduplicated.like[:30])}
    assert left == expected


def test_a_figure_of_distinct_samples_draws_no_near_duplicates(wells: tuple[Run, Any]) -> None:
    figures = [figure_of(wells[0], f"samples,count=20{more}") for more in ("", ",distinct=true")]
    assert [sum("nats" in text.get_text() for text in figure.texts) for figure in figures] == [20, 12]
