"""The page in a browser: what a reader clicks, types and sends, and what an accessibility checker says of it."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from report_page import FLAGS

from gevaldi.reports.page import write_report
from test_reports import HOSTILE, made, png, row

pytestmark = pytest.mark.slow
CHROMIUM = next((found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found), None)
SAMPLES = 40


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        if "CI" in os.environ:
            pytest.fail("No chromium, chromium-browser or google-chrome is on the path; CI must have one.")
        pytest.skip("needs chromium, chromium-browser or google-chrome on the path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    rows = [row(i, failed=i == 5, name="cat" if i % 4 < 2 else "ape") for i in range(SAMPLES)]
    return write_report(made(folder, rows, samples=SAMPLES // 2)).as_uri()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    yield page
    context.close()
    assert troubles == []


def shown(tab: Any) -> list[int]:
    """The numbers of the cards that a reader sees, in their order."""
    cards = tab.locator(".card:visible").all()
    return [int(card.get_attribute("id").removeprefix("sample-")) for card in cards]


def count(tab: Any) -> str:
    return str(tab.locator("#count").text_content())


def choose(tab: Any, name: str, value: str) -> None:
    tab.locator("#by").evaluate("element => (element.open = true)")
    tab.locator(f'#filters select[name="{name}"]').select_option(value)


def fragment(tab: Any) -> str:
    return str(tab.evaluate("location.hash"))


def test_filters_show_the_samples_that_fit_and_say_how_many(tab: Any, address: str) -> None:
    tab.goto(address)
    assert count(tab) == "40 of 40 samples, the first 24 shown"
    choose(tab, "order", "reverse")
    assert count(tab) == "20 of 40 samples"
    assert all(index % 2 == 1 for index in shown(tab))
    choose(tab, "status", "failed")
    assert shown(tab) == [5]
    tab.get_by_text("Show all again").click()
    tab.wait_for_function("document.getElementById('count').textContent.startsWith('40 of 40')")
    choose(tab, "held", "no")
    assert set(shown(tab)) == {i for i in range(SAMPLES) if i % 3 == 0}
    tab.locator('input[name="divergence-from"]').fill("4")  # the divergence of sample i is 1 + i / 10
    assert set(shown(tab)) == {30, 33, 36, 39}
    tab.locator('input[name="typicality-to"]').fill("0.5")
    assert shown(tab) == []
    assert tab.locator("#none").is_visible()
    assert tab.locator("#count").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize(
    ("key", "value", "fitting"),
    [
        ("flipped", "both", lambda i: i % 4 == 0),
        ("right", "neither", lambda i: i % 4 == 0),
        ("first", str(ord("d")), lambda i: i % 4 == 0),
    ],
)
def test_each_kind_can_be_filtered_by(tab: Any, address: str, key: str, value: str, fitting: Any) -> None:
    tab.goto(address)
    choose(tab, key, value)
    assert set(shown(tab)) == {i for i in range(SAMPLES) if fitting(i)}


def test_names_of_classes_are_searched(tab: Any, address: str) -> None:
    tab.goto(address)
    tab.keyboard.press("/")
    tab.keyboard.type("APE")
    assert {i % 4 for i in shown(tab)} == {2, 3}
    assert fragment(tab) == "#q=APE"


@pytest.mark.parametrize("key", ["divergence", "distance", "index"])
def test_sorting_puts_the_smallest_first_and_what_is_unknown_last(tab: Any, address: str, key: str) -> None:
    tab.goto(address)
    tab.locator('select[name="sort"]').select_option(key)
    tab.locator('select[name="direction"]').select_option("up")
    tab.get_by_text("Show more samples").click()
    known = [i for i in range(SAMPLES) if i != 5 or key == "index"]
    assert shown(tab) == known + [i for i in range(SAMPLES) if i not in known]


def test_a_view_can_be_sent_as_its_address(tab: Any, browser: Any, address: str) -> None:
    tab.goto(address)
    choose(tab, "order", "forward")
    tab.locator('select[name="sort"]').select_option("index")
    sent = tab.url
    other = browser.new_page()
    other.goto(sent)
    assert shown(other) == shown(tab)
    assert other.locator('select[name="order"]').input_value() == "forward"
    other.close()


def test_a_link_to_a_sample_opens_it_and_closing_it_leads_back_to_its_card(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sample-12")
    assert tab.locator("#viewer").is_visible()
    assert "#12" in tab.locator("#viewer-title").text_content()
    tab.keyboard.press("Escape")
    assert not tab.locator("#viewer").is_visible()
    assert fragment(tab) == ""
    assert tab.evaluate("document.activeElement.closest('.card').id") == "sample-12"


def test_a_sample_opens_by_a_click_and_its_slider_goes_along_the_path(tab: Any, address: str) -> None:
    tab.goto(f"{address}#order=forward&sort=index&direction=up")
    tab.locator("#sample-4 .pair").click()
    assert fragment(tab) == "#sample-4&sort=index&direction=up&order=forward"
    slider = tab.locator("#slider")
    assert tab.locator("#step").text_content() == "step 2 of 2"
    sources = [tab.locator("#frame").get_attribute("src")]
    for step in (1, 0):
        slider.press("ArrowLeft")
        assert tab.locator("#step").text_content() == f"step {step} of 2"
        assert f"step {step} of 2" in str(slider.get_attribute("aria-valuetext"))
        sources.append(tab.locator("#frame").get_attribute("src"))
    assert len(set(sources)) == 3
    assert tab.locator("#says-first").text_content() == "cat"
    assert tab.locator("#curves svg").count() == 3
    assert tab.locator("#curves b").all_text_contents()[0] == "0"


def test_the_keyboard_goes_from_sample_to_sample_and_opens_them(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sort=index&direction=up")
    for key in ("j", "j", "ArrowRight", "k"):
        tab.keyboard.press(key)
    assert tab.evaluate("document.activeElement.closest('.card').id") == "sample-1"
    tab.keyboard.press("Enter")
    assert fragment(tab).startswith("#sample-1&")
    for key, index in (("ArrowRight", 2), ("j", 3), ("ArrowLeft", 2), ("k", 1)):
        tab.keyboard.press(key)
        assert fragment(tab).startswith(f"#sample-{index}&")
    tab.get_by_role("button", name="Next sample").click()
    assert fragment(tab).startswith("#sample-2&")
    tab.get_by_role("button", name="Close").click()
    assert fragment(tab) == "#sort=index&direction=up"


def test_a_cell_of_the_matrix_leads_to_its_samples(tab: Any, address: str) -> None:
    tab.goto(address)
    cell = tab.locator(".matrix a").first
    number = str(cell.text_content())
    cell.click()
    assert count(tab).startswith(f"{number} of 40 samples")
    assert tab.evaluate("document.activeElement.id") == "gallery"


def test_what_is_copied_is_the_address(browser: Any, address: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.goto(f"{address}#sample-3")
    tab.locator("#viewer [data-copy]").click()
    tab.get_by_text("Copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.url
    context.close()


def test_without_a_script_every_sample_is_there_and_nothing_that_would_need_one(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address)
    assert tab.locator(".card:visible").count() == SAMPLES
    assert [tab.locator(part).is_visible() for part in ("#filters", "#viewer", "#more", "button >> nth=0")] == [False] * 4
    context.close()


def test_a_telephone_shows_the_page_without_scrolling_sideways(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    for part in ("", "#sample-12"):
        tab.goto(address + part)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.evaluate("document.getElementById('viewer').scrollWidth") <= 390
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("part", ["", "#order=forward&divergence-from=2", "#sample-12", "#sample-5"])
def test_axe_finds_nothing_to_complain_of(browser: Any, address: str, scheme: str, part: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = browser.new_page(color_scheme=scheme)
    tab.goto(address + part)
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    tab.close()


def test_hostile_names_and_addresses_run_nothing_and_move_nothing(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)<b>&#'\""
    folder.mkdir()
    run = made(folder, [row(i, failed=i == 1, name=HOSTILE) for i in range(4)], name=HOSTILE)
    address = write_report(run).as_uri()
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    heard: list[Any] = []
    tab.on("dialog", lambda dialog: (heard.append(dialog), dialog.dismiss()))
    tab.on("pageerror", lambda error: heard.append(error))
    for part in ("", "#sample-0", "#sample-99", "#q=%E0%A4%A&order=<script>alert(1)</script>", "#constructor=1", "#=&&"):
        tab.goto("about:blank")
        tab.goto(address + part)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert heard == []
    tab.close()


def test_a_print_shows_the_first_twelve_and_no_controls(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sort=index&direction=up")
    tab.emulate_media(media="print")
    assert shown(tab) == list(range(12))
    assert not tab.locator("#filters").is_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_pictures_of_the_strip_stand_where_the_slider_says(browser: Any, tmp_path: Path, width: int) -> None:
    seeds = [1, 2, 3, 4, 5]
    longer = {"path_pictures": [png(seed) for seed in seeds], "path_picture_steps": [0, 1, 2, 4, 5], "path_divergence": [1.0] * 6}
    address = write_report(made(tmp_path, [row(0) | longer], samples=1)).as_uri()
    tab = browser.new_page(viewport={"width": width, "height": 844})
    tab.goto(f"{address}#sample-0")
    for seed in (4, 3, 2):
        tab.locator("#slider").press("ArrowLeft")
        picture = Image.open(io.BytesIO(tab.locator("#frame").screenshot())).convert("L")
        expected = Image.open(io.BytesIO(png(seed)["bytes"])).convert("L").resize(picture.size, Image.Resampling.NEAREST)
        inside = [(x, y) for x in range(20, picture.width - 20, 7) for y in range(20, picture.height - 20, 7)]
        near = [abs(picture.getpixel(place) - expected.getpixel(place)) < 8 for place in inside]  # type: ignore[operator]
        assert sum(near) / len(near) > 0.8  # at the edges of its pixels a screenshot is a shade off
    tab.close()
