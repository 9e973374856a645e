"""The built documentation site: what links, searches, formulas and pages a reader finds, without a network."""

import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from typing import Any
from urllib.parse import unquote, urljoin, urlparse

import pytest

import gevaldi
from conftest import called
from gevaldi.reports.page import write_report
from test_report_browser import browser  # noqa: F401
from test_reports import made, row

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
LOOKED_AT = ("index", "two-checkpoints", "mathematics", "architecture", "reference/taxonomy")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, with the report of two rows that nobody computed in the place of the demo's."""
    folder = tmp_path_factory.mktemp("docs")
    report = write_report(made(folder / "run", [row(0), row(1)], samples=1))
    words = [sys.executable, str(ROOT / "docs" / "site" / "build.py"), "--out", str(folder / "built"), "--report", str(report)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr  # also where a link leads nowhere
    return folder / "built" / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> "dict[str, Page]":
    """Every page but reports, which other tests read, and the page of a server that found none."""
    paths = [path for path in site.rglob("*.html") if path.name != "404.html" and path.parent.name != "demo"]
    return {path.relative_to(site).as_posix(): Page(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class Page(HTMLParser):
    """What a page links to, loads and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.links, self.loads, self.anchors = text, set[str](), set[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {name for key in ("id", "name") if (name := found.get(key))}
        if tag == "a" and found.get("href"):
            self.links.add(str(found["href"]))
        elif source := found.get("src") or (found.get("href") if tag == "link" else None):
            self.loads.add(source)


def test_every_link_of_the_site_leads_to_a_page_and_an_anchor_that_exist(site: Path, pages: dict[str, Page]) -> None:
    broken = []
    for name, page in pages.items():
        for target in page.links | page.loads:
            parts = urlparse(urljoin(f"site:///{name}", target) if not urlparse(target).scheme else target)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            path = unquote(urlparse(urljoin(f"http://site/{name}", target)).path).lstrip("/")
            anchor = unquote(parts.fragment)
            if not (site / path).is_file() or (anchor and path in pages and anchor not in pages[path].anchors):
                broken.append((name, target))
    assert broken == []


def test_no_page_names_a_script_a_style_or_a_picture_of_another_machine(pages: dict[str, Page]) -> None:
    assert {name: page.loads for name, page in pages.items() if any(urlparse(one).netloc for one in page.loads)} == {}


def test_the_navigation_of_the_home_page_reaches_every_page(pages: dict[str, Page]) -> None:
    assert set(pages) <= {normpath(urlparse(link).path) for link in pages["index.html"].links} | {"index.html"}
    written = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"tutorial", "changelog", "benchmarks"}
    assert {f"{name}.html" for name in written} <= set(pages)


def test_no_formula_and_no_diagram_is_left_to_a_script_from_elsewhere(pages: dict[str, Page]) -> None:
    formulas = len(
        re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8"), re.DOTALL)
    )
    assert pages["mathematics.html"].text.count("<math ") == formulas > 50
    for name, page in pages.items():
        assert not re.search(r'class="arithmatex"|class="mermaid"|\\(frac|sum|lambda)\b', page.text), name


def test_every_public_name_and_every_command_has_its_place_in_the_reference(pages: dict[str, Page], tmp_path: Path) -> None:
    assert {name.lower() for name in gevaldi.__all__} <= pages["reference/python.html"].anchors
    commands = re.findall(r"^  (\w+)  +\S", called(tmp_path, "--help").stdout.partition("Commands:")[2], re.MULTILINE)
    assert len(commands) > 15
    assert {f"gevaldi-{name}" for name in commands} <= pages["reference/commands.html"].anchors


def test_the_first_screen_of_home_asks_the_readmes_question_and_shows_the_report(site: Path, browser: Any) -> None:  # noqa: F811
    question = re.search(r"^\*\*(.+)\*\*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert question
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / "index.html").as_uri())
    for words in (question[1], "Which one is better?", "Where do they disagree?", "How serious is a disagreement?"):
        shown = page.get_by_text(words, exact=True).bounding_box()
        assert shown["y"] + shown["height"] < 900, words
    frame = page.frame_locator("figure.demo iframe")
    assert frame.locator("h1").count() == 1
    page.close()


def test_a_search_without_a_server_or_a_network_finds_the_page_of_a_word(site: Path, browser: Any) -> None:  # noqa: F811
    page = browser.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url) if request.url.startswith("http") else None)
    page.goto((site / "gate.html").as_uri())
    page.keyboard.press("Control+k")
    page.wait_for_function("document.activeElement.shadowRoot ?? document.activeElement.matches('input, div')")
    page.keyboard.type("Krippendorff")
    page.get_by_text("Do people agree?").first.wait_for()
    assert elsewhere == []
    page.close()


def test_axe_finds_nothing_on_the_pages_of_the_site(address: str, browser: Any) -> None:  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    for name in LOOKED_AT:
        page.goto(f"{address}{name}.html", wait_until="load")
        for scheme, options in (("light", {"resultTypes": ["violations"]}), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)  # which changes colours, and nothing else
            found = Axe().run(page, options=options)
            assert found.violations_count == 0, found.generate_report()
    page.close()


def test_no_page_is_wider_than_a_telephone(address: str, browser: Any) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 390, "height": 844})
    for name in LOOKED_AT:
        page.goto(f"{address}{name}.html", wait_until="load")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    page.close()
