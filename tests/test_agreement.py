"""Several people: whether they agree, who errs how, which answer counts, and what the owner of a question sees of it."""

import contextlib
import itertools
from dataclasses import replace
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene as Oracle
from hypothesis import given
from hypothesis import strategies as st

from gevaldi.errors import RunFolderError, UnknownName
from gevaldi.labelling.store import Store
from gevaldi.statistics.agreement import alpha_with_interval, counts_of, krippendorff_alpha
from gevaldi.statistics.dawid_skene import dawid_skene
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, WITHDRAWN, Answer, Answers
from gevaldi.verdicts.final import RULES, Rule, final_answers
from gevaldi.verdicts.page import render
from gevaldi.verdicts.people import classes_of_controls, overview, responses_of
from gevaldi.verdicts.responses import Response, read_responses
from gevaldi.verdicts.start import verdict_on
from test_verdicts import CLASSES, label_all, pool_of, random_pool

ratings = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcd")), min_size=1, max_size=60)
PEOPLE = ("Ada", "Ben", "Cem", "Dora", "Eva")


def votes(
    accuracies: list[float], size: int = 300, answered: float = 0.6, seed: int = 0
) -> tuple[list[tuple[str, str, str]], np.ndarray]:
    """What people answer who are right with these probabilities, each to a part of the pictures; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, size)
    found = []
    for name, accuracy in zip(PEOPLE, accuracies, strict=False):
        for i in np.flatnonzero(rng.random(size) < answered).tolist():
            other = (truth[i] + rng.integers(1, 4)) % 4
            found.append((name, f"p{i}", CLASSES[truth[i] if rng.random() < accuracy else other].name))
    return found, truth


# agreement


@given(ratings)
def test_alpha_is_that_of_the_library_krippendorff(given_ratings: list[tuple[int, str]]) -> None:
    counts = counts_of(given_ratings)
    rated = counts[counts.sum(1) > 1]
    own = krippendorff_alpha(counts)
    if len(rated) == 0 or (rated.sum(0) > 0).sum() < 2:
        assert np.isnan(own)
    else:
        assert own == pytest.approx(krippendorff.alpha(value_counts=rated, level_of_measurement="nominal"))


@given(ratings, st.permutations("abcd"))
def test_alpha_does_not_depend_on_the_names_of_classes_or_on_the_order_of_ratings(
    given_ratings: list[tuple[int, str]], names: list[str]
) -> None:
    renamed = [(item, dict(zip("abcd", names, strict=True))[answer]) for item, answer in reversed(given_ratings)]
    assert krippendorff_alpha(counts_of(renamed)) == pytest.approx(krippendorff_alpha(counts_of(given_ratings)), nan_ok=True)


def test_alpha_is_one_if_all_agree_and_near_zero_if_they_answer_at_random() -> None:
    rng = np.random.default_rng(0)
    agreed = [(i, int(answer)) for i, answer in enumerate(rng.integers(0, 3, 500)) for _ in range(2)]
    at_random = [(i, int(answer)) for i in range(500) for answer in rng.integers(0, 3, 2)]
    assert krippendorff_alpha(counts_of(agreed)) == 1.0
    around = alpha_with_interval(counts_of(at_random))
    assert around.low < 0 < around.high
    assert around.count == 500


def test_the_interval_of_alpha_contains_its_value_in_the_long_run_in_about_95_of_100_samples() -> None:
    chance = 0.8  # of two people alike; otherwise both answer at random, so alpha tends to 0.8
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        alike = rng.random(120) < chance
        first, second = rng.integers(0, 3, (2, 120))
        pairs = [*enumerate(first.tolist()), *enumerate(np.where(alike, first, second).tolist())]
        around = alpha_with_interval(counts_of(pairs), seed)
        hits += around.low <= chance <= around.high
    assert 178 <= hits <= 199


# Dawid and Skene


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_without_smoothing_the_model_is_that_of_crowd_kit(seed: int) -> None:
    answers, _ = votes([0.95, 0.8, 0.6, 0.55, 0.9], seed=seed)
    oracle = Oracle(n_iter=100, tol=0).fit_predict_proba(pd.DataFrame(answers, columns=["worker", "task", "label"]))
    own = dawid_skene(answers, smoothing=0)
    table = pd.DataFrame(own.probabilities, index=own.items, columns=own.classes).loc[oracle.index, oracle.columns]
    assert np.abs(table - oracle).max().max() < 1e-3


def test_the_model_recovers_how_often_people_are_right_and_beats_the_majority() -> None:
    accuracies = [0.97, 0.95, 0.4, 0.4, 0.4]
    answers, truth = votes(accuracies, size=1000, answered=1.0)
    own = dawid_skene(answers)
    assert np.abs(own.accuracy - accuracies).max() < 0.05
    best = own.best()
    right = np.mean([best[f"p{i}"][0] == CLASSES[k].name for i, k in enumerate(truth)])
    majority = final_answers([Answer(picture, answer, person) for person, picture, answer in answers], "majority")
    assert right > 0.95 > np.mean([majority[f"p{i}"].answer == CLASSES[k].name for i, k in enumerate(truth)])


@given(
    st.lists(
        st.tuples(st.sampled_from(PEOPLE), st.integers(0, 8).map(str), st.sampled_from("abc")),
        min_size=1,
        unique_by=lambda one: one[:2],
    )
)
def test_probabilities_of_the_model_add_up_to_one_whatever_people_answer(answers: list[tuple[str, str, str]]) -> None:
    own = dawid_skene(answers)
    assert own.probabilities.sum(1) == pytest.approx(1.0)
    assert ((own.accuracy >= 0) & (own.accuracy <= 1 + 1e-9)).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 5))
def test_if_all_agree_every_rule_gives_that_answer(truth: list[int], people: int) -> None:
    answers = [Answer(f"p{i}", CLASSES[k].name, name) for name in PEOPLE[:people] for i, k in enumerate(truth)]
    for rule in ("unanimous", "majority", "dawid-skene"):
        assert {picture: one.answer for picture, one in final_answers(answers, rule).items()} == {
            f"p{i}": CLASSES[k].name for i, k in enumerate(truth)
        }


# the answer that counts


@pytest.mark.parametrize(
    ("given_answers", "unanimous", "majority"),
    [
        (["cat", "cat"], "cat", "cat"),
        (["cat", "dog"], CANNOT_TELL, CANNOT_TELL),
        (["cat", "cat", "dog"], CANNOT_TELL, "cat"),
        (["cat", CANNOT_TELL], "cat", "cat"),
        ([CANNOT_TELL, CANNOT_TELL, "dog"], "dog", "dog"),
        ([CANNOT_TELL, CANNOT_TELL], CANNOT_TELL, CANNOT_TELL),
        (["cat", "cat", "dog", "dog"], CANNOT_TELL, CANNOT_TELL),
        (["cat", NEITHER, NEITHER], CANNOT_TELL, NEITHER),
    ],
)
def test_a_rule_makes_one_answer_of_several(given_answers: list[str], unanimous: str, majority: str) -> None:
    answers = [
        Answer("p", answer, name, named=("cat",) if answer == NEITHER else ())
        for name, answer in zip(PEOPLE, given_answers, strict=False)
    ]
    for order in itertools.permutations(answers):
        assert final_answers(order)["p"].answer == unanimous
        assert final_answers(order, "majority")["p"].answer == majority


@pytest.mark.parametrize("rule", RULES)
def test_withdrawn_answers_count_by_no_rule_and_the_last_one_of_a_person_replaces_the_others(rule: Rule) -> None:
    answers = [
        Answer("p", "cat", "Ada"),
        Answer("p", "dog", "Ben"),
        Answer("p", WITHDRAWN, "Ben"),
        Answer("q", "cat", "Ada"),
        Answer("q", "dog", "Ada"),
    ]
    assert {picture: one.answer for picture, one in final_answers(answers, rule).items()} == {"p": "cat", "q": "dog"}
    assert final_answers([Answer("p", "cat", "Ada"), Answer("p", WITHDRAWN, "Ada")], rule) == {}


def test_a_verdict_decides_by_its_rule_and_keeps_it_once_labels_count(tmp_path: Path) -> None:
    pool = pool_of([0] * 9, [1] * 9)
    answers = [Answer(f"p{i}", "dog" if name != "Cem" else "cat", name) for i in range(9) for name in PEOPLE[:3]]
    for rule, word in (("unanimous", "undecided"), ("majority", "better"), ("dawid-skene", "better")):
        verdict = verdict_on(pool, several=rule, out=tmp_path / rule)
        verdict.add(answers)
        assert verdict.decision.word == word, rule
        verdict_on(pool, several=rule, margin=0.1, out=tmp_path / rule)
    verdict_on(pool, several="majority", out=tmp_path / "majority")
    with pytest.raises(RunFolderError, match="several was majority"):
        verdict_on(pool, out=tmp_path / "majority")
    with pytest.raises(UnknownName, match="majority"):
        verdict_on(pool, several="majorty")


def test_a_verdict_by_the_model_learns_how_people_err_from_answers_that_come_later() -> None:
    pool = pool_of([0] * 40, [1] * 40)
    verdict = verdict_on(pool, several="dawid-skene")
    verdict.add([Answer("p0", "cat", "Ben"), Answer("p0", "dog", "Ada")])
    verdict.add([Answer(f"p{i}", "dog" if i % 2 else "cat", name) for i in range(1, 40) for name in ("Ada", "Cem", "Eva")])
    verdict.add([Answer(f"p{i}", "cat" if i % 2 else "dog", "Ben") for i in range(1, 40)])
    assert verdict.truths[0].place == 1  # Ben errs on all that others agree on


# what the owner sees


def answer(person: str, picture: str, said: str, kind: str = "question", occasion: int = 1, seconds: int = 0) -> Response:
    return Response(
        person, picture, kind, occasion, said, choices=("cat", "dog"), time="2026-11-29T10:00:00.000+00:00", shown_ms=1000 * seconds
    )


def test_the_overview_counts_answers_controls_and_repeats_of_each_person() -> None:
    found = overview(
        [
            answer("Ada", "p0", "cat", seconds=2),
            answer("Ada", "p1", CANNOT_TELL, "overlap", seconds=4),
            answer("Ada", "c0", "dog", "control", seconds=9),
            answer("Ada", "c1", "dog", "control"),
            answer("Ada", "p0", "dog", "repeat", 2),
            answer("Ben", "p1", "dog", "overlap"),
        ],
        known={"c0": "dog", "c1": "cat"},
    )
    ada, ben = found.people
    assert (ada.name, ada.answered, ada.cannot_tell, ada.seconds) == ("Ada", 2, 1, 4)
    assert (ada.missed, ada.controls.count, ada.same, ada.repeats.count) == (1, 2, 0, 1)
    assert ada.controls.low < 0.5 < ada.controls.high
    assert (ben.answered, ben.controls.count, ben.seconds) == (1, 0, None)
    assert found.alpha.count == 0  # who cannot tell has no vote
    assert found.discuss == ()
    assert not found.is_empty


def test_pictures_on_which_people_differ_are_to_discuss_the_least_certain_first() -> None:
    same = [answer(name, f"p{i}", "cat" if i % 2 else "dog") for i in range(20) for name in PEOPLE[:3]]
    found = overview(
        [
            *same,
            answer("Ada", "two", "cat"), answer("Ben", "two", "dog"),
            answer("Ada", "three", "cat"), answer("Ben", "three", "dog"), answer("Cem", "three", "dog"),
        ],
        {},
        "majority",
    )  # fmt: skip
    assert [one.picture for one in found.discuss] == ["two", "three"]
    assert found.discuss[1].answers == {"Ada": "cat", "Ben": "dog", "Cem": "dog"}
    assert [one.final for one in found.discuss] == [CANNOT_TELL, "dog"]
    assert (found.differ.count, round(found.differ.value * 22)) == (22, 2)
    assert any("alpha" in sentence for sentence in found.sentences)


@pytest.mark.parametrize(("shared", "is_known"), [(29, False), (30, True)])
def test_how_often_a_person_is_right_is_shown_from_thirty_answers_in_common(shared: int, is_known: bool) -> None:
    both = [answer(name, f"p{i}", "cat" if i % 3 else "dog") for i in range(shared) for name in PEOPLE[:2]]
    alone = [answer("Cem", f"q{i}", "cat") for i in range(90)] + [answer("Cem", "p0", "dog")]
    found = overview([*both, *alone], {})
    assert [one.shared for one in found.people] == [shared, shared, 1]
    assert [one.accuracy is not None for one in found.people] == [is_known, is_known, False]
    assert any("too few answers in common" in sentence for sentence in found.sentences) != is_known
    assert any("Dawid and Skene" in sentence for sentence in found.sentences) == is_known


@pytest.mark.parametrize(
    ("shared", "differing", "words"),
    [
        (6, 0, "1.00 (too few for an interval)"),
        (6, 1, "(too few for an interval)"),
        (40, 0, "1.00 (no interval while nobody differs)"),
    ],
)
def test_alpha_has_no_interval_if_pictures_are_too_few_or_nobody_differs(shared: int, differing: int, words: str) -> None:
    said = {"Ada": ["cat", "dog"], "Ben": ["cat", "dog"]}
    some = [answer(name, f"p{i}", own[i % 2]) for name, own in said.items() for i in range(differing, shared)]
    some += [answer(name, f"p{i}", said) for i in range(differing) for name, said in (("Ada", "cat"), ("Ben", "dog"))]
    (sentence,) = [one for one in overview(some, {}).sentences if "alpha" in one]
    assert words in sentence
    assert "95 %" not in sentence


def test_the_page_says_of_whom_too_little_is_known() -> None:
    pool, truth = random_pool(400)
    verdict = verdict_on(pool, require="equivalent")
    places = verdict.disputed[:40]
    for name, count in (("Ada", 40), ("Ben", 35), ("Cem", 6)):
        verdict.add([Answer(f"p{place}", CLASSES[truth[place]].name, name) for place in places[:count].tolist()])
    page = render(verdict)
    assert page.count("<td>too few answers in common</td>") == 1


def test_one_person_without_controls_is_nothing_to_compare() -> None:
    assert overview([answer("Ada", "p0", "cat")], {}).is_empty
    assert overview([], {}).is_empty
    assert not overview([answer("Ada", "p0", "cat"), answer("Ada", "c", "cat", "control")], {"c": "dog"}).is_empty


def test_responses_are_read_from_the_folder_without_those_that_were_withdrawn(tmp_path: Path) -> None:
    assert read_responses(tmp_path) == []
    with contextlib.closing(Store(tmp_path)) as store:
        for key, said in (("1", "dog"), ("2", "cat")):
            store.add(replace(answer("Ada", "p0", said), key=key, task="t"), lambda _: None)
            if said == "dog":
                store.withdraw("Ada", "undo", {"t"}, lambda _: None)
    (found,) = read_responses(tmp_path)
    assert (found.person, found.picture, found.answer, found.choices) == ("Ada", "p0", "cat", ("cat", "dog"))
    assert [one.answer for one in read_responses(tmp_path, everything=True)] == ["dog", "cat"]
    assert [one.answer for one in responses_of(Answers(tmp_path).all(), tmp_path)] == ["cat"]  # and not twice
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "answers.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RunFolderError, match="cannot be read"):
        read_responses(tmp_path)


def test_the_class_of_a_control_is_the_one_that_all_classifiers_read() -> None:
    pool = pool_of([0, 1, 2], [0, 1, 3])
    controls = [answer("Ada", picture, "cat", "control") for picture in ("p0", "p1", "p2", "elsewhere")]
    assert classes_of_controls(pool, controls) == {"p0": "cat", "p1": "dog"}


def test_answers_that_came_by_files_are_people_too() -> None:
    found = responses_of([Answer("p0", "cat", "Ada"), Answer("p0", "dog", source="labels.csv")], None)
    assert [one.name for one in overview(found, {}).people] == ["Ada", "labels.csv"]


def test_the_page_shows_people_only_if_there_is_something_to_compare() -> None:
    pool, truth = random_pool()
    verdict = verdict_on(pool)
    label_all(verdict, truth)
    assert "Who answered" not in render(verdict)
    items = [*verdict.truths][:4]
    verdict.add([Answer(one, "cat", name) for one in verdict.ids_at(items[:2]) for name in ("Ada <b>", "Ben")])
    verdict.add([Answer(verdict.ids_at(items)[3], said, name) for name, said in (("Ada <b>", "cat"), ("Ben", "dog"))])
    page = render(verdict)
    assert all(text in page for text in ("Who answered", "Ada &lt;b&gt;", "To discuss"))
    assert "Ada <b>" not in page


def test_a_tie_by_the_model_of_dawid_and_skene_settles_nothing() -> None:
    answers = [Answer("p", "cat", "Ada"), Answer("p", "dog", "Ben")]
    for order in (answers, answers[::-1]):
        assert final_answers(order, "dawid-skene")["p"].answer == CANNOT_TELL


def test_an_answer_of_the_page_that_was_revised_elsewhere_is_no_longer_to_discuss(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path)) as store:
        for who, answer in (("Ada", "cat"), ("Ben", "dog")):
            store.add(Response(who, "p0", "overlap", 1, answer, key=who), lambda _: None)
    stored = Answers(tmp_path)
    assert len(overview(responses_of(stored.all(), tmp_path), {}).discuss) == 1
    stored.add([Answer("p0", "cat", "Ben", source="after a discussion")])
    assert overview(responses_of(stored.all(), tmp_path), {}).discuss == ()
