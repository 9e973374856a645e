"""People label on a page: what they are asked, what becomes of their answers, and what the page never tells them."""

import contextlib
import json
import math
import re
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import gevaldi
import gevaldi.cli.label as command
from conftest import called, small_classifier, small_generator
from gevaldi.errors import DataError, RunFolderError, SpecError
from gevaldi.labelling import assignment as assignment_module
from gevaldi.labelling import serve as serve_module
from gevaldi.labelling import store as store_module
from gevaldi.labelling.app import HEADERS, make_app
from gevaldi.labelling.assignment import Options
from gevaldi.labelling.exports import FORMATS
from gevaldi.labelling.queues import _known_classes, open_queue
from gevaldi.labelling.serve import LOOPBACK, _listen
from gevaldi.labelling.service import Service
from gevaldi.labelling.store import Store
from gevaldi.names import visible
from gevaldi.runs.store.regions import Shown, write_regions
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER
from gevaldi.verdicts.read import read_answers
from gevaldi.verdicts.responses import read_responses
from gevaldi.verdicts.start import open_verdict
from gevaldi.verdicts.verdict import Verdict

ROOT = "http://127.0.0.1"
CLASSES = ("cat", "dog", "bird", "<b>&\"'\u202e\n fish")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in folders of their classes, and two tables of predictions that differ on a quarter of them."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    tables: list[list[dict[str, str]]] = [[], []]
    for i in range(240):
        true = int(rng.integers(4))
        (folder / "pool" / f"k{true}").mkdir(parents=True, exist_ok=True)
        levels = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
        Image.fromarray(levels).save(folder / "pool" / f"k{true}" / f"{i}.png")
        for table in tables:
            answer = true if rng.random() < 0.85 else int(rng.integers(4))
            table.append({"id": f"k{true}/{i}.png", "class": CLASSES[answer]})
    for name, table in zip(("ancient", "recent"), tables, strict=True):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, table)))
    return folder


@pytest.fixture
def begin(photos: Path, tmp_path: Path) -> Callable[..., Verdict]:
    """Begins a verdict on these; `swap` exchanges the two classifiers."""

    def begun(name: str = "verdict", swap: bool = False, **question: Any) -> Verdict:
        tables = [f"table:{photos}/{table}.jsonl" for table in ("ancient", "recent")]
        out = tmp_path / name
        return gevaldi.verdict(
            *(reversed(tables) if swap else tables),  # type: ignore[misc]
            f"folder:{photos}/pool",
            out=out,
            use_truth=False,
            predictions=tmp_path / "predictions",
            **question,
        )

    return begun


def serve(
    what: Any, people: tuple[str, ...] = ("Ada",), options: Options = Options(), **chosen: Any  # noqa: B008
) -> Service:  # fmt: skip
    queue = open_queue(what, **chosen)
    return Service(queue, Store(queue.folder), people, options)


def browser(service: Service, name: str = "Ada", **options: Any) -> TestClient:
    app = make_app(service, LOOPBACK)
    return TestClient(app, base_url=f"http://127.0.0.1/p/{service.people[name].token}/", **options)


def tasks(service: Service, name: str = "Ada", count: int = 1) -> list[str]:
    return [one["task"] for one in service.next(service.people[name], count)]


def task_key(service: Service, task: str, name: str = "Ada") -> tuple[str, int]:
    return service.people[name].tasks[task]


def answer_all(service: Service, names: tuple[str, ...] = ("Ada",), most: int = 10_000) -> None:
    """Everybody answers in turn, the first choice, as long as somebody is asked."""
    for number in range(most):
        found = [(name, service.next(service.people[name])) for name in names]
        if not any(own for _, own in found):
            return
        for name, own in found:
            if own:
                person = service.people[name]
                service.answer(person, own[0]["task"], own[0]["choices"][0], f"{number} {len(person.done)}")


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for another thread."""
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("It never came.")


# an answer


def test_an_answer_counts_in_the_verdict_as_soon_as_it_is_acknowledged(begin: Callable[..., Verdict]) -> None:
    verdict = begin()
    page = browser(serve(verdict, options=Options(repeats=0), controls=0))
    for number in range(5):
        task = page.get("next").json()["tasks"][0]
        reply = page.post("answer", json={"task": task["task"], "answer": task["choices"][0], "key": str(number)})
        assert reply.json()["stored"]
        verdict.refresh()
        assert verdict.main.used == number + 1


def test_the_command_and_the_report_read_answers_at_once(photos: Path, tmp_path: Path) -> None:
    tables = [f"table:{photos}/{name}.jsonl" for name in ("ancient", "recent")]
    words = ["verdict", *tables, "--pool", f"folder:{photos}/pool", "--no-truth", "--out", "verdict"]
    assert called(tmp_path, *words).returncode == 2
    with_folder = serve(tmp_path / "verdict", controls=0, until_decided=False)
    answer_all(with_folder, most=7)
    with_folder.store.close()
    assert "7 of" in called(tmp_path, *words).stdout
    record = json.loads((tmp_path / "verdict" / "verdict.json").read_text())
    assert [one["person"] for one in record["labels"]["answers"]] == ["Ada"] * 7
    assert record["pairs"][0]["labels"] == 7


def test_a_post_that_comes_twice_is_stored_once(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page, task = browser(service), tasks(service)[0]
    body = {"task": task, "answer": "cat", "key": "k", "shown_ms": 1200}
    assert page.post("answer", json=body).json()["stored"]
    assert page.post("answer", json=body).json() == {**page.post("answer", json=body).json(), "stored": False, "answer": "cat"}
    assert len(read_responses(service.queue.folder)) == 1


def test_of_two_tabs_the_first_answer_counts_and_the_second_tab_learns_it(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    tabs = browser(service), browser(service)
    first, second = (tab.get("next?count=3").json()["tasks"] for tab in tabs)
    assert first == second
    assert tabs[0].post("answer", json={"task": first[0]["task"], "answer": "dog", "key": "a"}).json()["stored"]
    reply = tabs[1].post("answer", json={"task": first[0]["task"], "answer": "cat", "key": "b"}).json()
    assert (reply["stored"], reply["answer"]) == (False, "dog")
    assert tabs[1].get("next").json()["tasks"][0] == first[1]


def test_the_key_of_one_answer_is_refused_for_another(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page, both = browser(service), tasks(service, count=2)
    page.post("answer", json={"task": both[0], "answer": "cat", "key": "k"})
    assert page.post("answer", json={"task": both[1], "answer": "cat", "key": "k"}).status_code == 422
    assert len(read_responses(service.queue.folder)) == 1


def test_what_is_taken_back_is_asked_next_and_counts_no_more(begin: Callable[..., Verdict]) -> None:
    verdict = begin()
    service = serve(verdict, controls=0)
    page = browser(service)
    first, second = tasks(service, count=2)
    for task in (first, second):
        page.post("answer", json={"task": task, "answer": "cat", "key": task})
    reply = page.post("undo", json={"key": "u"}).json()
    assert (reply["undone"], reply["task"]) == (True, second)
    assert reply["progress"]["answered"] == 1
    assert tasks(service)[0] == second
    verdict.refresh()
    assert verdict.main.used == 1
    repeated = page.post("undo", json={"key": "u"}).json()
    assert (repeated["undone"], repeated["task"]) == (False, second), "the same key undid twice, or forgot what it undid"
    late = page.post("answer", json={"task": second, "answer": "cat", "key": second}).json()
    assert not late["stored"], "a post that was sent before it was taken back, and came again after"
    assert page.post("answer", json={"task": second, "answer": "dog", "key": "again"}).json()["stored"]
    assert [one.answer for one in read_responses(service.queue.folder)] == ["cat", "dog"]
    assert [one.answer for one in read_responses(service.queue.folder, everything=True)] == ["cat", "cat", "dog"]


def test_everything_can_be_taken_back_and_nothing_more(begin: Callable[..., Verdict]) -> None:
    service = serve(begin(), options=Options(repeats=0.5))
    answer_all(service, most=30)
    for number in range(30):
        assert service.undo(service.people["Ada"], f"undo {number}")["undone"]
    assert not service.undo(service.people["Ada"], "one more")["undone"]
    assert not service.progress(service.people["Ada"])["can_undo"]
    assert read_responses(service.queue.folder) == []


def test_a_form_without_script_answers_and_takes_back(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page = browser(service, follow_redirects=False)
    text = page.get("").text
    task, key = (re.search(f'name="{name}" value="([^"]+)"', text)[1] for name in ("task", "key"))  # type: ignore[index]
    reply = page.post("answer", data={"task": task, "key": key, "answer": CANNOT_TELL})
    assert (reply.status_code, reply.headers["location"]) == (303, "./")
    assert read_responses(service.queue.folder)[0].answer == CANNOT_TELL
    assert page.post("undo", data={"key": "u"}).status_code == 303
    assert task in page.get("").text


def test_a_hostile_class_name_is_escaped_and_comes_back_as_it_was(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page = browser(service)
    text = page.get("").text
    assert "<b>&" not in text
    assert "\u202e" not in text
    shown = next(name for name in page.get("classes").json() if "fish" in name)
    for number, sent in enumerate(({"data": {}}, {"json": {}})):
        form, body = next(iter(sent)), {"task": tasks(service)[0], "key": str(number), "answer": shown.replace("\n", "\r\n")}
        assert page.post("answer", **{form: body}).status_code == 200
    assert {one.answer for one in read_responses(service.queue.folder)} == {CLASSES[3]}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"answer": "horse"}, 422),
        ({"answer": ""}, 422),
        ({"answer": 3}, 422),
        ({"key": ""}, 422),
        ({"key": "k" * 61}, 422),
        ({"key": "\ud800"}, 422),
        ({"key": "é"}, 422),
        ({"real": "yes"}, 422),
        ({"shown_ms": "9" * 5000}, 422),
        ({"shown_ms": -1}, 422),
        ({"shown_ms": 10**30}, 422),
        ({"shown_ms": "soon"}, 422),
        ({"task": "0" * 20}, 404),
        ({"task": None}, 404),
        ({"padding": "x" * 20_000}, 413),
    ],
)
def test_a_bad_answer_is_refused_in_words_and_nothing_is_stored(
    begin: Callable[..., Verdict], change: dict[str, Any], status: int
) -> None:
    service = serve(begin())
    body = {"task": tasks(service)[0], "answer": "cat", "key": "k"} | change
    reply = browser(service).post("answer", content=json.dumps(body), headers={"content-type": "application/json"})
    assert reply.status_code == status
    assert reply.json()["error"].endswith(".")
    assert read_responses(service.queue.folder) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 16_000, b'{"key": NaN}'])
def test_content_that_is_no_object_is_refused(begin: Callable[..., Verdict], content: bytes) -> None:
    page = browser(serve(begin()))
    assert page.post("answer", content=content, headers={"content-type": "application/json"}).status_code in (404, 422)


# who is asked what


def test_answers_form_a_prefix_of_the_order_except_what_others_are_looking_at(begin: Callable[..., Verdict]) -> None:
    names = tuple(f"person {i}" for i in range(4))
    service = serve(begin(), names, until_decided=False)
    order = [item.id for item in service.queue.items]
    rng = np.random.default_rng(0)
    for number in range(100):
        name = names[rng.integers(4)]
        if found := service.next(service.people[name]):
            service.answer(service.people[name], found[0]["task"], found[0]["choices"][0], str(number))
        answered = {one.picture for one in read_responses(service.queue.folder)}
        looked_at = {text for person in service.people.values() for text, _ in person.open}
        gaps = [
            text for text in order[: max((order.index(one) for one in answered if one in order), default=0)] if text not in answered
        ]
        assert set(gaps) <= looked_at


def test_everything_is_asked_once_and_a_part_of_it_twice(begin: Callable[..., Verdict]) -> None:
    names = ("Ada", "Grace")
    service = serve(begin(), names, until_decided=False)
    answer_all(service, names)
    found = read_responses(service.queue.folder)
    people = Counter(one.picture for one in found if one.kind in ("question", "overlap") and one.occasion == 1)
    assert set(people) == {item.id for item in service.queue.items}
    assert {one.picture for one in found if one.kind == "overlap"} == {text for text, count in people.items() if count == 2}
    assert 0 < sum(count == 2 for count in people.values()) < len(people) / 3
    assert service.finished
    assert service.progress(service.people["Ada"])["left"] == 0


def test_each_picture_gets_as_many_people_as_were_wanted(begin: Callable[..., Verdict]) -> None:
    names = ("Ada", "Grace", "Mary")
    service = serve(begin(), names, Options(each=2), until_decided=False)
    answer_all(service, names)
    people = Counter(one.picture for one in read_responses(service.queue.folder) if one.kind == "overlap")
    assert set(people.values()) == {2}
    assert len(people) == len(service.queue.items)


def test_controls_have_a_known_answer_and_look_like_questions(begin: Callable[..., Verdict]) -> None:
    service = serve(begin(), controls=0.3, until_decided=False)
    disputed = {item.choices for item in service.queue.items} | {item.choices[::-1] for item in service.queue.items}
    assert service.queue.controls
    for control in service.queue.controls.values():
        assert control.answer in control.item.choices
        assert control.item.choices in disputed
    assert np.mean([f"k{CLASSES.index(one.answer)}/" in one.item.id for one in service.queue.controls.values()]) > 0.9
    answer_all(service)
    found = read_responses(service.queue.folder)
    assert 0.15 < np.mean([one.kind == "control" for one in found]) < 0.45
    counted = {one.picture for one in read_answers(service.queue.folder)}
    assert not counted & {one.picture for one in found if one.kind == "control"}


def test_the_guide_shows_pictures_that_are_no_controls(begin: Callable[..., Verdict]) -> None:
    service = serve(begin(), controls=0.3)
    page = browser(service)
    addresses = re.findall(r'src="(example/\d+)"', page.get("guide").text)
    assert addresses
    assert all(page.get(address).headers["content-type"] == "image/png" for address in addresses)
    assert "made by a computer" not in page.get("guide").text
    shown = {text for some in service.queue.examples.values() for text in some}
    assert not shown & {control.item.id for control in service.queue.controls.values()}
    assert not shown & {item.id for item in service.queue.items}


def test_a_repeat_comes_ten_tasks_later_and_does_not_count_twice(begin: Callable[..., Verdict]) -> None:
    service = serve(begin(), options=Options(repeats=0.5), until_decided=False)
    answer_all(service)
    found = read_responses(service.queue.folder)
    again = [one for one in found if one.kind == "repeat"]
    assert again
    for one in again:
        first = next(other for other in found if other.picture == one.picture and other.occasion == 1)
        assert one.number - first.number >= assignment_module.GAP
        assert one.task != first.task
    counted = Counter(one.picture for one in read_answers(service.queue.folder))
    assert set(counted.values()) == {1}


def test_after_a_restart_everybody_is_asked_the_same_under_the_same_link(begin: Callable[..., Verdict]) -> None:
    verdict, names = begin(), ("Ada", "Grace")
    service = serve(verdict, names, until_decided=False)
    answer_all(service, names, most=10)
    before = {name: tasks(service, name, 3) for name in names}
    token, kinds = service.people["Grace"].token, {text: service.assignment.kind((text, 1)) for text in service.assignment.items}
    service.store.close()
    again = serve(verdict.folder, names, until_decided=False)
    assert again.people["Grace"].token == token
    assert {name: tasks(again, name, 3) for name in names} == before
    assert {text: again.assignment.kind((text, 1)) for text in again.assignment.items} == kinds
    assert [again.progress(again.people[name])["answered"] for name in names] == [10, 10]
    late = again.answer(again.people["Grace"], before["Grace"][2], "cat", "from a page that was open")
    assert late["stored"]


def test_what_a_silent_person_was_asked_goes_to_another_and_both_answers_count(
    begin: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    names, now = ("Ada", "Grace"), [0.0]
    monkeypatch.setattr(assignment_module.time, "monotonic", lambda: now[0])
    service = serve(begin(), names, Options(overlap=0, repeats=0), controls=0)
    adas = tasks(service)[0]
    picture = task_key(service, adas)
    assert task_key(service, tasks(service, "Grace")[0], "Grace") != picture
    now[0] = 599
    assert picture not in [task_key(service, one, "Grace") for one in tasks(service, "Grace", 5)]
    now[0] = 601
    service.people["Grace"].open.clear()
    graces = tasks(service, "Grace")[0]
    assert task_key(service, graces, "Grace") == picture
    assert service.answer(service.people["Grace"], graces, "cat", "g")["stored"]
    assert service.answer(service.people["Ada"], adas, "cat", "a")["stored"]
    assert {one.person for one in read_responses(service.queue.folder)} == set(names)


def test_clocks_that_jump_change_neither_order_nor_counts(begin: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([f"{year}-01-01T00:00:00.000+00:00" for year in (2030, 1970, 2026) for _ in range(4)])
    service = serve(begin(), controls=0)
    monkeypatch.setattr(store_module, "_now", lambda: next(times))
    found = tasks(service, count=3)
    for task, answer in zip(found, ("cat", "dog", "bird"), strict=True):
        service.answer(service.people["Ada"], task, answer, task)
    assert [one.answer for one in read_responses(service.queue.folder)] == ["cat", "dog", "bird"]
    assert service.undo(service.people["Ada"], "u")["task"] == found[2]


def test_nothing_is_asked_once_the_verdict_is_decided_unless_all_is_wanted(begin: Callable[..., Verdict]) -> None:
    some = begin("some", margin="1%")
    service = serve(some)
    answer_all(service)
    some.refresh()
    assert some.state != "undecided"
    page = browser(service)
    assert page.get("next").json()["tasks"] == []
    assert page.get("next").json()["progress"]["finished"]
    assert 'name="answer"' not in page.get("").text
    page.post("undo", json={"key": "u"})
    assert len(page.get("next").json()["tasks"]) == 1, "what was taken back is asked although all is decided"
    service.store.close()
    assert tasks(serve(some.folder, until_decided=False)) != []


@pytest.mark.parametrize("each", [1, 2])
def test_a_decided_verdict_still_waits_for_the_second_answers_of_its_labels(begin: Callable[..., Verdict], each: int) -> None:
    verdict, names = begin(margin="1%"), ("Ada", "Grace")
    service = serve(verdict, names, Options(each=each, overlap=0.5, repeats=0), controls=0)
    people, labels = [service.people[name] for name in names], []
    while not service.finished:
        for place, person in enumerate(people):
            while found := service.next(person):
                service.answer(person, found[0]["task"], found[0]["choices"][place], found[0]["task"])
                service.refresh()
            verdict.refresh()
            labels.append(verdict.main.used)
            if not labels[1:]:
                assert verdict.state != "undecided"
                assert not service.finished
                assert (service.overview()["finished"], service.overview()["left"]) == (False, service.assignment.outstanding)
    assert labels[-1] > labels[0], "answers that differ made labels unknown, and more were needed"
    answers = Counter(one.picture for one in read_responses(service.queue.folder))
    assert all(count == 2 or service.assignment.kind((text, 1)) == "question" for text, count in answers.items())


def test_labels_from_elsewhere_are_not_asked_again(begin: Callable[..., Verdict]) -> None:
    verdict = begin()
    service = serve(verdict, options=Options(repeats=0), controls=0)
    labelled = [item.id for item in verdict.next(5)]
    verdict.add(dict.fromkeys(labelled, "cat"))
    service.refresh()
    assert task_key(service, tasks(service)[0])[0] == service.queue.items[5].id


def test_only_what_is_still_asked_can_be_taken_back(begin: Callable[..., Verdict]) -> None:
    folder = begin().folder
    service = serve(folder, options=Options(repeats=0.5), controls=0.45, until_decided=False)
    answer_all(service, most=30)
    service.store.close()
    again = serve(folder, options=Options(repeats=0), controls=0, until_decided=False)
    ada = again.people["Ada"]
    while again.progress(ada)["can_undo"]:
        assert again.undo(ada, f"undo {len(ada.done)}")["undone"]
        assert again.next(ada)
    assert not again.undo(ada, "one more")["undone"]
    assert {one.kind for one in read_responses(again.queue.folder)} == {"control", "repeat"}
    assert again.answer(ada, tasks(again)[0], "cat", "anew")["stored"]


def test_nobody_waits_for_who_no_longer_takes_part(begin: Callable[..., Verdict]) -> None:
    folder, names = begin().folder, ("Ada", "Ben")
    service = serve(folder, names, Options(overlap=0.5), until_decided=False)
    answer_all(service, names, most=5)
    token = service.people["Ben"].token
    service.store.close()
    again = serve(folder, ("Ada",), Options(overlap=0.5), until_decided=False)
    answer_all(again)
    assert again.progress(again.people["Ada"])["finished"]
    assert len({one.picture for one in read_answers(again.queue.folder)}) == len(again.queue.items)
    page = browser(again)
    assert page.get(f"{ROOT}/p/{token}/").status_code == 404
    assert "Ben" in page.get(f"{ROOT}/owner/{again.owner}/").text
    assert [one["answers"] for one in again.overview()["people"]][1] == 5


# what a page never tells


STATIC = (f"{ROOT}/static/label.js", f"{ROOT}/static/label.css")


def everything_sent(service: Service, count: int, static: tuple[str, ...] = STATIC) -> list[bytes]:
    """All that a browser gets while a person answers, with the headers."""
    page, sent = browser(service), []

    def get(address: str) -> Any:
        reply = page.get(address)
        sent.append(repr(sorted(reply.headers.items())).encode() + re.sub(rb'name="key" value="[^"]+"', b"", reply.content))
        return reply

    for address in ("", "guide", "classes", "example/0", "example/1", ROOT, *static):
        get(address)
    for number in range(count):
        task = get("next?count=3").json()["tasks"][0]
        get(task["picture"])
        get("")
        reply = page.post("answer", json={"task": task["task"], "answer": sorted(task["choices"])[0], "key": str(number)})
        sent.append(reply.content)
    return sent


def exchange_secrets(folders: list[Path]) -> None:
    """Give folders the same secret and tokens, which are random otherwise."""
    for folder in folders:
        store = Store(folder)
        store.change("secret", "of both")
        store._write(lambda connection: connection.execute("INSERT INTO people VALUES ('Ada', 'token', '')"))
        store.close()


def test_not_one_byte_depends_on_which_classifier_is_the_old_one(begin: Callable[..., Verdict]) -> None:
    both = [begin("one"), begin("other", swap=True)]
    exchange_secrets([Path(str(verdict.folder)) for verdict in both])
    one, other = (everything_sent(serve(verdict, until_decided=False), 25) for verdict in both)
    assert one == other
    first = both[0].pool.predictions[0].top[:, 0]
    sides = {item.choices.index(CLASSES[0]) for item in serve_items(both[0]) if CLASSES[0] in item.choices}
    assert len(set(first.tolist())) == 4
    assert sides == {0, 1}, "a class has a side of its own"


def serve_items(verdict: Verdict) -> Any:
    return open_queue(verdict).items


def test_neither_names_nor_ids_nor_kinds_are_sent_to_who_answers(begin: Callable[..., Verdict]) -> None:
    service = serve(begin(), options=Options(repeats=0.3), controls=0.3, until_decided=False)
    sent = b"\n".join(everything_sent(service, 40, static=())).lower()
    sent = sent.replace(b"cache-control", b"").replace(b"aria-controls", b"")
    folder = str(service.queue.folder).encode()
    ids = [item.id.encode() for item in service.queue.items]
    assert not [word for word in (b"ancient", b"recent", b"control", b"repeat", b"overlap", folder, *ids) if word in sent]
    assert {one.kind for one in read_responses(service.queue.folder)} == {"question", "control", "repeat"}


def test_tasks_differ_between_people_and_pictures_are_pixels_alone(begin: Callable[..., Verdict]) -> None:
    names = ("Ada", "Grace")
    service = serve(begin(), names, Options(each=2), controls=0)
    one, other = (tasks(service, name)[0] for name in names)
    assert task_key(service, one) == task_key(service, other, "Grace")
    assert one != other
    replies = [browser(service, name).get(f"picture/{task}") for name, task in zip(names, (one, other), strict=True)]
    assert replies[0].content == replies[1].content
    assert re.findall(rb"IHDR|IDAT|IEND|tEXt|iTXt|eXIf|tIME", replies[0].content) == [b"IHDR", b"IDAT", b"IEND"]
    assert not {"etag", "last-modified", "content-disposition"} & set(replies[0].headers)
    assert browser(service, "Grace").get(f"picture/{one}").status_code == 404


def test_the_interval_is_only_for_the_owner_unless_an_option_says_otherwise(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    assert "percentage points" not in browser(service).get("").text
    assert "interval" not in browser(service).get("next").json()["progress"]
    assert "percentage points" in browser(service).get(f"{ROOT}/owner/{service.owner}/").text
    service.options = replace(service.options, shows_interval=True)
    assert "percentage points" in browser(service).get("").text


@pytest.mark.parametrize("until_decided", [True, False])
def test_what_is_to_go_falls_by_one_whatever_was_asked_and_answered(begin: Callable[..., Verdict], until_decided: bool) -> None:
    service = serve(begin(require="better"), options=Options(repeats=0.3), controls=0.3, until_decided=until_decided)
    ada, left = service.people["Ada"], [service.progress(service.people["Ada"])["left"]]
    for number in range(30):
        task = service.next(ada)[0]
        service.answer(ada, task["task"], sorted(task["choices"])[-(number % 3 > 0)], str(number))
        service.refresh()
        left.append(service.progress(ada)["left"])
    assert left == list(range(left[0], left[0] - 31, -1))
    assert {one.kind for one in read_responses(service.queue.folder)} == {"question", "control", "repeat"}
    assert service.overview()["left"] == service.status.left


@pytest.mark.parametrize("until_decided", [True, False])
def test_what_is_to_go_is_said_to_be_the_most_and_often_fewer_only_if_asking_may_end_early(
    begin: Callable[..., Verdict], until_decided: bool
) -> None:
    service = serve(begin(), until_decided=until_decided)
    page, left = browser(service).get("").text, service.progress(service.people["Ada"])["left"]
    assert f"answered, at most {left} to go (" in page
    assert ("), often fewer</p>" in page) == until_decided


# who may do what


def test_a_token_opens_only_its_own_queue(begin: Callable[..., Verdict]) -> None:
    service = serve(begin(), ("Ada", "Grace"))
    ada, grace = browser(service), browser(service, "Grace")
    task = tasks(service)[0]
    assert grace.post("answer", json={"task": task, "answer": "cat", "key": "k"}).status_code == 404
    for address in (
        f"/p/{service.owner}/",
        "/p/x/",
        "/p//",
        f"/owner/{service.people['Ada'].token}/",
        "/owner/x/answers.csv",
        "/x",
    ):
        reply = ada.get(ROOT + address)
        assert reply.status_code == 404
        assert reply.content == ada.get(ROOT).content
    for name in ("next?count=3", "classes"):
        reply = ada.get(f"{ROOT}/p/x/{name}")
        assert (reply.status_code, list(reply.json())) == (404, ["error"])
    assert len({service.owner, *(person.token for person in service.people.values())}) == 3
    assert all(len(person.token) >= 22 for person in service.people.values())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "application/json", "origin": "http://evil.example"}, 403),
        ({"content-type": "application/json", "origin": "http://127.0.0.1:81"}, 403),
        ({"content-type": "application/json", "sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "application/json", "sec-fetch-site": "same-site", "origin": "null"}, 403),
        ({"content-type": "application/json", "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}, 200),
        ({"content-type": "application/json; charset=utf-8", "origin": "null"}, 200),
    ],
)
def test_other_sites_cannot_answer(begin: Callable[..., Verdict], headers: dict[str, str], status: int) -> None:
    service = serve(begin())
    content = json.dumps({"task": tasks(service)[0], "answer": "cat", "key": "k"})
    assert browser(service).post("answer", content=content, headers=headers).status_code == status
    assert len(read_responses(service.queue.folder)) == (status == 200)


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("localhost:9", 200), ("127.0.0.1", 200), ("[::1]:8", 200)],
)
def test_on_the_loopback_only_names_of_this_machine_are_answered(begin: Callable[..., Verdict], host: str, status: int) -> None:
    assert browser(serve(begin())).get("", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("label.example.org", "https://label.example.org", 200),  # a server in front that says how it was called
        ("127.0.0.1:8765", "https://label.example.org", 200),  # one that does not
        ("127.0.0.1:8765", "http://127.0.0.1:8765", 200),
        ("127.0.0.1:8765", "https://evil.example", 403),
        ("evil.example", "https://evil.example", 421),
    ],
)
def test_behind_another_server_pages_of_its_name_can_answer(
    begin: Callable[..., Verdict], host: str, origin: str, status: int
) -> None:
    service = serve(begin())
    app = make_app(service, frozenset({"127.0.0.1"}), name="label.example.org")
    page = TestClient(app, base_url=f"http://127.0.0.1/p/{service.people['Ada'].token}/")
    content = {"task": tasks(service)[0], "answer": "cat", "key": "k"}
    reply = page.post("answer", json=content, headers={"host": host, "origin": origin})
    assert reply.status_code == status
    assert (status != 421) or "gevaldi label FOLDER --name evil.example" in reply.text
    owner = page.get(f"http://127.0.0.1/owner/{service.owner}/", headers={"host": host})
    assert ("https://label.example.org/p/" in owner.text) == (owner.status_code == 200)  # whatever the server in front calls it


def test_the_owner_sees_a_revised_answer_as_the_verdict_counts_it(
    begin: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gevaldi.labelling.service.SLOW", math.inf)  # on a busy machine the page keeps its last numbers for a while
    verdict = begin()
    service = serve(verdict, ("Ada", "Grace"), Options(each=2))
    for name, answer in (("Ada", "cat"), ("Grace", "dog")):
        service.answer(service.people[name], tasks(service, name)[0], answer, name)
    (picture,) = [one["picture"] for one in service.overview()["discuss"]]
    verdict.add({picture: "cat"}, person="Grace", source="after a discussion")
    assert service.overview()["discuss"] == []


@pytest.mark.parametrize(
    "address",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/task.html",
        "/static//etc/passwd",
        "picture/..%2f..%2f..%2fetc%2fpasswd",
        "picture/k0%2f1.png",
        "example/99999999999999999999",
        "example/-1",
        "next?count=0",
        "next?count=99999999999999999999",
        "next?count=%d9%a3",
        "next?count=-1",
    ],
)
def test_no_path_escapes(begin: Callable[..., Verdict], address: str) -> None:
    reply = browser(serve(begin())).get(ROOT + address if address.startswith("/") else address)
    assert reply.status_code in (404, 422)
    assert b"import" not in reply.content


def test_every_reply_forbids_frames_foreign_scripts_and_caching(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page = browser(service)
    task = tasks(service)[0]
    addresses = [
        "",
        "next",
        "guide",
        "classes",
        f"picture/{task}",
        ROOT,
        f"{ROOT}/nothing",
        f"{ROOT}/static/label.css",
        f"{ROOT}/owner/{service.owner}/",
    ]
    replies = [*map(page.get, addresses), page.post("answer"), page.delete("answer"), page.get("", headers={"host": "evil"})]
    for reply in replies:
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
        assert reply.headers["cache-control"].startswith(("no-store", "private", "no-cache"))
        assert "server" not in reply.headers
        assert not re.search(r"<script(?! src)|\son\w+=|style=", reply.text) or "image" in reply.headers["content-type"]


def test_a_guide_in_markdown_runs_nothing(begin: Callable[..., Verdict], tmp_path: Path) -> None:
    from gevaldi.labelling.serve import _as_html

    (tmp_path / "guide.md").write_text("# Look at the *ears*\n<script>x()</script> [a](javascript:x())")
    service = serve(begin())
    app = make_app(service, LOOPBACK, _as_html(tmp_path / "guide.md"))
    text = TestClient(app, base_url="http://127.0.0.1").get(f"/p/{service.people['Ada'].token}/guide").text
    assert "<em>ears</em>" in text
    assert "<script>x" not in text
    assert 'href="javascript' not in text


# the owner


@pytest.mark.parametrize("name", ["answers.csv", "answers.parquet", "label-studio.json"])
def test_answers_that_are_exported_are_read_back(begin: Callable[..., Verdict], tmp_path: Path, name: str) -> None:
    names = ("Ada", "=Grace")
    service = serve(begin(), names, Options(repeats=0.3), until_decided=False)
    answer_all(service, names)
    for person, answer in zip(names, (NEITHER, CANNOT_TELL), strict=True):
        last = service.undo(service.people[person], "last")["task"]
        service.answer(service.people[person], last, answer, "anew")
    content = browser(service).get(f"{ROOT}/owner/{service.owner}/{name}").content
    (tmp_path / name).write_bytes(content)
    kept = {(one.picture, one.person, one.answer) for one in read_answers(service.queue.folder)}
    assert {(one.picture, one.person, one.answer) for one in read_answers(tmp_path / name)} == kept
    other = begin("other")
    assert other.add(tmp_path / name) == len(kept)


def test_the_owner_sees_who_missed_which_controls_and_what_to_discuss(begin: Callable[..., Verdict]) -> None:
    names = ("Ada", "Grace")
    service = serve(begin(), names, Options(each=2, repeats=0.3), controls=0.3, until_decided=False)
    known = service.answers_of_controls
    for number in range(60):
        for name in names:
            if found := service.next(service.people[name]):
                picture = task_key(service, found[0]["task"], name)[0]
                wrong = next(one for one in found[0]["choices"] if one != known.get(picture))
                right = known.get(picture, found[0]["choices"][0])
                service.answer(service.people[name], found[0]["task"], right if name == "Ada" else wrong, str(number))
    found = service.overview()
    ada, grace = found["people"]
    assert ada["controls"] > 0
    assert (ada["missed"], grace["missed"]) == (0, grace["controls"])
    assert ada["repeated_alike"] == ada["repeats"] > 0
    page = browser(service)
    assert page.get(f"{ROOT}/owner/{service.owner}/").status_code == 200
    assert set(FORMATS) >= set(re.findall(r'href="([^"/]+)"', page.get(f"{ROOT}/owner/{service.owner}/").text))
    assert page.get(f"{ROOT}/owner/{service.owner}/picture/0").headers["content-type"] == "image/png"


@pytest.mark.parametrize("error", [RunFolderError("answers.sqlite cannot be read."), OSError("answers.sqlite cannot be read.")])
def test_an_error_of_the_verdict_is_told_to_the_owner_and_goes_when_it_is_over(
    begin: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    service, tried = serve(begin()), threading.Event()

    def fail() -> bool:
        tried.set()
        raise error

    def owners_page() -> str:
        return browser(service).get(f"{ROOT}/owner/{service.owner}/").text

    service.start()
    with monkeypatch.context() as patch:
        patch.setattr(service.assignment, "decide", fail)
        service.answer(service.people["Ada"], tasks(service)[0], "cat", "1")
        assert tried.wait(30)
        service.next(service.people["Ada"])
        wait_until(lambda: "cannot be read" in owners_page())
    service.answer(service.people["Ada"], tasks(service)[0], "cat", "2")
    wait_until(lambda: "cannot be read" not in owners_page())
    service.stop()


# what is labelled


def test_a_verdict_is_opened_by_its_folder_and_asks_the_same(begin: Callable[..., Verdict]) -> None:
    verdict = begin(score=["accuracy", "class:cat"], margin="2%", seed=7)
    opened = open_verdict(Path(str(verdict.folder)))
    assert [item.id for item in opened.next()] == [item.id for item in verdict.next()]
    assert opened.settings == verdict.settings
    assert [one.name for one in opened.questions] == ["accuracy", "class:cat"]


def test_a_verdict_of_objects_or_of_changed_tables_is_refused(begin: Callable[..., Verdict], photos: Path, tmp_path: Path) -> None:
    copies = [shutil.copy(photos / f"{name}.jsonl", tmp_path) for name in ("ancient", "recent")]
    out = tmp_path / "verdict"
    gevaldi.verdict(*(f"table:{copy}" for copy in copies), f"folder:{photos}/pool", out=out, use_truth=False)
    lines = Path(copies[0]).read_text().splitlines()
    Path(copies[0]).write_text("\n".join(line.replace('"cat"', '"dog"') for line in lines))
    with pytest.raises(RunFolderError, match="answers differently"):
        open_queue(out)
    record = json.loads((out / "verdict.json").read_text())
    (out / "verdict.json").write_text(json.dumps(record | {"call": {}}))
    with pytest.raises(RunFolderError, match=r"gevaldi\.label\(verdict\)"):
        open_queue(out)
    Path(copies[1]).unlink()
    (out / "verdict.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="give the command there"):
        open_queue(out)


def test_tables_without_pictures_and_folders_without_anything_are_refused(photos: Path, tmp_path: Path) -> None:
    tables = [f"table:{photos}/{name}.jsonl" for name in ("ancient", "recent")]
    with pytest.raises(SpecError, match="--pool"):
        open_queue(gevaldi.verdict(*tables, out=tmp_path / "verdict"))
    with pytest.raises(SpecError, match="out=FOLDER"):
        open_queue(gevaldi.verdict(*tables))
    with pytest.raises(RunFolderError, match="no run"):
        open_queue(tmp_path)
    with pytest.raises(SpecError, match="nothing to ask"):
        open_queue(gevaldi.verdict(tables[0], f"{tables[0]},name=same", f"folder:{photos}/pool", out=tmp_path / "same"))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.Comparison:
    out = tmp_path_factory.mktemp("run") / "run"
    models = small_classifier(0), small_classifier(1), small_generator()
    return gevaldi.compare(*models, samples=24, steps=20, out=out, device="cpu", progress=False)


def test_the_pictures_of_a_comparison_are_asked_with_the_classes_read_there(comparison: gevaldi.Comparison) -> None:
    service = serve(comparison)
    rows = comparison.rows().set_index("index")
    for item in service.queue.items:
        row = rows.loc[int(item.id.split("-")[1])]
        assert set(item.choices) == {row["first_end"][0]["name"], row["second_end"][0]["name"]}
        assert item.drawn
    page = browser(service)
    found = page.get("next").json()["tasks"][0]
    assert found["drawn"]
    assert "made by a computer" in page.get("guide").text
    assert page.get(found["picture"]).headers["content-type"] == "image/png"
    body = {"task": found["task"], "answer": found["choices"][0], "key": "k", "real": "unsure"}
    assert page.post("answer", json=body).json()["stored"]
    assert read_responses(service.queue.folder)[0].real == "unsure"
    answer_all(service)
    assert service.finished
    service.store.close()
    comparison.report()


def test_the_pictures_of_regions_are_asked(tmp_path: Path) -> None:
    picture = b"".join([])
    import io

    sink = io.BytesIO()
    Image.new("L", (8, 8)).save(sink, "PNG")
    picture = sink.getvalue()
    shown = [
        Shown(n, role, str(i), "four", "nine", None, 0.5, None, None, picture)
        for n in (1, 2)
        for i, role in enumerate(["exemplar", "probable", "real"])
    ]
    write_regions(tmp_path / "regions", {"regions": []}, shown)
    assert len(open_queue(tmp_path / "regions").items) == 4
    assert {item.id for item in open_queue(tmp_path, region=2).items} == {"region-2-exemplar-0", "region-2-probable-1"}
    assert open_queue(tmp_path / "regions").picture("region-1-exemplar-0").size == (8, 8)
    with pytest.raises(SpecError, match=r"\[1, 2\]"):
        open_queue(tmp_path / "regions", region=3)


def test_regions_without_pictures_are_refused_in_words(tmp_path: Path) -> None:
    write_regions(tmp_path / "regions", {"regions": []}, [])
    with pytest.raises(SpecError, match=r"no region in .* has pictures"):
        open_queue(tmp_path / "regions")


def test_controls_do_not_use_classes_of_the_pool_that_the_verdict_does_not_use(begin: Callable[..., Verdict]) -> None:
    verdict = begin()
    truths = (None, np.zeros(len(verdict.pool.predictions[0].top), dtype=np.int64))
    shared: Any = {"disputed": verdict.disputed, "settings": verdict.settings, "uses_truth": False}
    pools = [SimpleNamespace(predictions=verdict.pool.predictions, truth=truth) for truth in truths]
    found = [_known_classes(SimpleNamespace(pool=pool, **shared)) for pool in pools]  # type: ignore[arg-type]
    assert found[0] == found[1]


@pytest.mark.parametrize(("controls", "has_controls", "notice"), [("10%", False, True), ("10%", True, False), ("0", False, False)])
def test_the_command_says_if_there_are_no_controls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], controls: str, has_controls: bool, notice: bool
) -> None:
    queue = SimpleNamespace(controls={"a": "b"} if has_controls else {})
    served = contextlib.nullcontext(SimpleNamespace(service=SimpleNamespace(queue=queue), links={}, owner=""))
    monkeypatch.setattr(serve_module, "label", lambda *_, **__: served)
    monkeypatch.setattr(command, "_follow", lambda _: None)
    command.label("folder", controls=controls)
    assert ("controls" in capsys.readouterr().err) is notice


# the machine


@pytest.mark.parametrize(("runs", "message"), [(False, "ended while it started"), (True, "did not start within 0 seconds")])
def test_a_server_that_does_not_start_says_so(
    begin: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch, runs: bool, message: str
) -> None:
    ended = threading.Event()
    server = SimpleNamespace(started=False, run=lambda sockets: runs and ended.wait(30))
    monkeypatch.setattr(serve_module, "_server", lambda *_: server)
    monkeypatch.setattr(serve_module, "START", 0.1 if runs else 30)
    with pytest.raises(SpecError, match=message):
        gevaldi.label(begin())
    ended.set()


def test_a_disk_that_is_full_loses_nothing_and_says_so(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page, task = browser(service), tasks(service)[0]
    pages = service.store._connection.execute("PRAGMA page_count").fetchone()[0]
    service.store._connection.execute(f"PRAGMA max_page_count = {pages}")
    stored, status = 0, 200
    while status == 200:
        body = {"task": task, "answer": "cat", "key": "k" * 50 + str(stored)}
        reply = page.post("answer", json=body)
        status = reply.status_code
        if status == 200:
            stored, task = stored + 1, tasks(service)[0]
    assert status == 507
    assert "not stored" in reply.json()["error"]
    assert str(service.queue.folder) not in reply.text
    assert len(read_responses(service.queue.folder)) == stored
    service.store._connection.execute("PRAGMA max_page_count = 100000")
    assert page.post("answer", json=body).json()["stored"], "the same post is stored once there is room"
    assert len(read_responses(service.queue.folder)) == stored + 1


def test_a_second_server_on_one_folder_is_refused_and_a_port_in_use_too(begin: Callable[..., Verdict], tmp_path: Path) -> None:
    verdict, other = begin(), begin("other")
    with gevaldi.label(verdict) as first:
        port = int(first.owner.split(":")[2].split("/")[0])
        with pytest.raises(RunFolderError, match=f"labelled already at http://127.0.0.1:{port} "):
            gevaldi.label(verdict.folder)
        with pytest.raises(SpecError, match=f"--port {port + 1}"):
            gevaldi.label(other, port=port)
        with gevaldi.label(other) as second:
            assert second.owner.split("/")[2] != first.owner.split("/")[2]
        assert next(iter(first.links.values())) in first._repr_html_()
    with gevaldi.label(verdict.folder) as again:
        assert again.links == first.links


def test_a_folder_on_a_network_disk_is_refused(
    begin: Callable[..., Verdict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    folder = str((tmp_path / "a b").resolve()).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {folder} nfs4 rw 0 0\n")
    monkeypatch.setattr(store_module, "MOUNTS", mounts)
    (tmp_path / "a b" / "verdict").mkdir(parents=True)
    with pytest.raises(RunFolderError, match=r"network disk \(nfs4\)"):
        Store(tmp_path / "a b" / "verdict")
    assert not list((tmp_path / "a b" / "verdict").iterdir())
    Store(tmp_path).close()


def test_a_disk_on_which_sqlite_keeps_no_log_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutLog(sqlite3.Connection):
        def execute(self, text: str, *values: Any) -> sqlite3.Cursor:
            return super().execute(text.replace("=WAL", "=DELETE"), *values)

    connect = sqlite3.connect
    monkeypatch.setattr(store_module.sqlite3, "connect", lambda *words, **options: connect(*words, factory=WithoutLog, **options))
    with pytest.raises(RunFolderError, match="journal mode is delete"):
        Store(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RunFolderError, match="cannot be read or written"):
        Store(tmp_path)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u202eb", "x" * 61])
def test_a_name_that_cannot_be_shown_is_refused(begin: Callable[..., Verdict], name: str) -> None:
    with pytest.raises(SpecError, match="name of a person"):
        serve(begin(), (name,))


def test_the_command_says_what_is_wrong_in_a_sentence(begin: Callable[..., Verdict], tmp_path: Path) -> None:
    begin()
    for words, message in (
        (("nothing",), "There is no folder nothing"),
        (("verdict", "--controls", "many"), "share such as 10%"),
        (("verdict", "--controls", "70%"), "below a half"),
        (("verdict", "--region", "1"), "no regions"),
        (("verdict", "--guide", "no.md"), "guide no.md cannot be read"),
        (("verdict", "--host", "192.0.2.77"), "another --host"),
        (("verdict", "--lease", "0"), "lease is positive"),
    ):
        done = called(tmp_path, "label", *words)
        assert done.returncode == 2
        assert message in done.stderr


def test_a_restart_without_names_asks_who_was_asked_before_and_knows_how_the_interval_narrowed(
    begin: Callable[..., Verdict],
) -> None:
    verdict = begin()
    service = serve(verdict, ("Ada", "Grace"))
    answer_all(service, ("Ada", "Grace"), most=6)
    points = service.refresh() and service.overview()["points"]
    service.store.close()
    with gevaldi.label(verdict.folder) as again:
        assert list(again.links) == ["Ada", "Grace"]
        assert again.service.overview()["points"][-1] == points[-1]
        assert len(again.service.points) > 3


@pytest.mark.parametrize("seed", range(3))
def test_whatever_people_do_in_whatever_order_the_file_holds_what_they_were_told(begin: Callable[..., Verdict], seed: int) -> None:
    names, chance = ("Ada", "Grace", "Mary"), np.random.default_rng(seed)
    verdict = begin()
    service = serve(verdict, names, Options(repeats=0.2, overlap=0.4), until_decided=False)
    told: dict[str, dict[str, str]] = {name: {} for name in names}
    for number in range(250):
        name = names[chance.integers(3)]
        person, what = service.people[name], chance.random()
        if what < 0.02:
            service.store.close()
            service = serve(verdict.folder, names, service.options, until_decided=False)
        elif what < 0.12 and told[name]:
            task = service.undo(person, f"{number}")["task"]
            assert task == list(told[name])[-1]
            del told[name][task]
            assert tasks(service, name)[0] == task
        elif found := service.next(person, 3):
            one = found[chance.integers(len(found))]
            answer = [*one["choices"], NEITHER, CANNOT_TELL][chance.integers(len(one["choices"]) + 2)]
            told[name][one["task"]] = service.answer(person, one["task"], answer, f"{number}")["answer"]
    found = read_responses(service.queue.folder)
    assert {name: {one.task: visible(one.answer) for one in found if one.person == name} for name in names} == told
    assert len(found) == sum(map(len, told.values()))
    verdict.refresh()
    other = begin("other")
    other.add(read_answers(service.queue.folder))
    assert (other.interval, other.main.used) == (verdict.interval, verdict.main.used)


def test_while_another_process_writes_for_long_an_answer_is_refused_and_can_be_sent_again(begin: Callable[..., Verdict]) -> None:
    service = serve(begin())
    page, body = browser(service), {"task": tasks(service)[0], "answer": "cat", "key": "k"}
    service.store._connection.execute("PRAGMA busy_timeout = 1")
    with contextlib.closing(sqlite3.connect(service.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reply = page.post("answer", json=body)
        assert (reply.status_code, "Send it again" in reply.json()["error"]) == (503, True)
        other.execute("ROLLBACK")
    assert page.post("answer", json=body).json()["stored"]


def test_a_port_that_another_process_has_bound_and_listens_at_later_is_not_shared(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(_listen("127.0.0.1", None, 18_765)) for _ in range(2))
        assert first.getsockname() != second.getsockname()
