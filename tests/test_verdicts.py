"""A verdict on made-up predictions: what follows without labels, from labels in order, and from what people bring."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image
from scipy.stats import chisquare
from typer.testing import CliRunner

import gevaldi
from conftest import called
from gevaldi.cli.main import app
from gevaldi.errors import DataError, RunFolderError, SpecError, UnknownName
from gevaldi.labels import Label
from gevaldi.predictions.base import NO_ANSWER, Pool, Predictions
from gevaldi.predictions.pool import load_pool
from gevaldi.statistics.betting import wealth
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, Answer, Answers
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.by_class import by_class
from gevaldi.verdicts.decisions import Decision
from gevaldi.verdicts.final import final_answers
from gevaldi.verdicts.gate import as_junit, as_markdown, rows
from gevaldi.verdicts.means import means
from gevaldi.verdicts.order import priorities
from gevaldi.verdicts.page import as_html, render
from gevaldi.verdicts.queue import read_queue, write_queue
from gevaldi.verdicts.ranking import Ranking
from gevaldi.verdicts.ranks import pair_table
from gevaldi.verdicts.read import read_answers
from gevaldi.verdicts.record import write_record
from gevaldi.verdicts.scores import score_named
from gevaldi.verdicts.sentences import (
    by_chance,
    caution,
    counts,
    exceptions,
    headline,
    labels_used,
    mean_scores,
    origins,
    sentences,
)
from gevaldi.verdicts.slices import pictures_in
from gevaldi.verdicts.start import verdict_on
from gevaldi.verdicts.tasks import write_tasks

CLASSES = tuple(Label(name) for name in ("cat", "dog", "bird", "fish"))


def pool_of(*tops: Any, names: tuple[str, ...] = ("old", "new", "third", "fourth"), digest: str = "pool") -> Pool:
    """Classifiers whose most probable classes are these; one column is one class alone."""
    ids = pa.array([f"p{i}" for i in range(len(tops[0]))])
    made = []
    for name, top in zip(names, tops, strict=False):
        columns = np.asarray(top, dtype=np.int32).reshape(len(tops[0]), -1)
        made.append(Predictions(name, ids, CLASSES, columns, digest=f"{name}{columns.tobytes().hex()[:64]}"))
    return Pool("pictures", ids, CLASSES, made, digest=digest)


def random_pool(size: int = 200, count: int = 2, seed: int = 0, differ: float = 0.3) -> tuple[Pool, np.ndarray]:
    """Classifiers that answer otherwise than the truth on some pictures, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, size)
    tops = [np.where(rng.random(size) < differ * (k + 1) / count, rng.integers(0, 4, size), truth) for k in range(count)]
    return pool_of(*tops), truth


def name(truth: np.ndarray, place: int) -> str:
    return CLASSES[truth[place]].name


def counted(answers: Answers) -> dict[str, str]:
    return {picture: one.answer for picture, one in final_answers(answers.all()).items()}


def label_all(verdict: Assessment, truth: np.ndarray) -> None:
    verdict.add({item.id: name(truth, item.place) for item in verdict.next()})


def difference(pool: Pool, truth: np.ndarray) -> float:
    old, new = ((own.top[:, 0] == truth).mean() for own in pool.predictions[:2])
    return float(new - old)


# without labels


def test_without_labels_the_difference_is_at_most_the_share_that_differs() -> None:
    pool, _ = random_pool()
    differ = (pool.predictions[0].top[:, 0] != pool.predictions[1].top[:, 0]).mean()
    verdict = verdict_on(pool)
    assert (verdict.interval.low, verdict.interval.high) == pytest.approx((-differ, differ))
    assert verdict.flips.negative.high == pytest.approx(differ)
    assert verdict.state == "undecided"


def test_a_margin_of_the_share_that_differs_is_proved_without_labels() -> None:
    pool = pool_of([0] * 97 + [1] * 3, [0] * 100)
    assert verdict_on(pool, margin="3%").state == "holds"
    assert "No label was needed" in headline(verdict_on(pool, margin=0.03))
    assert verdict_on(pool, margin="2.9%").state == "undecided"


def test_equal_predictions_are_proved_equal() -> None:
    verdict = verdict_on(pool_of([0, 1, 2], [0, 1, 2]))
    assert verdict.decision.word == "equivalent"
    assert not verdict.next()
    assert "equal in accuracy" in headline(verdict)
    assert verdict_on(pool_of([0, 1, 2], [0, 1, 2]), require="equivalent").state == "holds"


def test_classifiers_that_differ_on_every_picture_are_decided_all_the_same() -> None:
    verdict = verdict_on(pool_of([0] * 40, [1] * 40))
    while items := verdict.next(1):
        verdict.add({items[0].id: "dog"})
    assert verdict.decision.word == "better"
    assert verdict.main.used < 12


def test_a_pool_of_one_picture_is_decided_by_one_label() -> None:
    verdict = verdict_on(pool_of([0], [1]))
    verdict.add({"p0": "cat"})
    assert verdict.decision.word == "worse"
    assert verdict.interval.value == -1


# with labels


@pytest.mark.parametrize("seed", range(5))
def test_all_labels_give_the_true_difference_exactly(seed: int) -> None:
    pool, truth = random_pool(seed=seed)
    verdict = verdict_on(pool, margin=1e-9, require="equivalent", seed=seed)
    label_all(verdict, truth)
    while verdict.next():
        label_all(verdict, truth)
    if verdict.main.used == verdict.main.disputed:
        assert (verdict.interval.low, verdict.interval.high) == pytest.approx([difference(pool, truth)] * 2, abs=1e-9)
    assert verdict.interval.low - 1e-9 <= difference(pool, truth) <= verdict.interval.high + 1e-9


def test_every_score_counts_each_picture_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    truth, tops = rng.integers(0, 4, 60), [np.array([rng.permutation(4) for _ in range(60)]) for _ in range(2)]
    costs = rng.integers(1, 9, (4, 4)) * (1 - np.eye(4, dtype=int))
    own = {
        "accuracy": lambda top, t: float(top[0] == t),
        "top-2": lambda top, t: float(t in top[:2]),
        "class:bird": lambda top, t: float((top[0] == 2) == (t == 2)),
    }
    for text, score in own.items():
        verdict = verdict_on(pool_of(*tops), score=text, margin=1e-9, require="equivalent")
        label_all(verdict, truth)
        expected = np.mean([score(tops[1][i], truth[i]) - score(tops[0][i], truth[i]) for i in range(60)])
        assert verdict.interval.value == pytest.approx(expected), text
    assert costs.max() > 0


def test_costs_and_levels_are_read_from_a_table_and_from_a_hierarchy(tmp_path: Path) -> None:
    names = [label.name for label in CLASSES]
    costs = pd.DataFrame(np.arange(16).reshape(4, 4) % 5 * (1 - np.eye(4)), names, names)
    costs.iloc[::-1, ::-1].to_csv(tmp_path / "costs.csv")
    score = score_named(f"cost:{tmp_path / 'costs.csv'}", CLASSES, 1)
    for truth in range(4):
        for answer in range(4):
            got = score.outcomes(np.array([[answer]]))[0, truth]
            assert got == pytest.approx(1 - costs.to_numpy()[truth, answer] / costs.to_numpy().max())
    digits = tuple(Label(str(i)) for i in range(10))
    from gevaldi.taxonomy import distances, registry

    matrix = distances(registry.build("mnist-digits"))
    levels = score_named("levels", digits, 1, "mnist-digits")
    assert levels.outcomes(np.array([[7]]))[0] == pytest.approx(1 - matrix[:, 7] / matrix.max())
    assert levels.scale == matrix.max()


def test_no_answer_scores_nothing_and_is_disputed() -> None:
    verdict = verdict_on(pool_of([NO_ANSWER, 0], [0, 0]))
    assert [item.choices for item in verdict.next()] == [("cat",)]
    verdict.add({"p0": "cat"})
    assert verdict.interval.value == 0.5


def test_neither_counts_half_and_cannot_tell_counts_both_ways() -> None:
    pool = pool_of([0] * 10, [1] * 10)
    for answer, ends in ((NEITHER, (0.0, 0.0)), (CANNOT_TELL, (-1.0, 1.0))):
        verdict = verdict_on(pool)
        verdict.add({item.id: answer for item in verdict.next()})
        assert (verdict.interval.low, verdict.interval.high) == pytest.approx(ends)
        assert verdict.interval.value == 0


def test_the_true_difference_is_missed_by_at_most_five_per_cent_of_orders_however_often_one_looks() -> None:
    pool, truth = random_pool(80, seed=3, differ=0.5)
    missed = 0
    for seed in range(300):
        verdict = verdict_on(pool, seed=seed)
        verdict.add({f"p{place}": name(truth, place) for place in verdict.disputed.tolist()})
        own = verdict.main
        assert 2 * own.low.sum() - own.disputed == pytest.approx(difference(pool, truth) * len(pool))
        sides = [wealth(values, own.disputed, values.sum()) for values in (own.low, 1 - own.low)]
        missed += max(side.max() for side in sides) >= 2 / own.miss
    assert missed <= 24  # 15 expected at most; 25 or more with probability 0.01


# the order


def test_the_order_is_uniform_and_does_not_depend_on_other_pictures() -> None:
    first = [int(priorities(["a", "b", "c", "d"], seed).argmin()) for seed in range(2000)]
    assert chisquare(np.bincount(first, minlength=4)).pvalue > 1e-4
    alone, among = priorities(["x", "y"], 7), priorities(["w", "y", "x", "z"], 7)
    assert alone.tolist() == [among[2], among[1]]


def test_labels_in_any_order_bound_the_difference_by_whatever_the_other_pictures_may_show() -> None:
    pool, truth = random_pool(120, seed=9, differ=0.5)
    places = verdict_on(pool).disputed
    shuffled = np.random.default_rng(0).permutation(places[1:])  # never the first, so the order reaches none
    for count in (0, 1, 5, len(places) - 3, len(places) - 1):
        verdict = verdict_on(pool)
        verdict.add({f"p{place}": name(truth, place) for place in shuffled[:count].tolist()}) if count else None
        rest = np.setdiff1d(places, shuffled[:count])
        extremes = []
        for own in pool.predictions:  # the truth as either classifier likes it best
            possible = truth.copy()
            possible[rest] = own.top[rest, 0]
            extremes.append(difference(pool, possible))
        assert (verdict.main.used, verdict.main.waiting) == (0, count)
        assert (verdict.interval.low, verdict.interval.high) == pytest.approx(extremes)
        worse, better = verdict.flips.negative, verdict.flips.positive
        assert (
            worse.low <= np.mean((pool.predictions[0].top[:, 0] == truth) > (pool.predictions[1].top[:, 0] == truth)) <= worse.high
        )
        assert better.high - better.low == pytest.approx(len(rest) / len(pool))


def test_the_sampled_interval_lies_within_what_labels_out_of_order_leave_possible() -> None:
    pool, truth = random_pool(400, seed=2, differ=0.5)
    labelled, both = verdict_on(pool), verdict_on(pool)
    items = labelled.next()
    labelled.add({item.id: name(truth, item.place) for item in items[:40]})
    both.add({item.id: name(truth, item.place) for item in items if item not in items[40:43]})
    whole = verdict_on(pool)
    label_all(whole, truth)
    few = 6 / len(pool)  # three pictures, each worth twice its own
    assert labelled.interval.high - labelled.interval.low > 10 * few
    assert both.interval.high - both.interval.low <= few + 1e-9
    assert both.interval.low <= difference(pool, truth) <= both.interval.high
    assert both.interval.low <= both.interval.value <= both.interval.high
    assert both.interval.value == pytest.approx((both.interval.low + both.interval.high) / 2, abs=few / 2)
    assert both.flips.positive.value == pytest.approx(whole.flips.positive.value, abs=few)
    *_, sampled, last = both.main.path()
    assert sampled == pytest.approx((40, labelled.interval.low, labelled.interval.high), abs=1e-4)
    assert "The bar at the end is the interval with" in render(both)
    assert "The bar at the end is the interval with" not in render(labelled)
    assert last == (40, both.interval.low, both.interval.high)
    assert len(both.main.labelled) == both.main.disputed - 3
    assert {*both.main.flipped()["worse"].tolist()} < {*whole.main.flipped()["worse"].tolist()}


def test_labels_out_of_order_are_kept_and_count_when_the_order_reaches_them() -> None:
    pool, truth = random_pool()
    verdict = verdict_on(pool)
    first, *others = verdict.next()[:6]
    verdict.add({item.id: name(truth, item.place) for item in others})
    assert (verdict.main.used, verdict.main.waiting) == (0, 5)
    verdict.add({first.id: name(truth, first.place)})
    assert (verdict.main.used, verdict.main.waiting) == (6, 0)


def test_a_changed_answer_is_a_new_decision() -> None:
    pool = pool_of([0] * 12, [1] * 12)
    verdict = verdict_on(pool, require="equivalent")
    verdict.add({item.id: "dog" for item in verdict.next()})
    assert verdict.decision.word == "better"
    verdict.add({f"p{i}": "cat" for i in range(12)})
    assert verdict.decision.word == "worse"
    assert verdict.interval.low == verdict.interval.high == -1


def test_a_budget_is_looked_at_once_and_is_narrower() -> None:
    pool, truth = random_pool(2000, differ=0.4, seed=5)
    verdict = verdict_on(pool, budget=60)
    assert len(verdict.next()) == 60
    items = verdict.next()
    verdict.add({item.id: name(truth, item.place) for item in items[:59]})
    assert "Undecided until all 60" in headline(verdict)
    assert verdict.interval.high - verdict.interval.low == pytest.approx(2 * verdict.main.disputed / 2000)
    verdict.add({items[59].id: name(truth, items[59].place)})
    anytime = verdict_on(pool)
    anytime.add({item.id: name(truth, item.place) for item in items})
    assert verdict.interval.high - verdict.interval.low < anytime.interval.high - anytime.interval.low
    assert not verdict.next()


def test_the_chart_of_a_budget_keeps_its_points_beside_labels_out_of_order() -> None:
    pool, truth = random_pool(400, differ=0.4, seed=5)
    verdict = verdict_on(pool, budget=30)
    items = verdict.next()
    verdict.add({item.id: name(truth, item.place) for item in (*items[:5], *items[6:9])})
    assert (verdict.main.used, verdict.main.waiting) == (5, 3)
    assert [point[0] for point in verdict.main.path()] == [0, 5, 5]
    assert "The bar at the end is the interval with the 3 labels" in render(verdict)


def test_several_questions_share_the_probability_to_miss() -> None:
    pool, truth = random_pool(seed=1)
    one = verdict_on(pool)
    many = verdict_on(pool, score=["accuracy", "class:cat"], where=["p1*"])
    assert many.main.miss == pytest.approx(0.05 / 3)
    assert many.questions[2].size(pool) == 111
    for verdict in (one, many):
        verdict.add({item.id: name(truth, item.place) for item in verdict.next(30)})
    assert many.evidence[1, (0, 1)].disputed < many.main.disputed


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_several_is_the_one_with_the_highest_accuracy(seed: int) -> None:
    pool, truth = random_pool(400, 4, seed)
    verdict = verdict_on(pool)
    while items := verdict.next(20):
        verdict.add({item.id: name(truth, item.place) for item in items})
    accuracy = [(own.top[:, 0] == truth).mean() for own in pool.predictions]
    assert verdict.ranking.candidates == (int(np.argmax(accuracy)),)
    assert verdict.used < len(verdict.disputed)
    ranks = np.argsort(np.argsort(-np.array(accuracy))) + 1
    assert all(best <= rank <= worst for rank, (best, worst) in zip(ranks, verdict.ranking.ranks, strict=True))


def test_all_labels_rank_by_accuracy_with_the_scores_minus_their_mean() -> None:
    pool, truth = random_pool(100, 3, 7)
    verdict = verdict_on(pool)
    verdict.add({f"p{place}": name(truth, place) for place in verdict.disputed.tolist()})
    accuracy = np.array([(own.top[:, 0] == truth).mean() for own in pool.predictions])
    assert verdict.ranking.scores == pytest.approx(accuracy - accuracy.mean())


# sentences


@pytest.mark.parametrize(
    ("score", "what", "is_loss"),
    [
        ("accuracy", "accuracy", False),
        ("top-2", "top-2 accuracy", False),
        ("class:bird", "accuracy at telling bird from the rest", False),
        ("cost:costs.csv", "mean cost", True),
        ("levels", "mean distance from the truth", True),
    ],
)
def test_the_better_one_is_said_to_have_more_of_a_share_and_less_of_a_loss(
    score: str, what: str, is_loss: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [label.name for label in CLASSES]
    loss = np.array([[0, 1, 5, 9], [2, 0, 4, 9], [3, 8, 0, 9], [7, 7, 6, 0]])
    pd.DataFrame(loss, names, names).to_csv("costs.csv")
    pairs = {"cat": "pet", "dog": "pet", "bird": "wild", "fish": "wild", "pet": "animal", "wild": "animal"}
    (tmp_path / "tree.csv").write_text("".join(f"{child},{parent}\n" for child, parent in pairs.items()))
    rng = np.random.default_rng(4)
    truth, top = rng.integers(0, 4, 80), np.array([rng.permutation(4)[:2] for _ in range(80)])
    pool = pool_of(top, np.where(rng.random((80, 1)) < 0.9, np.c_[truth, (truth + 1) % 4], top))
    verdict = verdict_on(pool, score=score, require="equivalent", taxonomy="tree.csv")
    label_all(verdict, truth)
    assert verdict.decision.word == "better"
    way = "lower" if is_loss else "higher"
    assert headline(verdict).startswith(f"new is better than old on this pool: its {what} is {way} by exactly ")
    page = Path(str(verdict.report(tmp_path / "v.html"))).read_text()
    first, second = ("old", "new") if is_loss else ("new", "old")
    assert f"The interval of the difference in {what}, <bdi>{first}</bdi> minus <bdi>{second}</bdi>, in " in page
    assert f"{what} of {first} minus that of {second}" in page
    if score.startswith("cost"):
        means = [loss[truth, own.top[:, 0]].mean() for own in pool.predictions]
        assert f"is lower by exactly {means[0] - means[1]:.3g} units of cost" in headline(verdict)
        assert f"+{means[0] - means[1]:.3g} units of cost" in as_markdown(verdict)


def test_answers_that_differ_and_score_alike_are_not_said_to_be_the_same() -> None:
    verdict = verdict_on(pool_of([1] * 4, [2] * 4), score="class:cat")
    assert "score alike" in headline(verdict)


@pytest.mark.parametrize("score", ["accuracy", "top-2", "class:bird", "cost:costs.csv"])
def test_with_labels_of_all_pictures_each_mean_is_the_share_that_is_counted(
    score: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [label.name for label in CLASSES]
    loss = np.array([[0, 1, 5, 9], [2, 0, 4, 9], [3, 8, 0, 9], [7, 7, 6, 0]])
    pd.DataFrame(loss, names, names).to_csv("costs.csv")
    rng = np.random.default_rng(4)
    truth, tops = rng.integers(0, 4, 300), [np.array([rng.permutation(4)[:2] for _ in range(300)]) for _ in range(2)]
    tops[1][:200] = tops[0][:200]
    right = {
        "accuracy": lambda top: top[:, 0] == truth,
        "top-2": lambda top: (top == truth[:, None]).any(1),
        "class:bird": lambda top: (top[:, 0] == 2) == (truth == 2),
        "cost:costs.csv": lambda top: 1 - loss[truth, top[:, 0]] / 9,
    }[score]
    expected = [right(top).mean() for top in tops]
    by_answers = verdict_on(pool_of(*tops), score=score)
    by_answers.add({f"p{i}": name(truth, i) for i in range(300)})
    plain = pool_of(*tops)
    by_pool = verdict_on(Pool(plain.name, plain.ids, CLASSES, plain.predictions, truth.astype(np.int32)), score=score)
    for verdict in (by_answers, by_pool):
        assert [end for ends in means(verdict).bounds for end in ends] == pytest.approx(np.repeat(expected, 2).tolist())
        words = [f"{9 * (1 - one):.3g} units of cost" if "cost" in score else f"{100 * one:.1f} %" for one in expected]
        assert f"is: old {words[0]}, new {words[1]}." in mean_scores(verdict)


def test_a_mean_is_between_what_pictures_without_a_clear_label_can_make_it() -> None:
    verdict = verdict_on(pool_of([0] * 10, [0] * 6 + [1] * 4))
    assert (
        mean_scores(verdict) == "The accuracy of each on this pool is not known: the 6 pictures on which they agree have no label."
    )
    verdict.add({f"p{i}": "cat" for i in range(5)})
    assert "only 5 of the 6 pictures" in mean_scores(verdict)
    verdict.add({"p5": "bird", "p6": "dog", "p7": NEITHER, "p8": CANNOT_TELL})  # p9 has none
    assert means(verdict).bounds == ((0.5, 0.7), (0.6, 0.8))
    assert "old 50 % to 70 %, new 60 % to 80 %, whatever" in mean_scores(verdict)
    assert mean_scores(verdict_on(pool_of([0] * 9, [1] * 9))) == ""


# decisions


@pytest.mark.parametrize(
    ("low", "high", "margin", "word"),
    [
        (0.01, 0.02, 0.0, "better"),
        (-0.02, -0.01, 0.0, "worse"),
        (-0.02, 0.01, 0.0, "undecided"),
        (-0.02, 0.05, 0.03, "not worse"),
        (-0.02, 0.03, 0.03, "equivalent"),
        (0.0, 0.0, 0.0, "equivalent"),
        (0.0, 0.1, 0.0, "not worse"),
    ],
)
def test_an_interval_decides_in_one_word(low: float, high: float, margin: float, word: str) -> None:
    assert Decision(low, high, margin).word == word


def test_a_decision_shows_its_word_and_an_unknown_argument_the_nearest_one() -> None:
    assert repr(Decision(0.01, 0.02, 0.005)) == "Decision('better', low=0.01, high=0.02, margin=0.005)"
    with pytest.raises(UnknownName, match="no argument of verdict named 'truth'\\. Did you mean 'use_truth'"):
        gevaldi.verdict("table:old.csv", "table:new.csv", truth=False)


def test_claims_hold_fail_or_are_undecided() -> None:
    inside, below, wide = Decision(-0.01, 0.01, 0.02), Decision(-0.05, -0.03, 0.02), Decision(-0.05, 0.05, 0.02)
    states = {claim: [own.state(claim) for own in (inside, below, wide)] for claim in ("better", "not-worse", "equivalent")}
    assert states == {
        "better": ["undecided", "fails", "undecided"],
        "not-worse": ["holds", "fails", "undecided"],
        "equivalent": ["holds", "fails", "undecided"],
    }


def test_a_margin_of_as_many_hundredths_as_pictures_is_met() -> None:
    assert Decision(-57 / 10_000, 0, 0.57 / 100).state("not-worse") == "holds"
    assert verdict_on(pool_of([0] * 57 + [1] * 9_943, [1] * 10_000), margin="0.57%").state == "holds"


@pytest.mark.parametrize("score", ["accuracy", "top-2", "class:cat"])
def test_a_share_above_a_tenth_is_a_margin_only_with_a_percent_sign(score: str) -> None:
    pool = pool_of([[0, 1], [1, 2]], [[1, 2], [1, 2]])
    for margin, advice in ((1, "1 is 100 percentage points: write 1% or 0.01"), ("0.5", "write 0.5% or 0.005, or 50%")):
        with pytest.raises(SpecError, match=advice):
            verdict_on(pool, margin=margin, score=score)
    with pytest.raises(SpecError, match=r"5 is 500 percentage points: write 5% or 0\.05\.$"):
        verdict_on(pool, margin="5", score=score)
    assert verdict_on(pool, margin=0.1, score=score).settings.margin == 0.1
    assert verdict_on(pool, margin=" 50 %", score=score).settings.margin == 0.5


def test_a_margin_of_levels_or_costs_may_be_any_number_up_to_the_largest(tmp_path: Path) -> None:
    names = [label.name for label in CLASSES]
    pd.DataFrame(5 * (1 - np.eye(4)), names, names).to_csv(tmp_path / "costs.csv")
    for margin in (1, "2.5"):
        verdict = verdict_on(pool_of([0, 1], [1, 1]), margin=margin, score=f"cost:{tmp_path / 'costs.csv'}")
        assert verdict.settings.margin == float(margin)
    with pytest.raises(SpecError, match="a number up to 5 units of cost was expected"):
        verdict_on(pool_of([0, 1], [1, 1]), margin=6, score=f"cost:{tmp_path / 'costs.csv'}")


def test_a_margin_is_the_number_that_was_written_and_the_command_on_the_page_writes_it_again(tmp_path: Path) -> None:
    for text, number in (("0.57%", 0.0057), ("20%", 0.2), ("0.3%", 0.003)):
        verdict = verdict_on(pool_of([0, 1], [1, 1]), margin=text)
        assert verdict.settings.margin == number
        assert f"--margin {text}" in Path(str(verdict.report(tmp_path / "v.html"))).read_text()


def test_costs_of_thirds_that_tie_are_a_tie(tmp_path: Path) -> None:
    names = [label.name for label in CLASSES]
    pd.DataFrame([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]], names, names).to_csv(tmp_path / "costs.csv")
    first = np.array([0, 1, 2, 3, 1, 2] * 20)
    truth = np.array([1, 0, 1, 2, 3, 3] * 20)
    pool = pool_of(first, np.roll(first, 3))
    verdict = verdict_on(pool, score=f"cost:{tmp_path / 'costs.csv'}", require="equivalent")
    label_all(verdict, np.roll(truth, 0))
    own = verdict.main
    assert own.is_complete
    assert verdict.interval.low == verdict.interval.high == round(float((2 * own.low - 1).sum() / own.size), 12) + 0.0


# what people bring


def forms(folder: Path) -> Iterator[tuple[str, Path]]:
    rows = [("p3", "cat"), ("p5", "dog"), ("p9", NEITHER)]
    (folder / "a.csv").write_text("image,label\n" + "".join(f"{p},{c}\n" for p, c in rows) + "p11,\n")
    yield "csv", folder / "a.csv"
    (folder / "a.json").write_text(json.dumps(dict(rows)))
    yield "mapping", folder / "a.json"
    (folder / "b.json").write_text(json.dumps([{"id": p, "class": c} for p, c in rows]))
    yield "rows", folder / "b.json"
    (folder / "c.jsonl").write_text("".join(json.dumps({"file": p, "answer": c}) + "\n" for p, c in rows))
    yield "lines", folder / "c.jsonl"
    pd.DataFrame(rows, columns=["picture", "class"]).to_parquet(folder / "a.parquet")
    yield "parquet", folder / "a.parquet"
    for picture, answer in rows:
        (folder / "sorted" / answer).mkdir(parents=True, exist_ok=True)
        (folder / "sorted" / answer / f"{picture}.png").write_bytes(b"")
    yield "folder", folder / "sorted"
    tasks = [
        {"data": {"picture": p}, "annotations": [{"completed_by": 7, "result": [{"value": {"choices": [c]}}]}]} for p, c in rows
    ]
    (folder / "studio.json").write_text(json.dumps([*tasks, {"data": {"picture": "p20"}, "annotations": []}]))
    yield "label studio", folder / "studio.json"
    Answers(folder).add(Answer(p, c, "anna") for p, c in rows)
    yield "another verdict", folder


def test_every_form_of_labels_gives_the_same_answers(tmp_path: Path) -> None:
    for form, path in forms(tmp_path):
        found = {one.picture.removesuffix(".png"): one.answer for one in read_answers(path)}
        assert found == {"p3": "cat", "p5": "dog", "p9": NEITHER}, form


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "picture,class\np0,cat\np0,dog\n", "two answers"),
        ("a.csv", "when,class\n1,cat\n", "no column of pictures"),
        ("a.csv", "picture,class\nq0,cat\nq1,cat\n", "None of the 2 labels"),
        ("a.csv", "picture,class\np0,zebra\n", "shows 'zebra'"),
        ("a.csv", "\0\0\0", "cannot be read|no column"),
        ("a.json", "[1, 2", "cannot be read"),
        ("a.json", "3", "neither a mapping"),
        ("a.parquet", "PAR1", "cannot be read"),
        ("a.txt", "p0 cat", "ends in none of"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_and_lose_nothing(name: str, content: str, message: str, tmp_path: Path) -> None:
    verdict = verdict_on(pool_of([0, 0, 0], [1, 1, 0]))
    verdict.add({"p1": "dog"})
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        verdict.add(tmp_path / name)
    assert counted(verdict.answers) == {"p1": "dog"}


def test_a_classifier_that_is_right_as_often_as_a_guess_is_named() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    good = np.where(rng.random(400) < 0.1, (truth + 1) % 4, truth)
    verdict = verdict_on(replace(pool_of(good, rng.integers(0, 4, 400)), truth=truth.astype(np.int32)))
    assert by_chance(verdict).startswith("new is hardly more often right than a guess among 4 classes: check its normalisation")
    assert by_chance(verdict) in sentences(verdict)
    assert not by_chance(verdict_on(replace(pool_of(good, good[::-1]), truth=good.astype(np.int32)), use_truth=False))
    assert not by_chance(verdict_on(replace(pool_of(good, truth), truth=truth.astype(np.int32))))


def test_classes_on_which_it_is_the_other_way_round_are_named_once_all_labels_are_known() -> None:
    #      cat: old right, 3 of 4      dog: new right, 6      both wrong     one disputed picture of neither class is unclear
    old = [0] * 3 + [1] * 1 + [0] * 6 + [2]
    new = [1] * 3 + [0] * 1 + [1] * 6 + [3]
    truth = np.array([0] * 4 + [1] * 6 + [0])
    verdict = verdict_on(pool_of(old, new))
    label_all_but_one = verdict.next()
    verdict.add({item.id: name(truth, item.place) for item in label_all_but_one[1:]})
    assert not exceptions(verdict)
    verdict.add({item.id: name(truth, item.place) for item in label_all_but_one[:1]})
    assert [(one.name, one.labelled, one.worse, one.better) for one in by_class(verdict)] == [("cat", 5, 3, 1), ("dog", 6, 0, 6)]
    assert exceptions(verdict).startswith("It is the other way round for cat (3 worse, 1 better).")
    assert exceptions(verdict) in sentences(verdict)
    page = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", render(verdict)))
    assert "By true class true class labelled, disputed new is worse new is better cat 5 3 1 dog 6 0 6" in page
    reverse = verdict_on(pool_of(new, old))
    label_all(reverse, truth)
    assert exceptions(reverse).startswith("It is the other way round for cat (1 worse, 3 better).")


def test_a_slice_is_a_pattern_of_ids_or_a_value_of_a_column(tmp_path: Path) -> None:
    rows = [(f"a/{i}.png", "dog" if i % 3 else "cat", "Lyon" if i < 6 else "Le Mans", i % 2) for i in range(12)]
    old = pd.DataFrame(rows, columns=["id", "class", "site", "batch"])
    new = old.assign(**{"class": "cat"})[["id", "class"]]
    meta = pd.DataFrame({"file": old.id.str.removeprefix("a/"), "light": [None, "day", "night"] * 4})
    for name, table in (("old", old), ("new", new), ("meta, all", meta)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    old.to_parquet(tmp_path / "old.parquet")

    def inside(where: str, first: str = "old.csv") -> list[int]:
        pool = load_pool(None, [f"table:{tmp_path / name}" for name in (first, "new.csv")])
        return np.flatnonzero(pictures_in(pool, where)).tolist()

    assert inside("a/1*") == [1, 10, 11]
    for first in ("old.csv", "old.parquet"):
        assert inside("site=Lyon", first) == [0, 1, 2, 3, 4, 5]
        assert inside("site=L*", first) == list(range(12))
        assert inside("batch=1", first) == [1, 3, 5, 7, 9, 11]
    assert inside(f'"{tmp_path / "meta, all.csv"}",light=day') == [1, 4, 7, 10]
    for where, message in (
        ("night/*", "No picture of the pool matches 'night/.'; their ids are such as 'a/0.png'"),
        ("city=Lyon", "no table has a column 'city'. Write FILE,COLUMN=VALUE"),
        ("site=Paris", "no picture of the pool has that; values there are such as Lyon and Le Mans"),
    ):
        with pytest.raises(SpecError, match=message):
            inside(where)
    result = called(tmp_path, "verdict", "table:old.csv", "table:new.csv", "--where", "site=Lyon", "--json", "v.json")
    assert result.returncode == 2, result.stderr
    assert "accuracy on site=Lyon" in result.stdout
    pairs = json.loads((tmp_path / "v.json").read_text())["pairs"]
    assert [(one["question"], one["pictures"]) for one in pairs] == [("accuracy", 12), ("accuracy on site=Lyon", 6)]


def test_columns_and_numbers_of_a_file_of_labels_are_what_its_options_say(tmp_path: Path) -> None:
    verdict = verdict_on(pool_of([0, 1, 2, 3], [1, 2, 3, 0]))
    file, names = tmp_path / "truth, all.csv", tmp_path / "names.txt"
    file.write_text("shot,notes,y\np0,x,1\np1,y,2.0\np2,z,neither\np3,,\n")
    names.write_text("\n".join(label.name for label in CLASSES))
    with pytest.raises(DataError, match=r"no column of pictures.*its columns are shot, notes, y.*id=COLUMN behind the file"):
        verdict.add(str(file))
    with pytest.raises(DataError, match="no column 'why'; its columns are shot, notes, y"):
        verdict.add(f'"{file}",id=shot,class=why')
    with pytest.raises(DataError, match=r"which no classifier knows.*FILE,classes=NAMES"):
        verdict.add(f'"{file}",id=shot,class=y')
    with pytest.raises(SpecError, match=r"no option klass\. It takes id, class and classes"):
        verdict.add(f'"{file}",klass=y')
    with pytest.raises(DataError, match=r"p1 shows class 2.0; classes= has 2, from 0 to 1"):
        verdict.add(f'"{file}",id=shot,class=y,classes=[cat,dog]')
    assert not verdict.truths
    verdict.add(f'"{file}",id=shot,class=y,classes={names}')
    assert counted(verdict.answers) == {"p0": "dog", "p1": "bird", "p2": NEITHER}
    assert verdict.label_files == [f'"{file}",id=shot,class=y,classes={names}']  # so that the command on the page reads it again
    assert {one.source for one in verdict.answers.all()} == {str(file)}


def test_labels_of_other_pictures_are_left_out_and_reported() -> None:
    verdict = verdict_on(pool_of([0, 0, 0], [1, 1, 0]))
    verdict.add({"p0": "cat", "p2": "cat", "elsewhere": "dog"})
    assert [item.id for item in verdict.next()] == ["p1"]
    assert any("not in the pool, such as 'elsewhere'" in note for note in verdict.notes)


def test_the_last_answer_of_a_person_counts_and_people_or_files_that_differ_settle_nothing() -> None:
    def agreed(*rows: Answer) -> dict[str, str]:
        return {picture: one.answer for picture, one in final_answers(rows).items()}

    rows = [Answer("a", "cat", "anna"), Answer("a", "dog", "anna"), Answer("b", "cat", "anna"), Answer("b", "dog", "ben")]
    assert agreed(*rows) == {"a": "dog", "b": CANNOT_TELL}
    assert agreed(*rows, Answer("b", "dog", "anna")) == {"a": "dog", "b": "dog"}
    assert agreed(*rows, Answer("a", "", "anna")) == {"b": CANNOT_TELL}
    assert agreed(Answer("a", "cat", source="x.csv"), Answer("a", "dog", source="y.csv")) == {"a": CANNOT_TELL}
    assert agreed(Answer("a", "cat", "anna"), Answer("a", CANNOT_TELL, "ben")) == {"a": "cat"}


def test_neither_rules_out_the_classes_that_were_named_then_and_no_others(tmp_path: Path) -> None:
    birds = pool_of([0] * 20, [1] * 20)
    verdict = verdict_on(birds, out=tmp_path / "old")
    verdict.add({item.id: NEITHER for item in verdict.next()})
    assert verdict.interval.low == verdict.interval.high == 0
    other = pool_of([0] * 20, [2] * 20, names=("old", "bird"))
    again = verdict_on(other, out=tmp_path / "new", labels=tmp_path / "old")
    assert (again.interval.low, again.interval.high) == (0, 1)  # it may be a bird, and is no cat


def test_a_class_is_right_about_a_picture_of_no_known_class_that_it_does_not_name() -> None:
    pool = pool_of([0] * 20, [1] * 20)
    verdict = verdict_on(pool, score="class:cat")
    verdict.add({item.id: NEITHER for item in verdict.next()})
    assert verdict.interval.low == verdict.interval.high == 1


def test_what_a_file_says_no_more_is_withdrawn_and_two_files_that_differ_settle_nothing(tmp_path: Path) -> None:
    verdict = verdict_on(pool_of([0] * 3, [1] * 3), require="equivalent")
    (tmp_path / "a.csv").write_text("picture,class\np0,cat\np1,cat\n")
    (tmp_path / "b.csv").write_text("picture,class\np0,dog\n")
    verdict.add(tmp_path / "a.csv")
    assert counted(verdict.answers) == {"p0": "cat", "p1": "cat"}
    (tmp_path / "a.csv").write_text("picture,class\np0,cat\n")
    verdict.add(tmp_path / "a.csv")
    withdrawn = f"1 labels that {tmp_path / 'a.csv'} no longer holds are withdrawn."
    assert verdict.notes == [withdrawn]
    verdict.add(tmp_path / "b.csv")
    verdict.notes.clear()
    verdict.add(tmp_path / "a.csv")
    assert not verdict.notes  # it was withdrawn before
    assert counted(verdict.answers) == {"p0": CANNOT_TELL}
    assert verdict.add(tmp_path / "b.csv") == 0


def test_labels_are_matched_by_the_end_of_a_path_only_if_one_picture_has_it() -> None:
    ids = pa.array(["a/1.png", "b/1.png", "a/2.png"])
    tops = np.int32([[0], [0], [0]]), np.int32([[1], [0], [1]])
    made = [Predictions(name, ids, CLASSES, top, digest=name) for name, top in zip(("old", "new"), tops, strict=True)]
    pool = Pool("pictures", ids, CLASSES, made)
    verdict = verdict_on(pool)
    verdict.add({"2.png": "cat", "1.png": "cat"})
    assert counted(verdict.answers) == {"a/2.png": "cat"}
    assert any("'1.png'" in note for note in verdict.notes)
    verdict.add({"/home/x/b/1.png": "dog"})
    assert counted(verdict.answers) == {"a/2.png": "cat", "b/1.png": "dog"}
    with pytest.raises(DataError, match="two answers"):
        verdict.add({"2.png": "cat", "a/2.png": "dog"})


def photos(folder: Path, count: int = 30) -> list[str]:
    """Pictures of one colour each in folders by class, and two tables on them that differ on two thirds."""
    ids = [f"{CLASSES[i % 2].name}/{i}.png" for i in range(count)]
    for i, text in enumerate(ids):
        (folder / "photos" / text).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / "photos" / text)
    for stem, tops in (("old", [0] * count), ("new", [1] * (count * 2 // 3) + [0] * (count // 3))):
        rows = {"picture": ids, "class": [CLASSES[top].name for top in tops]}
        pd.DataFrame(rows).to_csv(folder / f"{stem}.csv", index=False)
    both = [f"table:{folder / stem}.csv,classes=[cat,dog,bird]" for stem in ("old", "new")]
    return [*both, "--pool", f"folder:{folder / 'photos'}", "--no-truth", "--out", str(folder / "v")]


def studio(tasks: list[Any], answer: str, form: str, folder: Path) -> Path:
    """What Label Studio exports of tasks when annotator 7 gives all the same answer."""
    path = folder / f"export-{form}.{'csv' if form == 'csv' else 'json'}"
    when = "2026-11-29T10:00:00.000000Z"
    rows = [
        {"id": i + 51, **task["data"], "label": answer, "annotator": 7, "annotation_id": i, "created_at": when}
        for i, task in enumerate(tasks)
    ]
    result = [{"value": {"choices": [answer]}, "from_name": "label", "to_name": "image", "type": "choices"}]
    done = {"annotations": [{"id": 3, "completed_by": 7, "result": result, "was_cancelled": False, "created_at": when}]}
    if form == "csv":
        pd.DataFrame(rows)[sorted(rows[0])].to_csv(path, index=False)
    else:
        path.write_text(
            json.dumps(rows if form == "json-min" else [{"id": i + 51, **task, **done} for i, task in enumerate(tasks)])
        )
    return path


@pytest.mark.parametrize("form", ["json", "json-min", "csv"])
def test_tasks_for_label_studio_come_back_as_labels_of_the_pictures_that_they_show(form: str, tmp_path: Path) -> None:
    command = ["verdict", *photos(tmp_path), "--label-studio", "--queue", "8"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2, result.output
    assert f"people: gevaldi label {tmp_path / 'v'} (asks" in result.output
    folder = tmp_path / "v" / "label-studio"
    tasks = json.loads((folder / "tasks.json").read_text())
    queue = pd.read_csv(tmp_path / "v" / "queue.csv")["picture"].tolist()
    assert len(tasks) == len(queue) == 8
    for task, text in zip(tasks, queue, strict=True):  # in the order that has to be kept
        served = folder / task["data"]["image"].removeprefix("/data/local-files/?d=")
        with Image.open(served) as seen, Image.open(tmp_path / "photos" / text) as own:
            assert seen.getpixel((0, 0)) == own.getpixel((0, 0))
    result = CliRunner().invoke(app, [*command, "--labels", str(studio(tasks, "dog", form, tmp_path))])
    assert result.exit_code == 0, result.output
    answers = Answers(tmp_path / "v").all()
    assert {one.picture: one.answer for one in answers} == dict.fromkeys(queue, "dog")
    assert {(one.person, one.time[:10]) for one in answers} == {("7", "2026-11-29")}


def test_tasks_for_label_studio_say_nothing_of_classifiers_sides_or_folders(tmp_path: Path) -> None:
    old, new, *others = photos(tmp_path)
    written = []
    for both in ((old, new), (new, old)):
        command = ["verdict", *both, *others[:-1], str(tmp_path / f"v{len(written)}"), "--label-studio"]
        assert CliRunner().invoke(app, command).exit_code == 2
        files = sorted(path for path in (tmp_path / f"v{len(written)}" / "label-studio").rglob("*") if path.is_file())
        written.append({path.name: path.read_bytes() for path in files})
    assert written[0] == written[1]  # whichever is the old one
    assert not any(word in name for name in written[0] for word in ("cat", "dog"))
    assert not any(word in written[0]["tasks.json"] for word in (b"old", b"new", b"cat", b"dog"))


def test_tasks_of_many_classes_suggest_those_that_classifiers_name_by_their_names_alone(tmp_path: Path) -> None:
    labels = tuple(Label(f"class {i:02}") for i in range(30))
    ids = pa.array(["a", "b"])
    tops = [np.array(top, np.int32)[:, None] for top in ([7, 3], [3, 7])]
    made = [Predictions(name, ids, labels, top) for name, top in zip(("old", "new"), tops, strict=True)]
    shown = [np.zeros((3, 4, 4), np.float32)] * 2
    verdict = verdict_on(Pool("pictures", ids, labels, made, pictures=[torch.from_numpy(one) for one in shown]))
    tasks = json.loads(write_tasks(verdict, tmp_path, 2).read_text())
    assert [task["data"]["suggested"] for task in tasks] == ["class 03 or class 07"] * 2
    with pytest.raises(SpecError, match="--pool folder:DIR"):
        write_tasks(verdict_on(pool_of([0], [1])), tmp_path, 1)


def test_a_class_that_no_table_mentions_is_a_class_of_its_own_unless_it_looks_like_a_slip(tmp_path: Path) -> None:
    verdict = gevaldi.verdict(*tables(tmp_path, [0] * 4 + [1], [1] * 5), require="equivalent")
    verdict.add({"p0": "zebra"})
    assert verdict.truths[0].place == -1
    with pytest.raises(DataError, match="Did you mean"):
        verdict.add({"p1": "dogg"})


@pytest.mark.parametrize(
    ("classes", "labels", "words"),
    [
        (["seven", "nine"], ["7", "nine"], "shows '7', which no classifier knows. The classes are nine and seven."),
        (["seven", "nine"], ["NaN", "nine"], "shows 'NaN', which no classifier knows. The classes are nine and seven."),
        (["7", "9"], ["seven", "9"], "shows 'seven', which no classifier knows. The classes are 7 and 9."),
        (["7", "9"], ["NaN", "9"], "shows 'NaN'"),
        (["7", "9"], ["12", "34"], "None of the 2 labels in .* they name 12 and 34, and the classes are 7 and 9."),
        (["cat", "dog"], ["zebra", NEITHER], "None of the 1 labels"),
    ],
)
def test_labels_that_name_classes_otherwise_than_tables_are_refused(
    classes: list[str], labels: list[str], words: str, tmp_path: Path
) -> None:
    for stem, names in (("old", classes), ("new", classes[::-1])):
        pd.DataFrame({"picture": ["a", "b"], "class": names}).to_csv(tmp_path / f"{stem}.csv", index=False)
    pd.DataFrame({"picture": ["a", "b"], "class": labels}).to_csv(tmp_path / "labels.csv", index=False)
    verdict = gevaldi.verdict(*(f"table:{tmp_path / stem}.csv" for stem in ("old", "new")))
    with pytest.raises(DataError, match=words):
        verdict.add(tmp_path / "labels.csv")
    assert not verdict.answers.all()


def test_labels_may_differ_from_classes_in_case_and_spaces() -> None:
    verdict = verdict_on(pool_of([0, 0, 0], [1, 1, 1]))
    verdict.add({"p0": " Cat", "p1": "DOG", "p2": "Neither"})
    assert counted(verdict.answers) == {"p0": "cat", "p1": "dog", "p2": NEITHER}
    assert "2 labels in Python are matched without regard to case and spaces: " in verdict.notes[0]


def test_classes_that_some_labels_name_and_nobody_predicts_are_counted_on_the_page(tmp_path: Path) -> None:
    verdict = gevaldi.verdict(*tables(tmp_path, [0] * 4 + [1], [1] * 5))
    pd.DataFrame({"picture": ["p0", "p1", "p2"], "class": ["zebra", "cat", "okapi"]}).to_csv(tmp_path / "labels.csv", index=False)
    verdict.add(tmp_path / "labels.csv")
    note = f"2 labels in {tmp_path / 'labels.csv'} name classes that no classifier predicts: zebra and okapi."
    assert note in verdict.notes
    assert note in Path(str(verdict.report(tmp_path / "v.html"))).read_text()


def test_labels_of_pictures_that_need_none_are_kept_for_other_questions() -> None:
    pool = pool_of([0, 1, 1], [0, 2, 1])
    verdict = verdict_on(pool)
    verdict.add({"p0": "cat", "p1": "dog"})
    assert counted(verdict.answers) == {"p0": "cat", "p1": "dog"}


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"margin": "wide"}, SpecError),
        ({"margin": -0.1}, SpecError),
        ({"margin": "nan"}, SpecError),
        ({"score": "f1"}, UnknownName),
        ({"score": "class:zebra"}, UnknownName),
        ({"score": "top-9"}, SpecError),
        ({"score": "top-2"}, SpecError),
        ({"score": "levels"}, SpecError),
        ({"require": "best"}, SpecError),
        ({"seed": 2**64}, SpecError),
        ({"confidence": 95}, SpecError),
        ({"budget": 0}, SpecError),
        ({"where": ["night/*"]}, SpecError),
        ({"where": ["*n*t*"]}, SpecError),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        verdict_on(pool_of([0, 0, 0], [1, 1, 0]), **settings)


# the folder


def test_a_verdict_goes_on_in_its_folder_with_another_margin(tmp_path: Path) -> None:
    pool, truth = random_pool()
    verdict = verdict_on(pool, out=tmp_path)
    verdict.add({item.id: name(truth, item.place) for item in verdict.next(9)}, person="anna")
    again = verdict_on(pool, out=tmp_path, margin=0.1)
    assert again.main.used == 9
    record = json.loads((tmp_path / "verdict.json").read_text())
    assert record["question"]["margin"] == 0.1
    assert [one["person"] for one in record["labels"]["answers"]] == ["anna"] * 9
    assert all(one["time"] for one in record["labels"]["answers"])


def test_an_answer_of_the_labelling_page_fixes_the_question_though_no_verdict_has_counted_it(tmp_path: Path) -> None:
    pool, truth = random_pool()
    (item,) = verdict_on(pool, use_truth=False, out=tmp_path).next(1)
    Answers(tmp_path).add([Answer(item.id, name(truth, item.place), person="anna")])
    with pytest.raises(RunFolderError, match="use truth was False"):
        verdict_on(pool, out=tmp_path)


def test_a_changed_pool_or_classifier_is_noticed_and_its_labels_can_be_used(tmp_path: Path) -> None:
    pool, truth = random_pool()
    verdict = verdict_on(pool, out=tmp_path / "a")
    verdict.add({item.id: name(truth, item.place) for item in verdict.next(9)})
    other, _ = random_pool(seed=9)
    with pytest.raises(RunFolderError, match="answers differently from before"):
        verdict_on(other, out=tmp_path / "a")
    changed = Pool(pool.name, pool.ids, pool.classes, pool.predictions, digest="another")
    with pytest.raises(RunFolderError, match="the pool pictures has changed"):
        verdict_on(changed, out=tmp_path / "a")
    with pytest.raises(RunFolderError, match="the seed was 0"):
        verdict_on(pool, out=tmp_path / "a", seed=1)
    assert verdict_on(changed, out=tmp_path / "b", labels=tmp_path / "a").main.used == 9
    assert "9 answers are older than this verdict" in verdict_on(changed, out=tmp_path / "b").report().read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"confidence": 0.5}, "confidence was 0.95"),
        ({"budget": 40}, "budget was not set"),
        ({"score": "class:cat"}, "scores were accuracy"),
    ],
)
def test_once_labels_count_only_the_margin_may_change(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    pool, truth = random_pool()
    verdict = verdict_on(pool, out=tmp_path)
    assert verdict_on(pool, out=tmp_path, **settings)  # before the first label it is only a question
    verdict_on(pool, out=tmp_path).add({item.id: name(truth, item.place) for item in verdict.next(9)})
    verdict_on(pool, out=tmp_path)
    with pytest.raises(RunFolderError, match=message):
        verdict_on(pool, out=tmp_path, **settings)
    assert "margin 0.1" in verdict_on(pool, out=tmp_path, margin=0.1).report().read_text()


def test_a_pair_chosen_from_several_after_labels_is_refused(tmp_path: Path) -> None:
    pool, truth = random_pool(count=3)
    verdict = verdict_on(pool, out=tmp_path)
    verdict.add({item.id: name(truth, item.place) for item in verdict.next(9)})
    verdict_on(pool, out=tmp_path)
    pair = Pool(pool.name, pool.ids, pool.classes, pool.predictions[:2], digest=pool.digest)
    with pytest.raises(RunFolderError, match="the classifiers were old, new, third"):
        verdict_on(pair, out=tmp_path)


KILLED = """
import sys
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, Answer, Answers
from pathlib import Path
answers = Answers(Path(sys.argv[1]))
for i in range(100000):
    answers.add([Answer(f"p{i}", "cat")])
    print(i, flush=True)
"""


def test_an_acknowledged_answer_survives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        seen = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        seen += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    assert {f"p{i}" for i in seen} <= set(counted(Answers(tmp_path)))


def test_ctrl_c_says_what_is_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gevaldi.verdicts.start.verdict", interrupted)
    result = called(tmp_path, "verdict", "table:a.csv", "table:b.csv")
    assert result.returncode == 130
    assert "interrupted. Predictions and answers so far are stored" in result.stderr


def test_a_folder_that_is_no_verdict_is_refused(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"verdict\.json cannot be read"):
        verdict_on(pool_of([0], [1]), out=tmp_path)


# the page, the gate, the terminal


def test_the_page_escapes_names_and_its_queue_does_not_say_whose_answers_are_whose() -> None:
    ids = pa.array(["<script>x</script>", "b", "c"])
    classes = (Label("<b>cat"), Label("dog"))
    tops = (np.int32([[0], [0], [0]]), np.int32([[1], [1], [0]]))
    made = [Predictions(name, ids, classes, top, digest=name) for name, top in zip(("<i>old", "<i>new"), tops, strict=True)]
    verdict = verdict_on(Pool("<u>pool", ids, classes, made))
    page = render(verdict)
    assert not any(tag in page for tag in ("<script>x", "<b>cat", "<i>old", "<u>pool"))
    queue = page.partition('id="queue"')[2].partition("</section>")[0]
    assert "new" not in queue.replace("next", "")
    assert "&lt;b&gt;cat" in as_html(verdict)


def test_an_unclear_picture_counts_for_neither_side_on_the_page(tmp_path: Path) -> None:
    verdict = verdict_on(pool_of([0] * 6, [1] * 6))
    verdict.add({item.id: answer for item, answer in zip(verdict.next(3), (CANNOT_TELL, "cat", "dog"), strict=True)})
    page = Path(str(verdict.report(tmp_path / "v.html"))).read_text()
    assert "<td>6</td><td>3</td><td>1</td><td>1</td>" in page  # disputed, labelled, worse, better


def test_the_record_says_which_labels_are_of_a_file_and_the_command_names_it(tmp_path: Path) -> None:
    both = tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10)
    truth = tmp_path / "the truth.csv"
    pd.DataFrame({"picture": [f"p{i}" for i in range(30)], "class": "dog"}).to_csv(truth, index=False)
    verdict = gevaldi.verdict(*both, labels=truth)
    page = Path(str(verdict.report(tmp_path / "v.html"))).read_text()
    assert f"30 labels from {truth}</td>" in page
    assert f"--labels &#39;{truth}&#39;" in page
    verdict.add([Answer("p0", "dog", "Ada"), Answer("p0", "dog", "Ben"), Answer("p1", "dog", "Ben")])
    assert origins(verdict) == f"30 labels from {truth}; 3 answers by 2 people"
    assert origins(gevaldi.verdict(*both)) == "none"


@pytest.mark.parametrize("count", [2, 3])
def test_the_record_holds_numbers_as_short_as_they_are(count: int, tmp_path: Path) -> None:
    def numbers(value: Any) -> Iterator[float]:
        if isinstance(value, float):
            yield value
        elif isinstance(value, dict | list):
            for one in value.values() if isinstance(value, dict) else value:
                yield from numbers(one)

    pool, truth = random_pool(30, count, 3)
    verdict = verdict_on(pool, confidence=0.95, margin="0.57%", out=tmp_path)
    verdict.add({item.id: name(truth, item.place) for item in verdict.next(7)})
    write_record(verdict, tmp_path)
    record = json.loads((tmp_path / "verdict.json").read_text())
    assert record["question"]["margin"] == 0.0057
    assert record["pairs"][0]["misses_with_at_most"] == 0.05 / (1 if count == 2 else 3)
    record["pairs"] = [{**one, "misses_with_at_most": 0.0} for one in record["pairs"]]
    assert all(value == round(value, 12) for value in numbers(record))


def test_a_list_that_is_cut_says_how_many_there_are_and_how_many_it_shows(tmp_path: Path) -> None:
    classes = tuple(Label(f"class {i}") for i in range(10))
    rng = np.random.default_rng(1)
    tops = rng.integers(0, 10, (2, 400)).astype(np.int32)
    ids = pa.array([f"p{i}" for i in range(400)])
    made = [Predictions(name, ids, classes, top[:, None], digest=name) for name, top in zip(("Acme", "Bolt"), tops, strict=True)]
    verdict = verdict_on(Pool("pictures", ids, classes, made), require="equivalent", margin="0.1%")
    disputed = Counter((int(a), int(b)) for a, b in tops.T if a != b)
    first = verdict.next()[:150]
    verdict.add({item.id: classes[tops[int(item.place % 2 == 0), item.place]].name for item in first})  # Bolt is right on half
    page = Path(str(verdict.report(tmp_path / "v.html"))).read_text()
    shown = sum(count for _, count in disputed.most_common(12))
    assert f"The 12 most frequent of {len(disputed)} pairs of answers: {shown} of {disputed.total()} pictures." in page
    better = sum(item.place % 2 == 0 for item in first)
    for count in (better, 150 - better, verdict.left):
        assert f"Shown are the first 24 of {count}, in the order of labelling." in page
    assert "<bdi>Bolt</bdi> is worse</th>" in page
    few = Path(str(verdict_on(pool_of([0] * 5, [1] * 5)).report(tmp_path / "w.html"))).read_text()
    assert "Shown are" not in few
    assert "most frequent of" not in few


def test_ranks_follow_from_pairs_that_are_certain_by_way_of_a_third() -> None:
    intervals = {(0, 1): (0.1, 0.2), (1, 2): (0.1, 0.2), (0, 2): (-0.1, 0.4)}  # the third and the first are not certain directly
    found = Ranking.of(3, dict.fromkeys(intervals, 0.1), intervals)
    assert found.ranks == ((3, 3), (2, 2), (1, 1))
    assert found.candidates == (2,)


def test_a_ranking_has_no_estimates_without_labels() -> None:
    pool, truth = random_pool(count=3)
    verdict = verdict_on(pool)
    assert {row[1] for row in rows(verdict)} == {"–"}
    label_all(verdict, truth)
    assert "–" not in {row[1] for row in rows(verdict)}


def test_choices_are_in_an_order_that_is_half_one_way_and_half_the_other() -> None:
    verdict = verdict_on(pool_of([0] * 400, [1] * 400))
    first = [item.choices[0] == "cat" for item in verdict.next()]
    assert 150 < sum(first) < 250


def tables(folder: Path, old: list[int], new: list[int]) -> list[str]:
    for stem, tops in (("old", old), ("new", new)):
        rows = {"picture": [f"p{i}" for i in range(len(tops))], "class": [CLASSES[top].name for top in tops]}
        pd.DataFrame(rows).to_csv(folder / f"{stem}.csv", index=False)
    return [f"table:{folder / 'old.csv'}", f"table:{folder / 'new.csv'}"]


@pytest.mark.parametrize(("label", "code", "state"), [("dog", 0, "holds"), ("cat", 1, "fails"), (CANNOT_TELL, 2, "undecided")])
def test_a_gate_exits_by_its_claim_and_writes_what_robots_read(label: str, code: int, state: str, tmp_path: Path) -> None:
    both = tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10)
    pd.DataFrame({"picture": [f"p{i}" for i in range(30)], "class": label}).to_csv(tmp_path / "labels.csv", index=False)
    files = [word for kind in ("markdown", "junit", "json") for word in (f"--{kind}", str(tmp_path / kind))]
    command = [
        "verdict",
        *both,
        "--require",
        "better",
        "--labels",
        str(tmp_path / "labels.csv"),
        "--out",
        str(tmp_path / "v"),
        *files,
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == code, result.output
    assert f"**{state}**" in (tmp_path / "markdown").read_text()
    suite = ElementTree.fromstring((tmp_path / "junit").read_bytes())
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == (str(int(code == 1)), str(int(code == 2)))
    assert json.loads((tmp_path / "json").read_text())["state"] == state
    assert (tmp_path / "v" / "report.html").exists()


def test_classes_written_into_the_queue_are_read_by_the_same_command(tmp_path: Path) -> None:
    command = ["verdict", *tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10), "--out", str(tmp_path / "v"), "--queue", "8"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "gevaldi label" not in result.output  # tables have no pictures to show
    queue = tmp_path / "v" / "queue.csv"
    table = pd.read_csv(queue, dtype=str)
    assert len(table) == 8
    table.assign(**{"class": "dog"}).to_csv(queue, index=False)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "new.csv is better than old.csv" in result.output


def test_a_queue_that_a_spreadsheet_saved_with_semicolons_is_read(tmp_path: Path) -> None:
    command = ["verdict", *tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10), "--out", str(tmp_path / "v")]
    CliRunner().invoke(app, command)
    queue = tmp_path / "v" / "queue.csv"
    pd.read_csv(queue, dtype=str).assign(**{"class": "dog"}).to_csv(queue, index=False, sep=";", encoding="utf-8-sig")
    assert CliRunner().invoke(app, command).exit_code == 0


def test_ids_that_look_like_formulas_come_back_from_the_queue(tmp_path: Path) -> None:
    ids = pa.array([f"={i}.png" for i in range(20)])
    made = [
        Predictions(name, ids, CLASSES, np.full((20, 1), top, np.int32), digest=name) for top, name in enumerate(("old", "new"))
    ]
    verdict = verdict_on(Pool("pictures", ids, CLASSES, made), out=tmp_path)
    write_queue(verdict, tmp_path, 5)
    table = pd.read_csv(tmp_path / "queue.csv", dtype=str)
    table.assign(**{"class": "dog"}).to_csv(tmp_path / "queue.csv", index=False)
    read_queue(verdict, tmp_path)
    assert verdict.main.used == 5


def test_a_wrong_class_in_the_queue_is_refused_and_the_queue_stays(tmp_path: Path) -> None:
    command = ["verdict", *tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10), "--out", str(tmp_path / "v")]
    CliRunner().invoke(app, command)
    queue = tmp_path / "v" / "queue.csv"
    pd.read_csv(queue, dtype=str).assign(**{"class": "dgo"}).to_csv(queue, index=False)
    before = queue.read_text()
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, DataError)
    assert "Did you mean 'dog'" in str(result.exception)
    assert queue.read_text() == before
    pd.read_csv(queue, dtype=str).assign(picture=lambda table: table["picture"].str.upper(), **{"class": "dog"}).to_csv(queue)
    assert "Did a spreadsheet change their ids?" in str(CliRunner().invoke(app, command).exception)


def test_answers_on_the_terminal_are_stored_one_by_one_and_can_be_undone(tmp_path: Path) -> None:
    command = [
        "verdict",
        *tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10),
        "--out",
        str(tmp_path / "v"),
        "--ask",
        "--person",
        "anna",
    ]
    result = CliRunner().invoke(app, command, input="cat\nb\n/undo\nzebra\n-\n/skip\n?\nbird\nbird\n/stop\n")
    answers = Answers(tmp_path / "v").all()
    said = [one.answer for one in answers]
    assert [said[0], *said[2:]] == ["cat", "", NEITHER, CANNOT_TELL, "bird"]
    assert "zebra is not among the choices" in result.output
    assert "bird" in result.output.partition("not among the choices")[2]
    assert {one.person for one in answers} == {"anna"}
    assert "−" not in result.output.partition("answers stored")[0]  # no interval while people answer


def test_a_person_without_a_terminal_is_shown_where_the_picture_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verdict", *photos(tmp_path), "--ask"], input="/stop\n")
    queue = pd.read_csv(tmp_path / "v" / "queue.csv")["picture"]
    assert str(tmp_path / "photos" / queue[0]) in result.output
    both = [f"bundled:mnist-{name}" for name in ("strided", "pooled")]
    command = ["verdict", *both, "--pool", "bundled:mnist-digits", "--no-truth", "--out", str(tmp_path / "digits"), "--ask"]
    result = CliRunner().invoke(app, [*command, "--predictions", str(tmp_path / "predictions")], input="/stop\n")
    (picture,) = (tmp_path / "digits" / "pictures").iterdir()  # there is no file of a bundled digit
    assert str(picture) in result.output
    with Image.open(picture) as opened:
        assert opened.size == (28, 28)


def test_a_digit_on_the_terminal_is_a_class_and_not_the_number_of_a_choice(tmp_path: Path) -> None:
    for stem, digits in (("old", "44"), ("new", "24")):
        pd.DataFrame({"picture": [f"p{i}" for i in range(30)], "class": list(digits) * 15}).to_csv(
            tmp_path / f"{stem}.csv", index=False
        )
    both = [f"table:{tmp_path / stem}.csv" for stem in ("old", "new")]
    command = ["verdict", *both, "--out", str(tmp_path / "v"), "--ask"]
    CliRunner().invoke(app, command, input="2\n4\n1\n/stop\n")
    assert [one.answer for one in Answers(tmp_path / "v").all()] == ["2", "4"]


@pytest.mark.parametrize("option", [["--where", "*1*"], ["--seed", str(2**70)], ["--markdown", "no/such/folder/c.md"]])
def test_what_cannot_be_used_never_exits_as_a_claim_that_fails(option: list[str], tmp_path: Path) -> None:
    command = ["verdict", *tables(tmp_path, [0] * 30, [1] * 20 + [0] * 10), "--out", str(tmp_path / "v"), *option]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 or isinstance(result.exception, gevaldi.GevaldiError), result.output


def test_a_forecast_is_never_beyond_the_queue() -> None:
    pool, truth = random_pool(300, 4, 1)
    verdict = verdict_on(pool)
    verdict.add({item.id: name(truth, item.place) for item in verdict.next(30)})
    assert verdict.forecast.low <= verdict.forecast.labels <= verdict.forecast.high <= verdict.forecast.most == verdict.left


def test_texts_of_several_classifiers_are_complete(tmp_path: Path) -> None:
    pool, truth = random_pool(100, 3, 7)
    verdict = verdict_on(pool, out=tmp_path)
    assert "any of 3 may be" in as_markdown(verdict)
    with pytest.raises(SpecError, match="only the best"):
        verdict_on(pool, require="better")
    label_all(verdict, truth)
    assert ElementTree.fromstring(as_junit(verdict).encode()).attrib["skipped"] == "0"
    assert verdict.report().read_text().count("<h2") >= 3


@pytest.mark.parametrize("score", ["accuracy", "cost:costs.csv"])
def test_the_page_of_several_has_each_mean_and_for_each_pair_the_difference_and_where_they_differ(
    score: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names, loss = [label.name for label in CLASSES], np.array([[0, 1, 5, 9], [2, 0, 4, 9], [3, 8, 0, 9], [7, 7, 6, 0]])
    pd.DataFrame(loss, names, names).to_csv("costs.csv")
    pool, truth = random_pool(397, 3, 5)
    tops = {own.name: own.top[:, 0] for own in pool.predictions}
    verdict = verdict_on(pool, score=score)
    assert "is not known" in verdict.report(tmp_path / "none.html").read_text()
    verdict.add({f"p{i}": name(truth, i) for i in range(397)})
    page = Path(str(verdict.report(tmp_path / "v.html"))).read_text()
    assert "<h1>old, new or third?</h1>" in page
    mean = {own: (loss[truth, top].mean() if "cost" in score else (top == truth).mean()) for own, top in tops.items()}
    for one in mean.values():
        assert f"<td>{one:.3g} units of cost</td>" in page or f"<td>{100 * one:.1f} %</td>" in page
    best, *others = sorted(mean, key=lambda own: mean[own] if "cost" in score else -mean[own])
    for own in others:
        differ = int((tops[own] != tops[best]).sum())
        gap = abs(mean[own] - mean[best])
        words = f"{gap:.3g} units of cost" if "cost" in score else f"{100 * gap:.1f} percentage points"
        both = (own, best) if "cost" in score else (best, own)
        assert f"<bdi>{both[0]}</bdi> minus <bdi>{both[1]}</bdi></th><td>{differ} (" in page
        assert f"<td>+{words} (exact)</td>" in page
        assert f"<td>−{words} (exact)</td>" in page  # in the table of ranks, to the best


def test_a_pair_of_several_has_the_interval_of_its_evidence_whichever_is_first() -> None:
    pool, truth = random_pool(400, 3, 5)
    verdict = verdict_on(pool)
    verdict.add({item.id: name(truth, item.place) for item in verdict.next(40)})
    accuracy = {own.name: (own.top[:, 0] == truth).mean() for own in pool.predictions}
    for minuend, subtrahend, *_, words in pair_table(verdict).rows:
        low, high = (float(end.replace("−", "-")) / 100 for end in words.removesuffix(" percentage points").split(" to "))
        assert low - 1e-3 <= accuracy[minuend] - accuracy[subtrahend] <= high + 1e-3


def test_the_table_of_pairs_of_many_says_that_it_is_cut() -> None:
    rng = np.random.default_rng(0)
    pool = pool_of(*rng.integers(0, 4, (11, 50)), names=tuple(f"c{i}" for i in range(11)))
    page = render(verdict_on(pool))
    assert "Shown are the first 45 of 55 pairs" in page
    assert "c0, c1, c2, c3, c4 or 6 more?" in page


def test_a_verdict_on_tables_needs_no_torch(tmp_path: Path) -> None:
    both = tables(tmp_path, [0, 1, 2], [0, 1, 1])
    page = str(tmp_path / "r.html")
    code = f"import sys, gevaldi; gevaldi.verdict(*{both!r}).report({page!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "False"


def test_intervals_are_nested_from_label_to_label() -> None:
    pool, truth = random_pool(600, differ=0.8, seed=2)
    verdict = verdict_on(pool, require="equivalent")
    ends = [(-1.0, 1.0)]
    for item in verdict.next(60):
        verdict.add({item.id: name(truth, item.place)})
        ends.append((verdict.interval.low, verdict.interval.high))
    lows, highs = zip(*ends, strict=True)
    assert list(lows) == sorted(lows)
    assert list(highs) == sorted(highs, reverse=True)


@pytest.mark.slow
def test_the_page_of_a_comparison_shows_the_verdict_in_its_folder(tmp_path: Path) -> None:
    names = [f"bundled:mnist-{name}" for name in ("strided", "pooled")]
    run = gevaldi.compare(
        *names, "bundled:mnist-vae", samples=2, steps=2, conditions=[3], orders="forward", audited=10, out=tmp_path
    )
    before = run.report().read_text()
    assert "decides on real pictures" in before
    (tmp_path / "tables").mkdir()
    verdict = gevaldi.verdict(*tables(tmp_path / "tables", [0, 1, 1], [0, 2, 1]), out=tmp_path / "verdict")
    assert headline(verdict) in run.report().read_text()
    assert 'href="./verdict/report.html"' in run.report().read_text()
    (tmp_path / "verdict" / "verdict.json").write_text("[]")
    with pytest.raises(RunFolderError, match="is not the record of a verdict"):
        run.report()


def test_a_claim_that_holds_for_the_pool_alone_says_so() -> None:
    """56 of 100 disputed pictures favour the new one: a coin does as much in 14 % of such pools [binomial]."""
    truth = np.zeros(1000, int)
    old, new = truth.copy(), truth.copy()
    old[:56], new[56:100] = 1, 1
    alone, wide = (verdict_on(pool_of(old, new), margin=margin) for margin in ("0%", "50%"))
    for verdict in (alone, wide):
        label_all(verdict, truth)
        assert verdict.state == "holds"
    assert "holds for this pool and is not shown for all of those" in caution(alone)
    assert "not shown" not in caution(wide)


def test_answers_that_contradict_the_pool_count_and_are_counted() -> None:
    pool, truth = random_pool()
    verdict = verdict_on(Pool(pool.name, pool.ids, pool.classes, pool.predictions, truth.astype(np.int32)))
    assert "differ" not in labels_used(verdict)
    item, other = verdict.disputed[:2].tolist()
    verdict.add({pool.ids[item].as_py(): name(truth + 1 - 2 * (truth == 3), item), pool.ids[other].as_py(): name(truth, other)})
    assert verdict.contradicted == [item]
    words = "1 of them differs from the class that the pool has for its picture, and counts in its place, such as for"
    assert f"{words} {pool.ids[item]}." in labels_used(verdict)


def test_predictions_that_are_given_as_labels_are_questioned() -> None:
    pool, truth = random_pool()
    answers = {str(one): CLASSES[top].name for one, top in zip(pool.ids.to_pylist(), pool.predictions[1].top[:, 0], strict=True)}
    true = {str(one): name(truth, i) for i, one in enumerate(pool.ids.to_pylist())}
    suspected, trusted = verdict_on(pool), verdict_on(pool)
    suspected.add(answers)
    trusted.add(true)
    assert "All 200 labels in Python are what new answers. Are they labels, or its predictions?" in suspected.notes
    assert not any("are what" in note for note in trusted.notes)


def test_pictures_on_which_one_has_no_answer_are_counted_apart() -> None:
    old, new = np.zeros(50, int), np.zeros(50, int)
    old[:7], new[7:10] = 1, -1
    assert counts(verdict_on(pool_of(old, new))) == (
        "old and new answer differently on 10 of 50 pictures (20 %); on 3 of these, one of the two has no answer."
    )
