"""The page in a browser: what a reader clicks, types and sends, and what an accessibility checker says of it."""

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_page import BROWSERS, CHROMIUM, FLAGS

from gevaldi.reports.page import write_report
from test_reports import HOSTILE, NO_FIGURES, SOME, made, png, prediction, row, run_of_hostile_words, without_figures  # noqa: F401

pytestmark = pytest.mark.slow
SAMPLES = 40


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        if "CI" in os.environ:
            pytest.fail(f"None of {BROWSERS} is on the path; CI must have one.")
        pytest.skip(f"needs one of {BROWSERS} on the path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    rows = [row(i, failed=i == 5, name="cat" if i % 4 < 2 else "ape") for i in range(SAMPLES)]
    return write_report(made(folder, rows, samples=SAMPLES // 2, real=SOME)).as_uri()


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


def test_the_interval_of_a_verdict_fits_a_telephone_with_the_label_that_decided(tab: Any, tmp_path: Path) -> None:
    from gevaldi.verdicts.start import verdict_on
    from test_verdicts import pool_of

    verdict = verdict_on(pool_of([0] * 60, [1] * 60))
    verdict.add({item.id: "dog" for item in verdict.next()})
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(Path(str(verdict.report(tmp_path / "v.html"))).as_uri())
    for part in (".decided", ".band", ".zero", "text >> nth=0", "text >> nth=4"):
        box = tab.locator(f"svg.interval {part}").bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390, part
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.locator("svg.interval text >> nth=1").bounding_box()["height"] >= 10


def shown(tab: Any) -> list[int]:
    """The numbers of the cards that a reader sees, in their order."""
    ids = tab.locator("article.card:visible").evaluate_all("cards => cards.map((card) => card.id)")
    return [int(found.removeprefix("sample-")) for found in ids]


def numbers(tab: Any) -> set[int]:
    return set(shown(tab))


def count(tab: Any) -> str:
    return str(tab.locator("#count").text_content())


def step(tab: Any) -> str:
    return str(tab.locator("#step").text_content())


def fragment(tab: Any) -> str:
    return str(tab.evaluate("location.hash"))


def opened(tab: Any) -> str:
    """The sample that the address names."""
    return fragment(tab).removeprefix("#").partition("&")[0]


def focused(tab: Any) -> str:
    """The id of the card that has the focus or holds what has it."""
    return str(tab.evaluate("document.activeElement.closest('.card')?.id"))


def becomes(tab: Any, reading: Callable[[Any], object], expected: object) -> None:
    """Waits for the page to read as expected: it follows a click or a change of its address a moment later."""
    latest = time.monotonic() + 10
    while (found := reading(tab)) != expected and time.monotonic() < latest:
        tab.wait_for_timeout(20)
    assert found == expected


def choose(tab: Any, name: str, value: str) -> None:
    tab.locator("#by").evaluate("element => (element.open = true)")
    tab.locator(f'#filters select[name="{name}"]').select_option(value)


def test_filters_show_the_samples_that_fit_and_say_how_many(tab: Any, address: str) -> None:
    tab.goto(address)
    becomes(tab, count, "40 of 40 samples; the first 24 are shown")
    choose(tab, "order", "reverse")
    becomes(tab, count, "20 of 40 samples")
    assert all(index % 2 == 1 for index in shown(tab))
    choose(tab, "status", "failed")
    becomes(tab, shown, [5])
    tab.get_by_text("Show all again").click()
    tab.locator("#count", has_text="40 of 40").wait_for()
    choose(tab, "survives_storage", "no")
    becomes(tab, numbers, {i for i in range(SAMPLES) if i % 3 == 0})
    tab.locator('input[name="divergence-from"]').fill("4")  # the divergence of sample i is 1 + i / 10
    becomes(tab, numbers, {30, 33, 36, 39})
    tab.locator('input[name="typicality-to"]').fill("0.5")
    becomes(tab, shown, [])
    tab.locator("#none").wait_for()
    assert tab.locator("#count").get_attribute("aria-live") == "polite"


def test_each_kind_can_be_filtered_by(tab: Any, address: str) -> None:
    tab.goto(address)
    for key, value in (("flipped", "both"), ("right", "neither"), ("first", str(ord("d")))):
        choose(tab, key, value)
        becomes(tab, numbers, {i for i in range(SAMPLES) if i % 4 == 0})
        tab.get_by_text("Show all again").click()
        becomes(tab, count, "40 of 40 samples; the first 24 are shown")


def test_names_of_classes_are_searched(tab: Any, address: str) -> None:
    tab.goto(address)
    tab.keyboard.press("/")
    tab.keyboard.type("APE")
    becomes(tab, numbers, {i for i in range(SAMPLES) if i % 4 >= 2})
    becomes(tab, fragment, "#q=APE")


QUANTITIES = {
    "divergence": "divergence_end",
    "distance": "set_distance_1_end",
    "delta_z": "delta_z",
    "typicality": "typicality_end",
    "kind": "flipped",
    "condition": "condition",
    "index": "index",
}
SAID = {"first": "the first flipped", "second": "the second flipped", "both": "both flipped", "neither": "neither flipped"}


def shuffled() -> list[dict[str, Any]]:
    """Rows in which every quantity has an order of its own; of sample 5, which failed, only two are known."""
    orders = {column: np.random.default_rng(seed).permutation(SAMPLES) for seed, column in enumerate(QUANTITIES.values())}
    rows = []
    for i in range(SAMPLES):
        own = {column: float(order[i]) for column, order in orders.items()}
        own |= {"typicality_end": 0.99905 + own["typicality_end"] / 1e5, "condition": int(own["condition"]), "index": i}
        own |= {"flipped": list(SAID)[orders["flipped"][i] % 4], "shift": None, "right_start": None, "right_end": None}
        rows.append(row(i, failed=i == 5) | ({"condition": own["condition"]} if i == 5 else own))
    return rows


@pytest.fixture(scope="module")
def shuffled_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(made(tmp_path_factory.mktemp("shuffled"), shuffled(), samples=SAMPLES // 2)).as_uri()


def test_sorting_is_by_the_quantity_asked_for_with_what_is_unknown_last(tab: Any, shuffled_address: str) -> None:
    tab.goto(shuffled_address)
    rows = sorted(shuffled(), key=lambda r: -r.get("divergence_end", -1))  # ties stay in the order of divergence
    for key, (direction, sign) in product(QUANTITIES, (("up", 1), ("down", -1))):
        tab.locator('select[name="sort"]').select_option(key)
        tab.locator('select[name="direction"]').select_option(direction)
        if tab.locator("#more").is_visible():
            tab.get_by_text("Show more samples").press("Enter")  # cards take their places while a mouse is on its way
        values = {r["index"]: SAID.get(r.get("flipped", "")) if key == "kind" else r.get(QUANTITIES[key]) for r in rows}
        ranks = {value: i for i, value in enumerate(sorted({value for value in values.values() if value is not None}))}
        known = sorted((i for i in values if values[i] is not None), key=lambda i: sign * ranks[values[i]])
        becomes(tab, shown, known + [i for i in values if values[i] is None])


def test_typicalities_near_one_can_be_told_apart_by_a_filter_and_on_their_cards(tab: Any, shuffled_address: str) -> None:
    tab.goto(f"{shuffled_address}#typicality-from=0.99922&typicality-to=0.99925")
    expected = {
        r["index"]: f"{r['typicality_end']:.5f}".rstrip("0")
        for r in shuffled()
        if 0.99922 <= r.get("typicality_end", 0) <= 0.999251
    }
    assert len(expected) == 4
    becomes(tab, numbers, set(expected))
    for index, text in expected.items():
        assert f"→ {text}" in str(tab.locator(f"#sample-{index} .facts").text_content())


@NO_FIGURES
def test_a_cell_whose_samples_are_not_on_the_page_leads_to_none_and_the_page_says_so(tab: Any, tmp_path: Path) -> None:
    rows = [row(i) | {"second_end": prediction("wxyz"[i // 2])} for i in range(8)]
    address = write_report(made(tmp_path, rows, samples=4), limit=2).as_uri()  # samples 6 and 7, of which the second says z
    tab.goto(address)
    tab.get_by_role("link", name="1 sample; first: dog, second: w").click()
    becomes(tab, count, "0 of 2 samples")
    becomes(tab, shown, [])
    assert "gevaldi report RUN --limit N" in tab.locator("#none").text_content()
    tab.get_by_text("Show all again").click()
    tab.locator("#count", has_text="2 of 2").wait_for()
    becomes(tab, fragment, "")
    for other in ("second=99", "first=9999", "order=sideways"):
        tab.goto("about:blank")
        tab.goto(f"{address}#{other}")
        becomes(tab, count, "0 of 2 samples")
        tab.locator('select[name="sort"]').select_option("index")
        becomes(tab, count, "2 of 2 samples")  # what no field holds goes with the first change


@NO_FIGURES
def test_a_link_to_a_sample_that_is_not_on_the_page_says_where_there_are_more(tab: Any, address: str, tmp_path: Path) -> None:
    some = write_report(made(tmp_path, [row(i) for i in range(8)], samples=4), limit=2).as_uri()
    for page, answer in ((some, "gevaldi report RUN --limit N shows more"), (address, "the run has no more")):
        tab.goto(f"{page}#sample-99")
        tab.locator("#missing").wait_for()
        assert tab.locator("#missing").text_content() == f"Sample 99 is not on this page; {answer}."
        assert not tab.locator("#viewer").is_visible()
        choose(tab, "order", "forward")
        tab.locator("#missing").wait_for(state="hidden")


@pytest.mark.parametrize("way", ["the link", "the keyboard"])
def test_text_that_is_marked_somewhere_keeps_no_sample_from_opening_with_its_filters(tab: Any, address: str, way: str) -> None:
    tab.goto(f"{address}#order=forward")
    tab.evaluate("getSelection().selectAllChildren(document.querySelector('.verdict'))")
    if way == "the link":
        tab.locator("#sample-12 h3 a").click()
    else:
        tab.locator("#sample-12 h3 a").focus()
        tab.keyboard.press("Enter")
    tab.locator("#viewer").wait_for()
    becomes(tab, fragment, "#sample-12&order=forward")
    becomes(tab, count, "20 of 40 samples")


def test_marking_text_on_a_card_opens_nothing(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sort=index&direction=up")
    box = tab.locator("#sample-0 .kind").bounding_box()
    tab.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 90, box["y"] + box["height"] / 2, steps=5)
    tab.mouse.up()
    assert tab.evaluate("String(getSelection()).length") > 3
    assert not tab.locator("#viewer").is_visible()
    tab.locator("#sample-0 .pair").click()
    tab.locator("#viewer").wait_for()


@NO_FIGURES
def test_a_search_of_class_names_leaves_the_way_between_classes_out(tab: Any, tmp_path: Path) -> None:
    run = made(tmp_path, [row(i) for i in range(4)], samples=2)
    address = write_report(run).as_uri()
    path = tmp_path / "report.html"
    html = path.read_text(encoding="utf-8").replace(
        '<dl class="facts">', '<p class="way"><bdi>by carnivore</bdi></p><dl class="facts">'
    )
    path.write_text(html, encoding="utf-8")
    tab.goto(f"{address}#q=carnivore")
    becomes(tab, count, "0 of 4 samples")
    tab.goto(f"{address}#q=eel")
    becomes(tab, count, "4 of 4 samples")


def test_closing_a_sample_that_the_filters_leave_out_leads_to_the_gallery(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sample-3&order=forward")
    tab.keyboard.press("Escape")
    tab.locator("#gallery:focus").wait_for()
    becomes(tab, fragment, "#order=forward")


def test_a_view_can_be_sent_as_its_address(tab: Any, browser: Any, address: str) -> None:
    tab.goto(address)
    choose(tab, "order", "forward")
    tab.locator('select[name="sort"]').select_option("index")
    sent = tab.url
    other = browser.new_page()
    other.goto(sent)
    becomes(tab, shown, shown(other))
    assert other.locator('select[name="order"]').input_value() == "forward"
    other.close()


def test_a_link_to_a_sample_opens_it_and_closing_it_leads_back_to_its_card(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sample-12")
    tab.locator("#viewer").wait_for()
    assert "#12" in tab.locator("#viewer-title").text_content()
    tab.keyboard.press("Escape")
    tab.locator("#viewer").wait_for(state="hidden")
    becomes(tab, fragment, "")
    becomes(tab, focused, "sample-12")


def test_a_sample_opens_by_a_click_and_its_slider_goes_along_the_path(tab: Any, address: str) -> None:
    tab.goto(f"{address}#order=forward&sort=index&direction=up")
    tab.locator("#sample-4 .pair").click()
    becomes(tab, fragment, "#sample-4&sort=index&direction=up&order=forward")
    slider = tab.locator("#slider")
    becomes(tab, step, "step 2 of 2")
    sources = [tab.locator("#frame").get_attribute("src")]
    for left in (1, 0):
        slider.press("ArrowLeft")
        becomes(tab, step, f"step {left} of 2")
        assert f"step {left} of 2" in str(slider.get_attribute("aria-valuetext"))
        sources.append(tab.locator("#frame").get_attribute("src"))
    assert len(set(sources)) == 3
    assert tab.locator("#says-first").text_content() == "cat"
    assert tab.locator("#curves svg").count() == 3
    assert tab.locator("#curves b").all_text_contents()[0] == "0"


def test_the_keyboard_goes_from_sample_to_sample_and_opens_them(tab: Any, address: str) -> None:
    tab.goto(f"{address}#sort=index&direction=up")
    for key in ("j", "j", "ArrowRight", "k"):
        tab.keyboard.press(key)
    becomes(tab, focused, "sample-1")
    tab.keyboard.press("Enter")
    tab.locator("#viewer").wait_for()
    becomes(tab, opened, "sample-1")
    for key, index in (("ArrowRight", 2), ("j", 3), ("ArrowLeft", 2), ("k", 1)):
        tab.keyboard.press(key)
        becomes(tab, opened, f"sample-{index}")
    tab.get_by_role("button", name="Next sample").click()
    becomes(tab, opened, "sample-2")
    tab.get_by_role("button", name="Close").click()
    becomes(tab, fragment, "#sort=index&direction=up")


def test_a_cell_of_the_matrix_leads_to_its_samples(tab: Any, address: str) -> None:
    tab.goto(address)
    cell = tab.locator(".matrix a").first
    number = str(cell.text_content())
    cell.click()
    tab.locator("#count", has_text=f"{number} of 40 samples").wait_for()
    tab.locator("#gallery:focus").wait_for()


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
    assert tab.locator("article.card:visible").count() == SAMPLES
    assert [tab.locator(part).is_visible() for part in ("#filters", "#viewer", "#more", "button >> nth=0")] == [False] * 4
    context.close()


def test_a_telephone_shows_the_page_without_scrolling_sideways(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    for part in ("", "#sample-12"):
        tab.goto(address + part)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.evaluate("document.getElementById('viewer').scrollWidth") <= 390
    tab.close()


@pytest.fixture(scope="module")
def short_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of fewer samples, among them one that failed: what axe takes grows with the page."""
    rows = [row(i, failed=i == 1) for i in range(4)]
    return write_report(made(tmp_path_factory.mktemp("short"), rows, samples=2, real=SOME)).as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of(browser: Any, address: str, short_address: str, scheme: str) -> None:
    tab = browser.new_page(color_scheme=scheme)
    for part in ("order=forward&divergence-from=1.1", "sample-2", "sample-1"):
        tab.goto(f"{short_address}#{part}")
        becomes(tab, lambda tab, part=part: tab.locator("#viewer").is_visible(), "sample" in part)
        assert complaints(tab) == []
    tab.goto(address)
    assert complaints(tab, "#more") == []  # what a short page lacks
    tab.close()


def complaints(tab: Any, part: str | None = None) -> list[str]:
    """The rules of axe that a page or a part of it breaks."""
    from axe_playwright_python.sync_playwright import Axe

    return [found["id"] for found in Axe().run(tab, part).response["violations"]]


def test_axe_finds_nothing_on_the_page_of_a_generator_that_fails_its_audit(browser: Any, tmp_path: Path) -> None:
    run = made(tmp_path, [row(0)], real=SOME)
    run.record["audit"]["generated"].update(known_second=1000, read_first=0)
    tab = browser.new_page()
    tab.goto(write_report(run).as_uri())
    tab.get_by_text("The generator fails its audit.").wait_for()
    assert tab.locator(".notice .strip img").count() == 20
    for width in (390, 1280):
        tab.set_viewport_size({"width": width, "height": 844})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert complaints(tab) == []
    tab.close()


def test_hostile_names_and_addresses_run_nothing_and_move_nothing(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)<b>&#'\""
    folder.mkdir()
    run = made(folder, [row(i, failed=i == 1, name=HOSTILE) for i in range(4)], name=HOSTILE)
    address = write_report(run_of_hostile_words(run)).as_uri()
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
    becomes(tab, shown, list(range(12)))
    tab.locator("#filters").wait_for(state="hidden")
    tab.locator(".printed pre").wait_for()
    assert "samples: 20" in tab.locator(".printed pre").text_content()
    assert not tab.locator("#again ~ details").is_visible()  # nothing is on the paper twice
    tab.emulate_media(media="screen")
    tab.locator(".printed pre").wait_for(state="hidden")


@NO_FIGURES
def test_the_command_is_copied_as_it_is(browser: Any, tmp_path: Path) -> None:
    run = made(tmp_path, [row(0)], samples=1)
    run.record["command"] = "gevaldi compare \u202ea --out <b>"
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.goto(write_report(run).as_uri())
    tab.locator('[data-copy="command"]').click()
    tab.get_by_text("Copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == run.record["command"]
    assert tab.locator(".copied code").first.text_content() == "gevaldi compare \\u202ea --out <b>"
    context.close()


@NO_FIGURES
@pytest.mark.parametrize("width", [390, 1280])
def test_pictures_of_the_strip_stand_where_the_slider_says(browser: Any, tmp_path: Path, width: int) -> None:
    seeds = [1, 2, 3, 4, 5]
    longer = {name: 2 * path for name, path in row(0).items() if name.startswith("path_")}
    longer |= {"path_pictures": [png(seed) for seed in seeds], "path_picture_steps": [0, 1, 2, 4, 5]}
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


def test_axe_finds_nothing_on_a_verdict_of_several_people(browser: Any, tmp_path: Path) -> None:
    from gevaldi.verdicts.answers import Answer
    from gevaldi.verdicts.start import verdict_on
    from test_verdicts import pool_of

    verdict = verdict_on(pool_of([0] * 30, [1] * 20 + [0] * 10), label_error="measured", where=["p1*"])
    verdict.add(
        [Answer(f"p{i}", "dog" if i % k else "cat", name) for k, name in enumerate(("Ada", "Ben", "Cem"), 2) for i in range(9)]
    )
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(verdict.report(tmp_path / "verdict.html").as_uri())
    assert page.locator("text=To discuss").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert complaints(page) == []
    page.close()


def test_axe_finds_nothing_on_a_page_with_regions_and_a_telephone_shows_it_whole(browser: Any, tmp_path: Path) -> None:
    import gevaldi
    from test_regions import Bars, Tall

    pair = gevaldi.compare(Tall(), Tall(plant=True), Bars(), out=tmp_path / "run", samples=6, steps=30, audited=10, progress=False)
    pair.regions(2_000, progress=False)
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(pair.report().as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".map circle").count() > 50
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert complaints(page) == []
    link = page.locator("#region-1 a", has_text="of the search")
    number = link.inner_text().split()[0]
    link.click()
    page.locator(
        "#count", has_text=re.compile(rf"^\s*{number} of ")
    ).wait_for()  # the address is followed after the click has returned
    page.close()
