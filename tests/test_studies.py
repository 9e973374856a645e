"""A study with people: what it asks, whom it counts, and that its analysis recovers what was put in."""

import contextlib
import csv
import io
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import barnard_exact, binom

from conftest import called
from gevaldi.errors import DataError, MissingExtra, RunFolderError, SpecError
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row
from gevaldi.studies.allocation import allocation
from gevaldi.studies.analysis import Outcome, analyse
from gevaldi.studies.plan import Plan, Truth, plan_from
from gevaldi.studies.power import difference, is_shown, p_value, people_needed, power
from gevaldi.studies.results import read_results, sessions_of
from gevaldi.studies.sentences import headline, notes, plan_sentences
from gevaldi.studies.store import Store
from gevaldi.studies.study import Study, plan_study
from gevaldi.testing.people import SimulatedPeople
from test_reports import HOSTILE, SOME, made, png, prediction, row

TWO = ("maximally different", "random")
PAIR = Plan(arms=TWO, people=80)


def run_in(folder: Path, **changes: Any) -> Run:
    """A run in both orders whose searches end where the two differ."""
    rows = [with_classes(i) for i in range(24)]
    return made(folder, rows, samples=12, real=SOME, **changes)


def with_classes(index: int) -> Row:
    """A sample that both read alike at first, and differently at its end."""
    own = row(index) | {"first_start": prediction(HOSTILE), "second_start": prediction(HOSTILE)}
    own |= {"first_end": prediction("cat"), "second_end": prediction(HOSTILE), "survives_storage": True}
    return own | {"picture_start": png(index), "picture_end": png(50 + index)}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    run_in(tmp_path / "run")
    return plan_study(tmp_path / "run", people=40, pictures=5)


def simulated(study: Study, people: SimulatedPeople, numbers: range) -> list[list[Row]]:
    return [people.rows(study.data, study.arms, study.plan.right_answers, number) for number in numbers]


PEOPLE = SimulatedPeople({"maximally different": 0.6, "random": 0.1}, {"maximally different": 0.3}, inattentive=0.2)


# What a person sees


def test_arms_come_in_blocks_in_which_each_arm_appears_with_both_sides() -> None:
    sessions = allocation(Plan(people=60), 4)
    assert len(sessions) >= 2 * 60
    for block in range(0, len(sessions), 8):
        assert Counter((one.arm, one.a) for one in sessions[block : block + 8]) == {
            (arm, a): 1 for arm in range(4) for a in ("first", "second")
        }
    assert sessions == allocation(Plan(people=60), 4)
    assert sessions != allocation(Plan(people=60, seed=1), 4)
    assert all(sorted(one.order) == [*range(Plan().pictures)] for one in sessions)


def test_a_page_knows_neither_names_nor_truth_nor_right_answers(tmp_path: Path) -> None:
    run_in(tmp_path / "run", name="secret:first")
    study = plan_study(tmp_path / "run", pictures=5)
    text = "".join(path.read_text("utf-8") for path in study.export().glob("*.*"))
    assert study.manifest.classifiers[0] == "secret:first"
    for word in ("secret", "a:second", "maximally", "after the search", '"answer"', '"truth"'):
        assert word not in text


def test_an_arm_without_pictures_is_left_out_with_a_sentence(study: Study) -> None:
    assert study.arms == ["maximally different", "random"]
    assert any("“most probable” is left out: it needs 5 pictures" in note for note in study.manifest.notes)


def test_samples_are_shown_where_the_two_differ_and_random_pictures_are_starts(study: Study) -> None:
    assert all(one["first"] == "cat" for one in study.manifest.arms["maximally different"])
    numbers = [int(one["source"].split()[1].strip(",")) for one in study.manifest.arms["maximally different"]]
    assert len({number // 2 for number in numbers}) == len(numbers), "both orders of a start are hardly two pictures"
    assert {number % 2 for number in numbers} == {0, 1}
    assert all("before the search" in one["source"] for one in study.manifest.arms["random"])
    hidden = {one["file"] for shown in study.manifest.arms.values() for one in shown}
    assert all((study.folder / "jspsych" / file).read_bytes().startswith(b"\x89PNG") for file in hidden)


# The plan


def test_a_plan_says_which_accuracies_it_shows_and_where_they_come_from(study: Study) -> None:
    assert study.plan.accuracies is not None
    assert "real pictures" in study.plan.accuracies.source
    assert "people answer to the end" in (study.folder / "study.yaml").read_text("utf-8").replace("who answer", "answer")


def test_a_run_without_real_pictures_asks_for_accuracies(tmp_path: Path) -> None:
    made(tmp_path / "run", [with_classes(i) for i in range(24)], samples=12)
    with pytest.raises(SpecError, match=r"Write them and their source into .*study\.yaml"):
        plan_study(tmp_path / "run", pictures=5)
    given = {"first": 0.9, "second": 0.8, "source": "the test set"}
    (tmp_path / "run" / "study" / "study.yaml").unlink()
    assert plan_study(tmp_path / "run", pictures=5, accuracies=given).data["accuracies"] == {"first": "90.0 %", "second": "80.0 %"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"peple": 5}, "'peple' is unknown"),
        ({"people": 3}, "too few for 4 arms"),
        ({"arms": ["random"]}, "needs the arm 'maximally different'"),
        ({"arms": ["random", "random"]}, "an arm appears twice"),
        ({"question": {"arm": "random"}}, "compares an arm with itself"),
        ({"question": {"outcome": "chose the better"}}, "needs `truth`"),
        ({"attention": [{"text": "?", "choices": ["a", "b"], "answer": "c"}]}, "must be one of the choices"),
        ({"accuracies": {"first": 97, "second": 1, "source": ""}}, r"accuracies\.first"),
        ([], "holds list"),
    ],
)
def test_a_wrong_plan_is_refused_with_what_is_wrong(values: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        plan_from(values, "study.yaml")


def test_a_plan_is_fixed_once_the_first_person_has_answered(study: Study) -> None:
    path = study.folder / "study.yaml"
    original = path.read_text("utf-8")
    path.write_text(original.replace("people: 40", "people: 60"), encoding="utf-8")
    changed = plan_study(study.folder.parent)  # nobody answered yet
    assert changed.plan.people == 60
    changed.add(simulated(changed, PEOPLE, range(1))[0], "test")
    path.write_text(original, encoding="utf-8")
    for again in (Study.open, plan_study):
        with pytest.raises(SpecError, match=r"people: 60 when people began, 40 now.*Restore it"):
            again(study.folder.parent)
    path.write_text(original.replace("people: 40", "people: 60"), encoding="utf-8")
    assert len(Study.open(study.folder.parent).analysis().outcomes) == 1


def test_pictures_are_fixed_once_the_first_person_has_answered(study: Study) -> None:
    study.add(simulated(study, PEOPLE, range(1))[0], "test")
    assert plan_study(study.folder.parent).id == study.id
    path = study.folder / "pictures.json"
    original = path.read_text("utf-8")
    path.write_text(original.replace('"cat"', '"dog"'), encoding="utf-8")
    with pytest.raises(SpecError, match="list of pictures was changed after the first person answered"):
        Study.open(study.folder.parent)
    path.write_text(original, encoding="utf-8")
    (study.folder / "jspsych" / study.manifest.arms["random"][0]["file"]).write_bytes(png(99)["bytes"])
    with pytest.raises(SpecError, match="missing or was changed"):
        study.export()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"classifiers": 1}', "[" * 5000])
def test_a_damaged_list_of_pictures_is_refused(study: Study, text: str) -> None:
    (study.folder / "pictures.json").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match="is damaged"):
        Study.open(study.folder.parent)


def test_a_damaged_file_of_results_is_refused_with_a_remedy(study: Study) -> None:
    (study.folder / "study.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(RunFolderError, match=r"study\.sqlite cannot be read or written: .* check the disk"):
        Study.open(study.folder.parent)


def test_settings_of_a_new_plan_do_not_change_one_that_exists(study: Study) -> None:
    with pytest.raises(SpecError, match="exists, so people cannot be given"):
        plan_study(study.folder.parent, people=50)


# The test and its power


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_the_p_value_is_that_of_the_worst_common_share(n: int, m: int, data: st.DataObject) -> None:
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))

    def score(a: int, b: int) -> float:
        pooled = (a + b) / (n + m)
        spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        return abs(a / n - b / m) / spread if spread else 0.0

    extreme = [(a, b) for a in range(n + 1) for b in range(m + 1) if score(a, b) >= score(k, j) - 1e-9]
    shares = np.linspace(0.005, 0.995, 100)
    worst = sum(binom.pmf(a, n, shares) * binom.pmf(b, m, shares) for a, b in extreme).max()
    assert p_value(k, n, j, m) == pytest.approx(worst, abs=2e-3)


@pytest.mark.parametrize("table", [(5, 20, 1, 20), (12, 40, 4, 40), (0, 15, 4, 15)])
def test_the_p_value_is_that_of_scipy(table: tuple[int, int, int, int]) -> None:
    k, n, j, m = table
    assert p_value(*table) == pytest.approx(barnard_exact([[k, j], [n - k, m - j]]).pvalue, abs=1e-3)


def test_the_interval_of_a_difference_is_the_published_one() -> None:
    found = difference(56, 70, 48, 80)  # Newcombe 1998a, table II, method 10
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("others", [20, 33])
def test_equal_shares_are_shown_to_differ_in_at_most_five_per_cent_of_studies(share: float, others: int) -> None:
    assert power(share, 0.0, 20, others) <= 0.05


def test_the_stated_power_is_that_of_simulated_studies() -> None:
    random = np.random.default_rng(0)
    tables = zip(random.binomial(30, 0.6, 4000), random.binomial(30, 0.2, 4000), strict=True)
    seen = sum(count * is_shown(int(a), 30, int(b), 30) for (a, b), count in Counter(tables).items()) / 4000
    assert seen == pytest.approx(power(0.2, 0.4, 30), abs=0.02)


def test_the_people_needed_are_the_fewest_with_that_power() -> None:
    needed = people_needed(0.2, 0.4)
    assert power(0.2, 0.4, needed) >= 0.8 > power(0.2, 0.4, needed - 1)


def test_the_plan_states_its_power(study: Study) -> None:
    assert any(sentence.startswith("Power, if the share in “random” is 20 %") for sentence in study.sentences)


# The analysis


def outcomes(people: SimulatedPeople, plan: Plan, count: int) -> list[Outcome]:
    sessions = allocation(plan, len(plan.arms))
    found = []
    for number in range(count):
        arm = plan.arms[sessions[number % len(sessions)].arm]
        own = people.outcome(arm, number)
        failed = sum(a != b for a, b in zip(own.pop("attention"), plan.right_answers, strict=True))
        found.append(Outcome(person=str(number), number=number, arm=arm, failed_checks=failed, **own))
    return found


def test_the_analysis_recovers_what_was_put_in() -> None:
    plan = Plan(arms=TWO, people=4000, truth=Truth(better="first", source="known"))
    people = SimulatedPeople({"maximally different": 0.5, "random": 0.1}, {"maximally different": 0.4}, prefers_first=0.7)
    found = analyse(plan, outcomes(people, plan, 4000), TWO)
    assert found.main.outcome.value == pytest.approx(0.4, abs=0.03)
    assert found.main.surer.value == pytest.approx(0.4, abs=0.05)
    assert found.main.shown
    assert found.arms[0].ended_better is not None
    assert found.arms[0].ended_better.value == pytest.approx(0.5, abs=0.03)
    assert found.arms[0].towards / found.arms[0].away == pytest.approx(3 / 7, abs=0.1)


@pytest.mark.slow
def test_intervals_cover_and_false_results_are_rare() -> None:
    covered, shown = np.zeros(3), 0
    for seed in range(200):
        people = SimulatedPeople({"maximally different": 0.3, "random": 0.3}, seed=seed)
        found = analyse(PAIR, outcomes(people, PAIR, 80), TWO)
        arm, main = found.arms[0], found.main
        pairs = [(arm.changed, 0.3), (main.outcome, 0.0), (main.surer, 0.0)]
        covered += [around.low <= truth <= around.high for around, truth in pairs]
        shown += main.shown
    assert min(covered) / 200 > 0.92
    assert shown / 200 <= 0.08


def test_who_fails_the_attention_checks_is_left_out_and_reported() -> None:
    people = SimulatedPeople({"maximally different": 0.0, "random": 0.0}, inattentive=0.5)
    found = analyse(PAIR, outcomes(people, PAIR, 80), TWO)
    failed = sum(one.failed_checks > 0 for one in found.outcomes)
    assert found.excluded == failed > 0
    assert len(found.people()) == 80
    lenient = PAIR.model_copy(update={"most_failed": 1})
    assert analyse(lenient, found.outcomes, TWO).excluded == 0


def test_failed_attention_checks_are_reported_by_arm() -> None:
    planned = outcomes(SimulatedPeople({"maximally different": 0.0, "random": 0.0}, inattentive=0.5), PAIR, 80)
    found = analyse(PAIR, planned, TWO)
    failed = Counter(one.arm for one in planned if one.failed_checks)
    assert [arm.failed for arm in found.arms] == [failed[arm] for arm in TWO] == [*found.frame()["failed"]]
    listed = f"{failed[TWO[0]]} of 40 in “{TWO[0]}”, {failed[TWO[1]]} of 40 in “{TWO[1]}”"
    assert any(listed in note for note in notes(found))


def test_who_reloads_the_page_after_pictures_is_left_out_and_reported_by_arm() -> None:
    planned = outcomes(SimulatedPeople({"maximally different": 0.0, "random": 0.0}), PAIR, 80)
    reloaded = [replace(one, reloaded=one.number < 5 and one.arm == TWO[0], after="second") for one in planned]
    found = analyse(PAIR, reloaded, TWO)
    count = sum(one.reloaded for one in reloaded)
    assert [arm.reloaded for arm in found.arms] == [count, 0]
    assert found.excluded == count > 0
    assert any(f"{count} of 40 in “{TWO[0]}”, 0 of 40 in “{TWO[1]}”" in note for note in notes(found))
    assert any("or reload the page" in sentence for sentence in plan_sentences(PAIR, TWO))
    assert sum(found.people()["reloaded"]) == count


def test_the_result_of_a_reloaded_page_says_so_in_every_form(study: Study, tmp_path: Path) -> None:
    sessions = simulated(study, PEOPLE, range(3))
    marked = [[one | {"reloaded": place == 1} for one in session] for place, session in enumerate(sessions)]
    for text in (json.dumps(marked), as_csv([one for session in marked for one in session]).replace("True", "true")):
        (tmp_path / "results").write_text(text, encoding="utf-8")
        found = [study.answers(session) for session in read_results(tmp_path / "results")]
        assert [one.reloaded for one in found if one] == [False, True, False]


def test_attention_checks_come_before_the_pictures(study: Study) -> None:
    tasks = [one["task"] for one in simulated(study, PEOPLE, range(1))[0]]
    assert tasks.index("choice") < tasks.index("attention") < tasks.index("picture")
    script = (study.export() / "timeline.js").read_text("utf-8").partition("  return [")[2]
    assert script.index('choose("before"') < script.index('"attention"') < script.index("...looks") < script.index('choose("after"')


def test_a_study_that_is_not_finished_claims_nothing() -> None:
    people = SimulatedPeople({"maximally different": 1.0, "random": 0.0})
    found = analyse(PAIR, outcomes(people, PAIR, 40), TWO)
    assert found.main.shown
    assert headline(found) == "The study is not finished: 40 of 80 planned people have answered."
    assert headline(analyse(PAIR, outcomes(people, PAIR, 80), TWO)).startswith("More people change their choice")


def test_people_beyond_the_plan_are_named_and_change_nothing() -> None:
    planned = outcomes(SimulatedPeople({"maximally different": 0.2, "random": 0.2}), PAIR, 80)
    more = outcomes(SimulatedPeople({"maximally different": 1.0, "random": 0.0}), PAIR, 160)[80:]
    found, later = analyse(PAIR, planned, TWO), analyse(PAIR, [*planned, *more], TWO)
    assert not found.main.shown
    assert (later.main, later.arms, later.excluded, later.later) == (found.main, found.arms, 0, 80)
    assert len(later.people()) == 160
    assert any("80 answered later" in note for note in notes(later))
    assert not any("answered later" in note for note in notes(found))


def test_a_study_without_people_claims_nothing() -> None:
    found = analyse(PAIR, [], TWO)
    assert not found.main.shown
    assert math.isnan(found.main.p_value)
    assert [*found.frame()["people"]] == [0, 0]


# Results come back


def as_csv(rows: list[Row]) -> str:
    """Rows as jsPsych writes them."""
    names = [*dict.fromkeys(name for one in rows for name in one)]
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    for one in rows:
        cells = [one.get(name, "") for name in names]
        writer.writerow([json.dumps(cell) if isinstance(cell, dict) else cell for cell in cells])
    return sink.getvalue()


@pytest.mark.parametrize("form", ["one CSV", "CSVs", "one JSON", "JSON lines"])
def test_results_are_the_same_in_every_form(study: Study, tmp_path: Path, form: str) -> None:
    sessions = simulated(study, PEOPLE, range(12))
    files = {
        "one CSV": [as_csv([one for session in sessions for one in session])],
        "CSVs": [as_csv(session) for session in sessions],
        "one JSON": [json.dumps(sessions)],
        "JSON lines": ["\n".join(json.dumps(session) for session in sessions)],
    }[form]
    paths = [tmp_path / f"{i}.txt" for i in range(len(files))]
    for path, text in zip(paths, files, strict=True):
        path.write_text(text, encoding="utf-8")
    assert "12 new people" in study.read(paths)[0] or len(paths) == 12
    direct = [study.answers(session) for session in sessions]
    assert [study.answers(session) for session in study.store.results()] == direct
    assert "12 known before" in study.read(paths)[0] or len(paths) == 12
    assert len(study.analysis().outcomes) == 12


def test_answers_are_attributed_by_side(study: Study) -> None:
    people = SimulatedPeople({"maximally different": 1.0, "random": 0.0}, prefers_first=1.0)
    for session in simulated(study, people, range(8)):
        study.add(session, "test")
    found = study.analysis().outcomes
    assert {one.before for one in found} == {"first"}
    assert all(one.changed == (one.arm == "maximally different") for one in found)


def test_unfinished_and_foreign_results_are_left_out_and_counted(study: Study, tmp_path: Path) -> None:
    full, half, foreign = simulated(study, PEOPLE, range(3))
    foreign = [one | {"study": "0" * 16} for one in foreign]
    wrong = [one | {"person": "wrong", "response": 7} for one in full]
    path = tmp_path / "all.json"
    path.write_text(json.dumps([full, half[:8], foreign, wrong]), encoding="utf-8")
    assert study.read([path]) == ["all.json: 1 new person, 2 who did not finish, 1 of another study or plan, left out."]


def test_a_person_who_answered_twice_counts_once_by_the_first_result(study: Study, tmp_path: Path) -> None:
    first = simulated(study, PEOPLE, range(1))[0]
    second = [one | ({"response": 1 - one["response"]} if one["task"] == "choice" else {}) for one in first]
    path = tmp_path / "twice.json"
    path.write_text(json.dumps(first + second), encoding="utf-8")
    assert study.read([path]) == ["twice.json: 1 new person, 1 known before."]
    assert study.store.results() == [first]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "[", "[]", '{"a": 1}', "\0", "[" * 5000])
def test_a_file_without_results_is_refused_with_a_remedy(study: Study, tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="They should be the data of jsPsych"):
        study.read([path])


COLUMNS = st.sampled_from(["study", "person", "number", "task", "response", "trial_index"])
VALUES = st.none() | st.integers() | st.text() | st.floats() | st.lists(st.integers())


@pytest.mark.slow
@given(st.lists(st.dictionaries(COLUMNS, VALUES), max_size=8))
def test_no_row_of_a_stranger_raises(rows: list[Row]) -> None:
    from gevaldi.studies.results import answers_of

    assert all(answers_of(session, [4]) is None for session in sessions_of(rows))


# The command and the page


def test_the_command_plans_reads_and_reports(tmp_path: Path) -> None:
    run_in(tmp_path / "run")
    planned = called(tmp_path, "study", "run", "--plan", "--people", "40", "--pictures", "5")
    assert planned.returncode == 0, planned.stderr
    assert "Power" in planned.stdout
    study = Study.open(tmp_path / "run")
    (tmp_path / "a.json").write_text(json.dumps(simulated(study, PEOPLE, range(40))), encoding="utf-8")
    done = called(tmp_path, "study", "run", "--results", "a.json")
    assert done.returncode == 0, done.stderr
    assert "a.json: 40 new people." in done.stdout
    page = (tmp_path / "run" / "study" / "study.html").read_text("utf-8")
    assert "not which classifier is better" in page
    assert HOSTILE not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_command_says_what_comes_first(tmp_path: Path) -> None:
    run_in(tmp_path / "run")
    assert "`gevaldi study FOLDER --plan` writes one" in called(tmp_path, "study", "run").stderr
    assert "give --plan too" in called(tmp_path, "study", "run", "--people", "5").stderr


@pytest.mark.parametrize("changes", [0.0, 0.5, 1.0])
def test_no_result_says_that_a_classifier_is_better_because_people_chose_it(study: Study, changes: float) -> None:
    people = SimulatedPeople({"maximally different": changes, "random": 0.0}, prefers_first=1.0)
    for session in simulated(study, people, range(40)):
        study.add(session, "test")
    first = study.sentences[0]
    assert ("does not show" in first) == (changes == 0.0)
    assert not any(name in " ".join(study.sentences) for name in study.manifest.classifiers)


# People's browsers


@contextlib.contextmanager
def served(study: Study) -> Iterator[str]:
    import uvicorn

    from gevaldi.studies.serve import application

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(study), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True  # the browser keeps its connections
        thread.join()
        listener.close()


@pytest.fixture
def client(study: Study) -> Any:
    from starlette.testclient import TestClient

    from gevaldi.studies.serve import application

    return TestClient(application(study), base_url="http://127.0.0.1", follow_redirects=False)


def began(client: Any) -> tuple[str, int]:
    """A new person, who agreed."""
    reply = client.post("/begin", json={}).json()
    return reply["person"], reply["number"]


def posted(client: Any, study: Study, person: str, number: int, **headers: str) -> Any:
    rows = PEOPLE.rows(study.data, study.arms, study.plan.right_answers, number)
    body = json.dumps([one | {"person": person} for one in rows])
    return client.post("/results", content=body, headers={"content-type": "application/json"} | headers)


def test_a_result_is_stored_once_for_each_person(study: Study, client: Any) -> None:
    people = [began(client) for _ in range(3)]
    assert [number for _, number in people] == [0, 1, 2]
    for person, number in people:
        assert posted(client, study, person, number).json() == {"stored": True}
        assert posted(client, study, person, number).json() == {"stored": False}
    assert len(study.analysis().outcomes) == 3
    assert "Your answers are stored" in client.get(f"/?person={people[0][0]}&number=0").text


def test_a_visit_without_agreement_stores_nothing(study: Study, client: Any) -> None:
    for _ in range(3):  # a preview of the link, for one
        assert client.get("/").status_code == 200
    assert study.store.began() == 0
    assert began(client)[1] == 0
    assert study.store.began() == 1


def test_the_server_refuses_what_no_page_of_its_own_sends(study: Study, client: Any) -> None:
    person, number = began(client)
    assert posted(client, study, "0" * 32, number).status_code == 422
    assert posted(client, study, person, number + 1).status_code == 422
    assert posted(client, study, person, number, **{"content-type": "text/plain"}).status_code == 415
    assert client.post("/begin", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert posted(client, study, person, number, host="elsewhere.example").status_code == 421
    for body, status in ((b"[", 422), (b"7", 422), (b"[[]]", 422), (b"x" * 2**21, 413), (b"[" * 50_000, 422)):
        reply = client.post("/results", content=body, headers={"content-type": "application/json"})
        assert reply.status_code == status
    assert client.get(f"/?person={person}&number={number + 1}").status_code == 404
    for path in ("/../study.yaml", "/%2e%2e/study.sqlite", "/pictures.json"):
        assert client.get(path).status_code == 404
    assert study.store.results() == []


def test_every_reply_forbids_what_comes_from_elsewhere(study: Study, client: Any) -> None:
    for path in ("/?number=0", "/data.js", "/index.html", f"/{study.manifest.arms['random'][0]['file']}", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_a_full_disk_is_an_error_that_the_page_waits_out(study: Study, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person, number = began(client)

    def full(*_: Any) -> bool:
        raise RunFolderError("study.sqlite cannot be written: disk full.")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", full)
        assert posted(client, study, person, number).status_code == 503
    assert posted(client, study, person, number).json() == {"stored": True}


def test_people_who_begin_at_once_have_different_numbers(study: Study) -> None:
    with ThreadPoolExecutor(8) as pool:
        people = [one.result() for one in [pool.submit(study.store.begin) for _ in range(40)]]
    assert sorted(number for number, _ in people) == [*range(40)]
    assert len({person for _, person in people}) == 40


def test_without_the_extra_the_error_names_it(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from gevaldi.studies.serve import application

    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(MissingExtra, match=r"gevaldi\[web\]"):
        application(study)


@pytest.mark.slow
def test_planning_and_reporting_need_no_torch(study: Study) -> None:
    code = (
        "import sys; from gevaldi.studies.study import plan_study; plan_study(sys.argv[1]).report(); "
        "print([name for name in ('torch', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(study.folder.parent)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_study_with_all_its_people_takes_no_more(study: Study, client: Any) -> None:
    for session in simulated(study, PEOPLE, range(40)):
        study.add(session, "test")
    assert "all the people it needs" in client.get("/").text
    assert client.post("/begin", json={}).status_code == 409


@pytest.mark.slow
def test_an_acknowledged_result_survives_a_kill_of_the_server(study: Study) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gevaldi", "study", str(study.folder.parent), "--serve", "--port", str(port)]
    for count in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
            try:
                transport = httpx.HTTPTransport(retries=8)
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport) as client:
                    person, number = began(client)
                    assert posted(client, study, person, number).json() == {"stored": True}
            finally:
                server.kill()
        assert study.store.count() == count


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright
    from report_page import BROWSERS, CHROMIUM, FLAGS

    if CHROMIUM is None:
        pytest.skip(f"needs one of {BROWSERS} on the path")

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.mark.slow
def test_a_person_answers_by_keyboard_alone_and_is_thanked_after_the_answers_are_stored(study: Study, browser: Any) -> None:
    with served(study) as address:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda one: None if one.url.startswith(address) else troubles.append(one.url))
        page.goto(address)
        by_keyboard(page, study)
        page.wait_for_selector("text=Thank you")
        assert len(study.store.results()) == 1
        assert troubles == []
        own = study.analysis().outcomes[0]
        assert (own.sure_before, own.sure_after, own.failed_checks, own.changed) == (3, 5, 0, True)
        assert own.comment == "a <b> & 'c'"
        page.close()


def by_keyboard(page: Any, study: Study, agreed: bool = False) -> None:
    """Answer a whole session with keys."""
    keys = [(study.plan.title, "1"), ("What you will do", " "), ("Which program", "1"), ("How sure", "3")]
    keys += [("A question in between", "3")]
    keys += [(f"Picture {i + 1} of", " ") for i in range(study.plan.pictures)]
    keys += [("Now that you have seen", "2"), ("How sure", "5")]
    for heading, key in keys[agreed:]:
        page.wait_for_function("words => document.querySelector('h1')?.textContent.startsWith(words)", arg=heading)
        page.keyboard.press("Space" if key == " " else key)
    page.wait_for_selector("textarea")
    page.keyboard.press("Tab")
    page.keyboard.type("a <b> & 'c'")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")


@pytest.mark.slow
def test_answers_survive_a_line_that_drops(study: Study, browser: Any) -> None:
    with served(study) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        context.set_offline(True)
        page.get_by_role("button", name="I agree").click()
        page.wait_for_selector("text=cannot begin yet")
        assert study.store.began() == 0
        context.set_offline(False)
        page.wait_for_selector("text=What you will do")
        context.set_offline(True)
        by_keyboard(page, study, agreed=True)
        page.wait_for_selector("text=not stored yet")
        assert study.store.results() == []
        context.set_offline(False)
        page.wait_for_selector("text=Thank you")
        assert len(study.store.results()) == 1
        context.close()


@pytest.mark.slow
@pytest.mark.parametrize("saw", [False, True])
def test_a_page_reloaded_after_pictures_marks_its_result(study: Study, browser: Any, saw: bool) -> None:
    with served(study) as address:
        page = browser.new_page()
        page.goto(address)
        for name in ("I agree", "Begin", "Program A", "fairly sure", *(["three", "Next"] if saw else [])):
            page.get_by_role("button", name=name).click()
        page.wait_for_selector("text=Picture 2 of" if saw else "text=A question in between")
        page.reload()
        by_keyboard(page, study)
        page.wait_for_selector("text=Thank you")
        assert study.store.began() == 1
        assert [one.reloaded for one in study.analysis().outcomes] == [saw]
        page.close()


@pytest.mark.slow
def test_who_does_not_agree_leaves_nothing(study: Study, browser: Any) -> None:
    with served(study) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("button", name="I do not agree").click()
        page.wait_for_selector("text=Nothing was stored")
        assert study.store.results() == []
        assert study.store.began() == 0
        page.close()


@pytest.mark.slow
def test_the_pages_pass_an_accessibility_checker(study: Study, browser: Any) -> None:
    for session in simulated(study, PEOPLE, range(40)):
        study.add(session, "test")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(study.report().as_uri())
    assert complaints(page) == []
    with served(study) as address:
        page.goto(f"{address}/?number=0")
        page.get_by_role("button", name="I agree").click()
        for key in (" ", "1", "3", "3"):
            assert complaints(page) == []
            page.keyboard.press("Space" if key == " " else key)
        page.wait_for_selector("img")
        assert complaints(page) == []
    page.close()


def complaints(page: Any) -> list[str]:
    """The rules of axe that a page breaks, light or dark."""
    from axe_playwright_python.sync_playwright import Axe

    broken: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        broken += [one["id"] for one in Axe().run(page).response["violations"]]
    return broken


JSPSYCH = os.environ.get("GEVALDI_JSPSYCH")
needs_jspsych = pytest.mark.skipif(not JSPSYCH, reason="needs jsPsych: set GEVALDI_JSPSYCH to a folder with its files, as lib/")


def play_jspsych(page: Any, study: Study, path: Path) -> None:
    """Answer a whole session, and save its results."""
    for name in ("I agree", "Begin", "Program B", "fairly sure", "three"):
        page.get_by_role("button", name=name).click()
    for i in range(study.plan.pictures):
        page.wait_for_selector(f"text=Picture {i + 1} of")
        page.get_by_role("button", name="Next").click()
    for name in ("Program A", "completely sure"):
        page.get_by_role("button", name=name, exact=True).click()
    page.fill("textarea", 'a "b", <c>')
    page.get_by_role("button", name="Finish").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    download.value.save_as(path)


@pytest.mark.slow
@needs_jspsych
@pytest.mark.parametrize("hosted", [True, False])
def test_the_export_plays_with_jspsych_and_its_results_come_back(study: Study, browser: Any, tmp_path: Path, hosted: bool) -> None:
    folder, lib = study.export(), Path(str(JSPSYCH))
    page = browser.new_page()
    if hosted:
        shutil.copytree(lib, folder / "lib")
    names = {"/jspsych@": "jspsych.js", "html-button": "plugin-html-button-response.js", "survey": "plugin-survey-text.js"}

    def from_npm(route: Any) -> None:
        name = next(name for part, name in names.items() if part in route.request.url)
        route.fulfill(body=(lib / name).read_bytes(), headers={"access-control-allow-origin": "*"}, content_type="text/javascript")

    page.route("https://unpkg.com/**", from_npm)  # whose bytes have to have the stated hashes
    page.goto(f"{(folder / 'index.html').as_uri()}?number=3&PROLIFIC_PID=anna")
    play_jspsych(page, study, tmp_path / "anna.csv")
    page.reload()
    play_jspsych(page, study, tmp_path / "again.csv")
    again = study.answers(read_results(tmp_path / "again.csv")[0])
    assert again is not None
    assert again.reloaded
    page.close()
    assert study.read([tmp_path / "anna.csv"]) == ["anna.csv: 1 new person."]
    own = study.analysis().outcomes[0]
    session = study.data["allocation"][3]
    assert (own.person, own.arm, own.comment) == ("anna", study.arms[session["arm"]], 'a "b", <c>')
    assert (own.before == "second") == (session["a"] == "first")
    assert (own.sure_before, own.sure_after, own.failed_checks) == (3, 5, 0)
    assert own.before != own.after
    assert not own.reloaded
