"""Decisions that allow for wrong labels: what they claim, and that they are right about it."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gevaldi.cli.main import app
from gevaldi.errors import SpecError
from gevaldi.labelling.store import Store
from gevaldi.verdicts.answers import CANNOT_TELL, WITHDRAWN, Answer
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.label_error import Check, LabelError, label_error_of
from gevaldi.verdicts.people import measured_error
from gevaldi.verdicts.record import record_of
from gevaldi.verdicts.responses import Response
from gevaldi.verdicts.sentences import sentences
from gevaldi.verdicts.start import verdict_on
from test_verdicts import CLASSES, difference, label_all, pool_of, random_pool, tables


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_labels_of_which_w_are_wrong_change_the_difference_by_2w_over_n_at_most(rows: list[tuple[int, int, int, int]]) -> None:
    old, new, truth, labels = np.array(rows).T
    pool = pool_of(old, new)
    wrong = int(((labels != truth) & (old != new)).sum())
    assert abs(difference(pool, labels) - difference(pool, truth)) <= 2 * wrong / len(rows) + 1e-12


@given(st.integers(1, 500), st.floats(0.001, 0.49), st.floats(0.001, 0.2))
def test_more_labels_are_wrong_than_the_bound_says_with_the_given_probability_at_most(
    labels: int, rate: float, miss: float
) -> None:
    from scipy.stats import binom

    bound = LabelError(rate).most_wrong(labels, miss)
    assert binom.sf(bound, labels, rate) <= miss + 1e-9
    assert bound == 0 or binom.sf(bound - 1, labels, rate) > miss - 1e-9
    assert bound >= int(labels * rate) * (miss < 0.2)


@pytest.mark.slow
def test_a_measured_rate_is_above_the_true_one_however_often_one_looks() -> None:
    rng, below = np.random.default_rng(0), 0
    for _ in range(300):
        seen = np.cumsum(rng.random(100) < 0.1)
        below += any(LabelError(None, Check(int(seen[i]), i + 1)).rate(0.05) < 0.1 for i in range(4, 100, 5))
    assert below <= 25  # 15 expected at most


def test_nothing_measured_allows_for_any_error_and_both_checks_share_the_probability_to_miss() -> None:
    assert LabelError(None).most_wrong(70, 0.05) == 70
    alone, both = LabelError(None, Check(2, 50)), LabelError(None, Check(2, 50), Check(0, 50))
    assert alone.rate(0.05) < both.rate(0.05) == alone.rate(0.025)
    assert LabelError(0.0).most_wrong(70, 0.05) == 0


def with_errors(pool: Any, truth: np.ndarray, share: float, seed: int, only_for: int | None = None) -> np.ndarray:
    """Labels of which a share is wrong among disputed pictures; if asked, only in favour of one side."""
    rng = np.random.default_rng(seed)
    old, new = (own.top[:, 0] for own in pool.predictions)
    wrong = (rng.random(len(truth)) < share) & (old != new)
    side = np.where(rng.random(len(truth)) < 0.5, old, new) if only_for is None else (old, new)[only_for]
    return np.where(wrong, side, truth)


@pytest.mark.slow
@pytest.mark.parametrize("only_for", [None, 0, 1])
def test_an_interval_that_allows_for_the_errors_contains_the_true_difference(only_for: int | None) -> None:
    missed = {None: 0, 0.05: 0}
    for seed in range(60):
        pool, truth = random_pool(300, seed=seed, differ=0.8)
        labels = with_errors(pool, truth, 0.05, seed, only_for)
        for claimed in missed:
            verdict = verdict_on(pool, label_error=claimed, seed=seed)
            label_all_by(verdict, labels)
            missed[claimed] += not verdict.interval.low - 1e-9 <= difference(pool, truth) <= verdict.interval.high + 1e-9
    assert missed[0.05] <= 3
    assert missed[None] > 20


def label_all_by(verdict: Assessment, labels: np.ndarray) -> None:
    verdict.add(
        {text: CLASSES[labels[place]].name for text, place in zip(verdict.ids_at(verdict.disputed), verdict.disputed, strict=True)}
    )


def test_the_allowance_widens_differences_flips_and_the_path_alike_and_ends_nowhere_exact() -> None:
    pool, truth = random_pool(400, differ=0.5)
    plain, allowed = verdict_on(pool), verdict_on(pool, label_error="5%")
    for verdict in (plain, allowed):
        label_all_by(verdict, truth)
    wrong, size = allowed.main.most_wrong(), len(pool)
    assert 0 < wrong < 0.2 * allowed.main.disputed
    assert allowed.interval.value == plain.interval.value
    assert allowed.interval.low == pytest.approx(plain.interval.low - 2 * wrong / size)
    assert allowed.interval.high == pytest.approx(plain.interval.high + 2 * wrong / size)
    assert allowed.flips.negative.high == pytest.approx(plain.flips.negative.value + wrong / size)
    assert allowed.main.path()[-1][1:] == pytest.approx((allowed.interval.low, allowed.interval.high))
    low, high = allowed.main.on_pictures_like_these()
    assert low <= allowed.interval.low <= allowed.interval.high <= high
    assert plain.main.is_exact
    assert not allowed.main.is_exact
    assert any("each is claimed to be wrong with a chance of at most 5 %" in one for one in sentences(allowed))
    assert record_of(allowed)["pairs"][0]["wrong_labels_at_most"] == wrong


def test_an_error_of_zero_is_none() -> None:
    pool, truth = random_pool()
    verdict = verdict_on(pool, label_error=0)
    label_all(verdict, truth)
    assert verdict.main.is_exact


def test_without_labels_the_interval_stays_within_the_share_that_differs() -> None:
    pool, _ = random_pool()
    for claimed in (None, 0.1, "measured"):
        verdict = verdict_on(pool, label_error=claimed)
        assert verdict.interval.high == verdict.main.disputed / len(pool) == -verdict.interval.low
    assert any("is not measured yet" in one for one in sentences(verdict))


def test_a_forecast_knows_that_wrong_labels_make_a_decision_longer() -> None:
    pool = pool_of([0] * 1000, [1] * 1000)
    ahead = []
    for claimed in (None, 0.1):
        verdict = verdict_on(pool, label_error=claimed, require="better")
        verdict.add({item.id: "dog" if i % 4 else "cat" for i, item in enumerate(verdict.next(12))})
        ahead.append(verdict.forecast.labels)
    assert ahead[0] < ahead[1]


def controls(folder: Path, answers: list[tuple[str, str]]) -> None:
    with contextlib.closing(Store(folder)) as store:
        for picture, answer in answers:
            store.add(Response("Ada", picture, "control", 1, answer, key=picture), lambda _: None)


def test_errors_are_measured_by_two_people_and_by_controls(tmp_path: Path) -> None:
    pool = pool_of([0] * 50 + [2] * 10, [1] * 50 + [2] * 10)
    controls(tmp_path, [("p50", "bird"), ("p51", "cat"), ("p52", CANNOT_TELL), ("p0", "cat")])
    answers = [Answer(f"p{i}", "cat", "Ada") for i in range(20)]
    answers += [Answer(f"p{i}", said, "Ben") for i, said in enumerate(["cat"] * 7 + ["dog", CANNOT_TELL])]
    found = measured_error(pool, answers, tmp_path)
    assert found.pairs == Check(2, 9)
    assert found.controls == Check(1, 3)  # p0 is disputed, and so its class is not known


def test_a_disagreement_that_was_settled_still_measures_the_error_and_an_undone_slip_does_not(tmp_path: Path) -> None:
    pool = pool_of([0] * 60, [1] * 60)
    answers = [Answer(f"p{i}", "cat", who) for i in range(9) for who in ("Ada", "Ben")]
    settled = [Answer("p20", "cat", "Ada"), Answer("p20", "dog", "Ben"), Answer("p20", "cat", "Ben")]
    slip = [Answer("p21", "dog", "Ada"), Answer("p21", WITHDRAWN, "Ada"), Answer("p21", "cat", "Ada"), Answer("p21", "cat", "Ben")]
    assert measured_error(pool, [*answers, *settled, *slip], tmp_path).pairs == Check(1, 11)


def test_while_somebody_is_compared_with_nobody_nothing_is_measured(tmp_path: Path) -> None:
    pool = pool_of([0] * 60, [1] * 60)
    pairs = [Answer(f"p{i}", "cat", who) for i in range(30) for who in ("Ada", "Ben")]
    alone = [Answer(f"p{i}", "dog", "Cem") for i in range(30, 50)]
    assert measured_error(pool, [*pairs, *alone], tmp_path).rate(0.05) == 1
    assert measured_error(pool, [*pairs, *alone, Answer("p0", "cat", "Cem")], tmp_path).rate(0.05) == 1  # Ada and Ben were first
    assert measured_error(pool, [Answer("p0", "cat", "Cem"), *pairs, *alone], tmp_path).rate(0.05) < 0.3


def test_people_who_agree_on_many_pictures_decide_and_those_who_differ_do_not() -> None:
    pool = pool_of([0] * 300, [1] * 300)
    rng = np.random.default_rng(0)
    for second, state in (("dog", "holds"), ("at random", "undecided")):
        verdict = verdict_on(pool, label_error="measured", require="better")
        said = rng.choice(["dog", "cat"], 300) if second == "at random" else ["dog"] * 300
        verdict.add(
            [Answer(f"p{i}", "dog", "Ada") for i in range(300)] + [Answer(f"p{i}", str(said[i]), "Ben") for i in range(300)]
        )
        assert verdict.state == state
        assert any("two people are not the same on" in one for one in sentences(verdict))


def test_every_ranking_and_budget_allows_for_wrong_labels_too() -> None:
    pool, truth = random_pool(count=3)
    for settings in ({}, {"budget": 40}):
        plain, allowed = (verdict_on(pool, label_error=claimed, **settings) for claimed in (None, 0.1))
        for verdict in (plain, allowed):
            label_all_by(verdict, truth)
        for key, own in allowed.evidence.items():
            assert own.interval()[0] <= plain.evidence[key].interval()[0]
            assert own.interval()[1] >= plain.evidence[key].interval()[1]


@pytest.mark.parametrize(
    ("text", "value"), [(None, None), ("5%", 0.05), ("0.05", 0.05), (0.05, 0.05), ("measured", "measured"), ("0", 0.0)]
)
def test_an_error_is_read_as_a_share(text: Any, value: Any) -> None:
    assert label_error_of(text) == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("text", ["50%", "-1%", "nan", "much", "5"])
def test_an_error_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="a share below one half"):
        label_error_of(text)


def test_the_command_takes_the_error_and_the_rule_and_records_both(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("picture,class,person\n" + "".join(f"p{i},dog,Ada\n" for i in range(10)))
    command = ["verdict", *tables(tmp_path, [0] * 9 + [1], [1] * 9 + [0]), "--labels", str(tmp_path / "labels.csv")]
    command += ["--require", "better", "--out", str(tmp_path / "out"), "--several", "majority"]
    assert CliRunner().invoke(app, [*command, "--label-error", "5%"]).exit_code == 0
    record = (tmp_path / "out" / "verdict.json").read_text()
    assert '"several": "majority"' in record
    assert '"label_error": 0.05' in record
    page = (tmp_path / "out" / "report.html").read_text()
    assert "--several majority --label-error 0.05" in page
    (tmp_path / "labels.csv").write_text((tmp_path / "labels.csv").read_text() + "p0,dog,Ben\np1,cat,Ben\n")
    measured = CliRunner().invoke(app, [*command, "--label-error", "measured"])
    assert measured.exit_code == 2
    assert "two people are not the same on 1 of 2 pictures" in measured.output
    assert "Ben: 2 pictures" in measured.output
