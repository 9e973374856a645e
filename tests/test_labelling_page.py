"""The page on which people label, in a browser: keys, touch, no JavaScript, no connection, two tabs, sleep."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_page import BROWSERS, CHROMIUM

from gevaldi.labelling.assignment import Options
from gevaldi.labelling.queues import Item, Queue, Status
from gevaldi.labelling.serve import Labelling
from gevaldi.verdicts.responses import read_responses
from test_report_browser import browser  # noqa: F401

pytestmark = pytest.mark.slow
ANIMALS = ("cat", "dog", "bird", "café", "horse")
HOSTILE = ("<img src=x onerror=alert(1)>", "x" * 200, "\u202eקטה 😀 قطة", "{{ 7 * 7 }}'\"`")
DESK = {"viewport": {"width": 1280, "height": 800}}
TELEPHONE = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
HOUR = 3_600_000


class Site(Labelling):
    """Serves a queue of made-up pictures, without controls and repeats."""

    def __init__(self, folder: Path, items: Sequence[Item], classes: Sequence[str], people: Sequence[str]) -> None:
        def status(answered: frozenset[str]) -> Status:
            left = frozenset(item.id for item in items) - answered
            return Status(left, len(left), not left, point=(len(answered), -0.1 / (1 + len(answered)), 0.1))

        def picture(text: str) -> Image.Image:
            pixels = np.random.default_rng(int(text.removeprefix("example "))).integers(0, 256, (28, 28, 3))
            return Image.fromarray(pixels.astype(np.uint8))

        examples = {name: [f"example {i}"] for i, name in enumerate(classes)}
        queue = Queue(folder, items, tuple(classes), {}, examples, picture, status)
        super().__init__(queue, people, Options(overlap=0.0, repeats=0.0), "127.0.0.1", None)
        self.items = items

    def task(self, place: int) -> str:
        """The name of a task in Ada's browser."""
        return self.service._task("Ada", (self.items[place].id, 1))

    def answers(self) -> list[tuple[str, str | None]]:
        """The answers on disk and whether the picture could be real, in the order of the queue."""
        counted = {one.picture: (one.answer, one.real) for one in read_responses(self.folder)}
        return [counted[item.id] for item in self.items if item.id in counted]


@pytest.fixture
def label(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Begins a site with so many pictures."""
    with contextlib.ExitStack() as stack:

        def start(
            number: int,
            classes: Sequence[str] = ANIMALS,
            choices: Callable[[int], Sequence[str]] = lambda i: ANIMALS[:2],
            drawn: Callable[[int], bool] = lambda i: False,
            people: Sequence[str] = ("Ada",),
        ) -> Site:
            items = [Item(str(i), tuple(choices(i)), drawn(i)) for i in range(number)]
            return stack.enter_context(Site(tmp_path, items, classes, people))

        yield start


@pytest.fixture
def contexts(browser: Any) -> Iterator[Any]:  # noqa: F811
    """Makes browser contexts; at the end no page of theirs has raised an error or broken its own policy."""
    made: list[Any] = []
    troubles: list[str] = []

    def make(**options: Any) -> Any:
        context = browser.new_context(**(DESK | options))
        made.append(context)
        context.on("weberror", lambda error: troubles.append(str(error.error)))
        context.on("console", lambda message: troubles.append(message.text) if "Policy" in message.text else None)
        context.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        return context

    yield make
    for context in made:
        context.close()
    assert troubles == []


def opened(context: Any, address: str) -> Any:
    page = context.new_page()
    page.goto(address)
    return page


def far(page: Any, answered: int) -> None:
    """Wait until so many answers count and the page is ready for the next."""
    page.wait_for_function("text => document.getElementById('far')?.textContent.startsWith(text)", arg=f"{answered} answered")
    page.wait_for_function("() => !document.querySelector('#ask button:disabled')")


def status(page: Any, text: str) -> None:
    page.wait_for_function("text => document.getElementById('status').textContent.includes(text)", arg=text)


def done(page: Any) -> None:
    page.get_by_role("heading", name="Thank you").wait_for()


def picture_address(page: Any) -> str:
    return str(page.locator("#picture").get_attribute("src"))


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    return [] if found.violations_count == 0 else [found.generate_report()]


def test_a_whole_task_is_done_by_keyboard_alone(contexts: Any, label: Any) -> None:
    site = label(6, drawn=lambda i: i == 3)
    page = opened(contexts(), site.links["Ada"])
    far(page, 0)
    page.keyboard.press("1")
    far(page, 1)
    page.keyboard.press("2")
    far(page, 2)
    page.keyboard.press("u")
    far(page, 1)
    page.keyboard.press("n")
    page.keyboard.type("CAFE")  # without its accent
    page.keyboard.press("Enter")
    far(page, 2)
    page.keyboard.press("n")
    page.locator("#neither").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.locator("#classes [aria-selected=true]", has_text="cannot name it").wait_for()
    page.keyboard.press("Enter")
    far(page, 3)
    page.keyboard.press("g")
    page.locator("#help").get_by_role("heading", name="Examples").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.get_by_text("Everything is saved.").wait_for()
    page.keyboard.press("p")
    page.keyboard.press("1")
    page.locator("fieldset.due").wait_for()
    page.keyboard.press("x")
    far(page, 4)
    page.keyboard.press("?")
    far(page, 5)
    page.keyboard.press("Backspace")
    far(page, 4)
    page.keyboard.press("?")
    far(page, 5)
    page.locator("#question").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    done(page)
    first, second = ((item.choices[0], None) for item in (site.items[0], site.items[5]))
    assert site.answers() == [
        first,
        ("café", None),
        ("neither", None),
        (site.items[3].choices[0], "no"),
        ("cannot tell", None),
        second,
    ]


def test_keys_drawn_on_buttons_are_the_keys_that_work(contexts: Any, label: Any) -> None:
    page = opened(contexts(), label(2, drawn=lambda i: True).links["Ada"])
    far(page, 0)
    keys = page.locator(".panel kbd").all_text_contents()
    assert keys == ["1", "2", "N", "?", "Y", "S", "X", "U", "G", "P"]
    assert len(set(keys)) == len(keys)


def test_a_whole_task_is_done_by_touch_on_a_telephone(contexts: Any, label: Any) -> None:
    site = label(5, drawn=lambda i: i == 1)
    page = opened(contexts(**TELEPHONE), site.links["Ada"])
    far(page, 0)
    page.locator("#choices button").nth(1).tap()
    far(page, 1)
    assert page.evaluate(
        "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"
    )
    sizes = page.locator("a:visible, button:visible").evaluate_all(
        "all => all.map((e) => e.getBoundingClientRect()).map((b) => Math.min(b.width, b.height))"
    )
    assert min(sizes) >= 44
    page.get_by_role("button", name="Unsure").tap()
    page.locator("#choices button").nth(0).tap()
    far(page, 2)
    page.get_by_role("button", name="Neither").tap()
    page.get_by_role("option", name="horse").tap()
    far(page, 3)
    page.get_by_role("button", name="Undo").tap()
    far(page, 2)
    page.get_by_role("button", name="Cannot tell").tap()
    far(page, 3)
    page.get_by_role("button", name="Pause").tap()
    page.get_by_role("button", name="Continue").tap()
    page.locator("#choices button").nth(0).tap()
    far(page, 4)
    page.locator("#choices button").nth(1).tap()
    done(page)
    assert [real for _, real in site.answers()] == [None, "unsure", None, None, None]
    assert site.answers()[2] == ("cannot tell", None)


def test_a_whole_task_is_done_without_javascript(contexts: Any, label: Any) -> None:
    site = label(5, drawn=lambda i: i == 1)
    page = opened(contexts(java_script_enabled=False), site.links["Ada"])
    page.locator("#choices button").nth(0).click()
    page.get_by_text("1 answered").wait_for()
    assert page.url == site.links["Ada"]
    page.locator("#choices input").nth(1).check()
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_text("2 answered").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("1 answered").wait_for()
    page.locator("#choices input").nth(0).check()
    page.get_by_label("No", exact=True).check()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_text("2 answered").wait_for()
    page.get_by_text("It shows another class").click()
    page.get_by_label("Class", exact=True).select_option("café")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("3 answered").wait_for()
    page.get_by_role("link", name="Guide").click()
    page.get_by_role("heading", name="How to answer").wait_for()
    page.get_by_role("link", name="Back to the pictures").click()
    page.get_by_role("button", name="Neither").click()
    page.get_by_text("4 answered").wait_for()
    page.get_by_role("button", name="Cannot tell").click()
    done(page)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Cannot tell").click()
    done(page)
    choices = [item.choices for item in site.items]
    assert site.answers() == [
        (choices[0][0], None),
        (choices[1][0], "no"),
        ("café", None),
        ("neither", None),
        ("cannot tell", None),
    ]


def test_nothing_is_lost_without_a_connection_nor_stored_twice(contexts: Any, label: Any) -> None:
    site = label(8)
    context = contexts()
    page = opened(context, site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    page.keyboard.press("1")
    far(page, 1)
    status(page, "1 answer waits for the connection. You can go on.")
    page.keyboard.press("2")
    far(page, 2)
    page.keyboard.press("u")
    far(page, 1)
    page.keyboard.press("1")
    far(page, 2)
    page.keyboard.press("?")
    page.get_by_text("The next picture comes when the connection is back.").wait_for()
    status(page, "3 answers wait for the connection. Keep this page open.")
    assert site.answers() == []
    context.set_offline(False)
    status(page, "Saved")
    far(page, 3)
    assert site.answers() == [(site.items[0].choices[0], None), (site.items[1].choices[0], None), ("cannot tell", None)]
    page.keyboard.press("1")
    far(page, 4)


def test_answers_that_waited_in_a_closed_page_are_sent_when_it_is_opened_again(contexts: Any, label: Any) -> None:
    site = label(5)
    context = contexts()
    page = opened(context, site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    page.keyboard.press("1")
    far(page, 1)
    page.keyboard.press("2")
    far(page, 2)
    page.close()
    context.set_offline(False)
    page = opened(context, site.links["Ada"])
    status(page, "Saved")
    far(page, 2)
    assert site.answers() == [(site.items[0].choices[0], None), (site.items[1].choices[1], None)]
    assert picture_address(page).endswith(site.task(2))


def test_who_is_no_longer_asked_learns_it(contexts: Any, label: Any) -> None:
    site = label(3)
    page = opened(contexts(), site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    site.service.people.clear()
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.get_by_role("heading", name="This link opens nothing.").wait_for()


def test_a_browser_that_stores_nothing_keeps_the_page_open_until_all_is_sent(contexts: Any, label: Any) -> None:
    site = label(3)
    context = contexts()
    context.add_init_script("Storage.prototype.setItem = () => { throw new Error('no room'); }")
    page = opened(context, site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    leaves = "() => dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert page.evaluate(leaves)
    context.set_offline(True)
    page.keyboard.press("1")
    far(page, 1)
    assert not page.evaluate(leaves)
    page.keyboard.press("p")
    page.locator("#paused-saved", has_text="Keep this page open.").wait_for()
    page.keyboard.press("p")
    context.set_offline(False)
    status(page, "Saved")
    assert page.evaluate(leaves)
    assert site.answers() == [(site.items[0].choices[0], None)]


@pytest.mark.parametrize("reply", ["lost", "a page of the hotel", "an error"])
def test_an_answer_counts_once_whatever_becomes_of_the_reply(contexts: Any, label: Any, reply: str) -> None:
    site = label(4)
    page = opened(contexts(), site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    hits: list[int] = []

    def spoil(route: Any) -> None:
        hits.append(1)
        if len(hits) > 2:
            route.continue_()
        elif reply == "lost":
            route.fetch()  # the server has it, and the browser does not know
            route.abort()
        elif reply == "an error":
            route.fulfill(status=503, body='{"error": "The disk is full."}', content_type="application/json")
        else:
            route.fulfill(status=200, body="<h1>Log in</h1>", content_type="text/html")

    page.route("**/answer", spoil)
    page.keyboard.press("2")
    far(page, 1)
    status(page, "The disk is full." if reply == "an error" else "1 answer waits")
    status(page, "Saved")
    page.keyboard.press("1")
    far(page, 2)
    assert site.answers() == [(site.items[0].choices[1], None), (site.items[1].choices[0], None)]


def test_the_next_picture_waits_until_the_answer_is_on_disk(contexts: Any, label: Any) -> None:
    site = label(3)
    page = opened(contexts(), site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    routes: list[Any] = []
    page.route("**/answer", lambda route: routes.append(route))
    before = picture_address(page)
    page.keyboard.press("1")
    status(page, "Saving")
    assert picture_address(page) == before
    page.keyboard.press("2")  # changes nothing: an answer is on its way
    routes[0].continue_()
    far(page, 1)
    assert picture_address(page) != before
    assert site.answers() == [(site.items[0].choices[0], None)]


def test_the_second_of_two_tabs_moves_on(contexts: Any, label: Any) -> None:
    site = label(4)
    context = contexts()
    one, other = (opened(context, site.links["Ada"]) for _ in range(2))
    for page in (one, other):
        page.wait_for_load_state("networkidle")
        far(page, 0)
    one.keyboard.press("1")
    far(one, 1)
    assert picture_address(other).endswith(site.task(0))
    other.keyboard.press("2")
    far(other, 1)
    status(other, f"This picture already had your answer: {site.items[0].choices[0]}")
    assert picture_address(other).endswith(site.task(1))
    other.keyboard.press("2")
    far(other, 2)
    assert site.answers() == [(site.items[0].choices[0], None), (site.items[1].choices[1], None)]


@pytest.mark.parametrize("script", [True, False])
def test_hostile_class_names_run_nothing_and_break_nothing(contexts: Any, label: Any, script: bool) -> None:
    site = label(5, classes=(*HOSTILE, "other"), choices=lambda i: HOSTILE if i else HOSTILE[:2])
    for options in (TELEPHONE, DESK):
        page = opened(contexts(java_script_enabled=script, **options), site.links["Ada"])
        assert page.evaluate("document.documentElement.scrollWidth") <= options["viewport"]["width"]
        assert page.locator("main img").count() == 1
        page.locator("#choices .choice").nth(1).click()
        page.locator("#far", has_text=re.compile("^[12] answered")).wait_for()
    assert {answer for answer, _ in site.answers()} <= set(HOSTILE)
    if script:
        far(page, 2)
        page.keyboard.press("n")
        page.keyboard.type("oth")
        page.locator("#classes [aria-selected=true]", has_text="other").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("3")
        far(page, 3)
        assert site.answers()[-1][0] in HOSTILE


def test_after_an_hour_of_sleep_the_page_goes_on(contexts: Any, label: Any) -> None:
    site = label(6)
    context = contexts()
    page = context.new_page()
    page.clock.install()
    page.goto(site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    page.keyboard.press("1")
    far(page, 1)
    status(page, "1 answer waits")
    page.clock.fast_forward(HOUR)
    status(page, "1 answer waits")
    context.set_offline(False)
    page.clock.fast_forward(HOUR)
    status(page, "Saved")
    page.keyboard.press("2")
    far(page, 2)
    assert site.answers() == [(site.items[0].choices[0], None), (site.items[1].choices[1], None)]


@pytest.mark.parametrize("options", [DESK, TELEPHONE | {"color_scheme": "dark"}], ids=["light", "dark telephone"])
def test_axe_finds_nothing_on_any_page(contexts: Any, label: Any, options: Any) -> None:
    site = label(4, drawn=lambda i: i == 0)
    page = opened(contexts(**options), site.links["Ada"])
    far(page, 0)
    assert violations(page) == []
    page.keyboard.press("1")
    page.locator("fieldset.due").wait_for()
    assert violations(page) == []
    page.keyboard.press("y")
    far(page, 1)
    for key, dialog in (("n", "#neither"), ("p", "#paused"), ("g", "#help")):
        page.keyboard.press(key)
        page.locator(dialog).wait_for()
        assert violations(page) == []
        page.keyboard.press("Escape")
    for answered in (2, 3):
        page.keyboard.press("2")
        far(page, answered)
    page.goto(site.links["Ada"] + "guide")
    assert violations(page) == []
    page.goto(site.owner)
    assert violations(page) == []
    page.goto(site.links["Ada"][:-2])
    assert violations(page) == []
    page.goto(site.links["Ada"])
    page.keyboard.press("2")
    done(page)
    assert violations(page) == []


def test_the_page_of_the_owner_refreshes_automatically_and_copies_links(contexts: Any, label: Any) -> None:
    site = label(6, people=("Ada", "Grace"))
    context = contexts(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.clock.install()
    page.goto(site.owner)
    row = page.get_by_role("row").filter(has_text="Ada")
    row.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == site.links["Ada"]
    other = opened(contexts(), site.links["Ada"])
    far(other, 0)
    other.keyboard.press("1")
    far(other, 1)
    page.clock.fast_forward(11_000)
    page.get_by_role("row").filter(has_text="Ada").get_by_role("cell", name="1", exact=True).wait_for()
    page.get_by_text("This page refreshes automatically.").wait_for()
    assert page.evaluate("document.activeElement.matches('[data-copy]')"), "the focus stays where it was"


@pytest.mark.parametrize("script", [True, False])
def test_a_small_picture_is_enlarged_without_smoothing(contexts: Any, label: Any, script: bool) -> None:
    page = opened(contexts(java_script_enabled=script), label(2).links["Ada"])
    page.locator("#picture").wait_for()
    box = page.locator("#picture").bounding_box()
    assert min(box["width"], box["height"]) >= 400
    assert page.locator("#picture").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"


def test_work_goes_on_when_the_server_begins_again(contexts: Any, label: Any, tmp_path: Path) -> None:
    site = label(5)
    page = opened(contexts(), site.links["Ada"])
    far(page, 0)
    page.wait_for_load_state("networkidle")
    site.stop()
    page.keyboard.press("1")
    far(page, 1)
    status(page, "1 answer waits for the connection.")
    again = label(5)
    assert again.links == site.links
    status(page, "Saved")
    page.keyboard.press("2")
    far(page, 2)
    assert again.answers() == [(site.items[0].choices[0], None), (site.items[1].choices[1], None)]


def test_a_question_that_is_no_longer_asked_is_left_with_a_word(contexts: Any, label: Any) -> None:
    page = opened(contexts(), label(3).links["Ada"])
    far(page, 0)
    page.route("**/answer", lambda route: route.fulfill(status=404, json={"error": "There is no such question among yours."}))
    page.keyboard.press("1")
    status(page, "There is no such question among yours.")


def test_a_picture_that_cannot_be_read_can_be_left_as_unclear(contexts: Any, label: Any) -> None:
    site = label(3)
    context = contexts()
    context.route("**/picture/*", lambda route: route.fulfill(status=410, body="This picture cannot be read."))
    page = opened(context, site.links["Ada"])
    page.get_by_role("button", name="Cannot tell").click()
    page.get_by_text("1 answered").first.wait_for()
    page.keyboard.press("1")
    page.keyboard.press("?")
    page.get_by_text("2 answered").first.wait_for()
    assert site.answers() == [("cannot tell", None)] * 2


@pytest.mark.skipif(CHROMIUM is None, reason=f"needs one of {BROWSERS} on the path")
def test_the_screenshots_of_the_documentation_can_be_drawn_again(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "docs" / "label_screenshots.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=300, stdout=subprocess.DEVNULL)
    for name in ("label-task.png", "label-owner.png"):
        assert (tmp_path / name).stat().st_size < 150_000


def test_nothing_moves_for_who_asked_for_less_motion(contexts: Any, label: Any) -> None:
    page = opened(contexts(reduced_motion="reduce"), label(2).links["Ada"])
    far(page, 0)
    assert page.evaluate("document.getAnimations().length") == 0
