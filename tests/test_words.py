"""Counts, shares and intervals in words."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.statistics.intervals import share
from gevaldi.statistics.words import FEW, counted, interval, percentage, with_interval


@pytest.mark.parametrize(
    ("successes", "trials", "text"),
    [
        (1, 1, "1 of 1"),
        (3, 4, "3 of 4"),
        (0, 9, "0 of 9"),
        (10, 10, "100 %"),
        (63, 64, "98 %"),
        (199, 200, "99.5 %"),
        (999, 1_000, "99.9 %"),
        (9_999, 10_000, "99.99 %"),
        (1, 10_000, "0.01 %"),
        (9_894, 10_000, "98.94 %"),
        (9_895, 10_000, "98.95 %"),
        (10_000, 10_000, "100.00 %"),
    ],
)
def test_a_share_has_the_digits_that_its_count_allows(successes: int, trials: int, text: str) -> None:
    assert counted(share(successes, trials)) == text


@given(st.integers(FEW, 3_000_000), st.data())
def test_all_and_none_are_all_and_none_and_larger_counts_are_never_shown_as_smaller(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    text = counted(share(successes, trials))
    assert (float(text.split()[0]) == 100) == (successes == trials)
    assert (float(text.split()[0]) == 0) == (successes == 0)
    if successes < trials:
        assert float(counted(share(successes + 1, trials)).split()[0]) >= float(text.split()[0])


@given(st.integers(0, 2_000), st.integers(1, 2_000))
def test_an_interval_holds_its_share_and_stays_within_0_and_100(successes: int, trials: int) -> None:
    found = share(min(successes, trials), trials)
    if trials < FEW:
        assert with_interval(found) == f"{min(successes, trials)} of {trials} (too few for an interval)"
        return
    low, high = (float(n) for n in re.findall(r"[\d.]+", interval(found).replace("< ", "").replace("> ", "")))
    assert 0 <= low <= float(re.findall(r"[\d.]+", counted(found))[0]) <= high <= 100


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 %"), (0.0001, "< 1 %"), (0.9999, "> 99 %"), (1.0, "100 %"), (float("nan"), "–")]
)
def test_a_share_of_unknown_count_is_not_rounded_to_all_or_none(value: float, text: str) -> None:
    assert percentage(value) == text


def test_a_notebook_shows_sentences_a_table_and_pictures_and_no_walls_of_numbers(tmp_path: Path) -> None:
    done = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), samples=12, steps=5, out=tmp_path)
    page = done._repr_html_()
    assert page.count("<img") == 6
    assert page.count("<th>forward</th>") == 1
    assert "95 %" in page or " to " in page
    table = done.summary()._repr_html_()  # type: ignore[attr-defined]
    assert "<table>" in table
    assert "<img" not in table
    assert "Estimate(" not in repr(done.summary())
    assert max(map(len, repr(done.summary()).split(">,"))) < 300


def test_a_comparison_of_hostile_names_is_shown_as_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    pair = [gevaldi.classifier(small_classifier(i).module, labels=[bad, "b", "c"], name=f"{bad}{i}").eval() for i in range(2)]
    assert "<script" not in gevaldi.compare(*pair, small_generator(), samples=2, steps=3, out=tmp_path)._repr_html_()


def test_under_ten_samples_nothing_is_a_share(tmp_path: Path) -> None:
    done = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), samples=1, steps=3, out=tmp_path)
    page = done.report().read_text()
    assert "too few for an interval" in page
    assert not re.search(r"\b100 % of 1 sample", page)
