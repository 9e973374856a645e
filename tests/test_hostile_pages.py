"""Every page in a browser, with hostile words wherever a user, a package or a file may put some: they stay words."""

import csv
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
import yaml

from conftest import called
from test_report_browser import browser, tab  # noqa: F401

pytestmark = pytest.mark.slow
SCRIPT, PICTURE = "</title></script><script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>"
EVIL = f"{SCRIPT}\u202e\u2066\x1b[31m{PICTURE}"
NETS = f"""
import torch, gevaldi
from torch import nn

LABELS = [{EVIL!r}, {PICTURE!r}, "javascript:alert(1)", "=HYPERLINK(0)", "-1", "{{{{ 7 * 7 }}}}", "x" * 10_000]

def net(seed=0, title=""):
    torch.manual_seed(seed)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 7)), labels=LABELS).eval()

def broken(title=""):
    raise RuntimeError({EVIL!r} + title + "\\ud800")

def decoder(title=""):
    torch.manual_seed(9)
    made = nn.Sequential(nn.Linear(5, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
    return gevaldi.generator(made, latent=5).eval()

def digits(title=""):
    from gevaldi.classifiers import load_classifier
    return load_classifier("bundled:mnist-strided")
"""
TITLED = f"python:nets.py:{{}},title={PICTURE!r}".replace("\\'", "")
WORDS = {"title": f"{EVIL} title", "question": f"{EVIL}?"}
SETTINGS = {"samples": 2, "audited": 2, "search": {"steps": 2}}
EXPERIMENT = WORDS | {
    "models": {
        "a": "python:nets.py:net", "b": TITLED.format("net,seed=1"), "c": TITLED.format("broken"), "g": TITLED.format("decoder"),
    },
    "settings": SETTINGS | {"generator": "g"},
    "runs": {"a (b) 'c' &amp;": {"first": "a", "second": "b"}, "javascript": {"first": "a", "second": "c"}},
}  # fmt: skip
SWEEP = WORDS | {
    "classifiers": {
        EVIL: "python:nets.py:net", "javascript:alert(1)": TITLED.format("net,seed=1"), "=1+1": TITLED.format("broken"),
    },
    "generator": TITLED.format("decoder"),
    "divergences": ["kl", "jensen-shannon"],
    "settings": SETTINGS,
}  # fmt: skip
COLUMNS = "figure,title,claim,world,verdict,measured,value,low,high,rests_on"
CLAIM = f"{COLUMNS}\n" + ",".join(["javascript:alert(1)", *['"' + EVIL.replace('"', '""') + '"'] * 9])
INJECTED = """
<script>window.ran = 1</script><img src="x:y" onerror="window.ran = 2">
<a id="lured" href="javascript:window.ran = 3" onclick="window.ran = 4">x</a>
<iframe srcdoc="<script>parent.ran = 5</script>"></iframe><form action="https://example.org"><button id="sent">x</button></form>
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands wrote every kind of page."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "nets.py").write_text(NETS)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    (folder / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    assert called(folder, "experiment", "experiment.yaml", "--out", "experiment").returncode == 2
    assert called(folder, "sweep", "sweep.yaml", "--out", "sweep").returncode == 2
    again = folder / "<b>again&"
    again.mkdir()
    (again / "javascript:alert(1)-claims.csv").write_text(CLAIM, encoding="utf-8")  # of somebody else
    (again / "javascript:alert(1).html").touch()
    words = ["--quick", "--world", "digits", "--set", "samples=2", "--set", "search.steps=1", "--set", "audited=2"]
    models = ["--model", f"digits.first={TITLED.format('digits')}"]
    assert called(folder, "reproduce", "figure-2", *words, *models, "--out", again.name).returncode == 0
    return folder


PAGES = {
    "report": "experiment/a (b) 'c' &amp;/report.html",
    "experiment": "experiment/index.html",
    "sweep": "sweep/index.html",
    "reproduction": "<b>again&/figure-2.html",
    "reproductions": "<b>again&/index.html",
}


@pytest.mark.parametrize("page", PAGES)
def test_hostile_words_are_words_on_every_page_and_run_nothing(tab: Any, folder: Path, page: str) -> None:  # noqa: F811
    heard: list[Any] = []
    tab.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    tab.goto((folder / PAGES[page]).as_uri())
    words = tab.locator("body").text_content()
    assert not {"\u202e", "\u2066", "\x1b", "\ud800"} & set(words + tab.title())
    assert "<img src=x onerror=alert(1)>" in words
    if page not in ("report", "reproduction"):  # where names of classes are cut, and titles are not a user's
        assert "<script>alert(1)</script>" in words
    links = {urlsplit(link) for link in tab.locator("a").evaluate_all("links => links.map((link) => link.href)")}
    assert {link.scheme for link in links} == {"file"}
    assert all(Path(unquote(link.path)).is_file() for link in links)
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto((folder / PAGES[page]).as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert heard == []


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_to_complain_of_on_any_page(browser: Any, folder: Path, page: str) -> None:  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    shown = browser.new_page(color_scheme="dark")
    shown.goto((folder / PAGES[page]).as_uri())
    for scheme, width, options in (
        ("dark", 1280, {"runOnly": ["color-contrast"]}),
        ("light", 1280, {"resultTypes": ["violations"]}),
        ("light", 390, {"resultTypes": ["violations"]}),
    ):  # a scheme changes colours, and nothing else
        shown.emulate_media(color_scheme=scheme)
        shown.set_viewport_size({"width": width, "height": 844})
        found = Axe().run(shown, options=options)
        assert found.violations_count == 0, found.generate_report()
    shown.close()


@pytest.mark.parametrize("page", PAGES)
def test_what_somebody_writes_into_a_page_does_not_run_and_asks_for_nothing(browser: Any, folder: Path, page: str) -> None:  # noqa: F811
    written = (folder / PAGES[page]).read_text(encoding="utf-8")
    place = (folder / PAGES[page]).with_name("injected.html")
    place.write_text(written.replace("</body>", f"{INJECTED}</body>"), encoding="utf-8")
    shown = browser.new_page()
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    shown.goto(place.as_uri())
    for lure in ("lured", "sent"):
        shown.locator(f"#{lure}").dispatch_event("click")
        shown.wait_for_timeout(100)
    assert shown.evaluate("window.ran") is None
    assert shown.url.startswith(place.as_uri())
    assert asked == []
    shown.close()


def test_figures_that_are_files_are_xml_whatever_the_names_are(folder: Path) -> None:
    run = PAGES["report"].removesuffix("/report.html")
    for name in ("samples", "filmstrip,index=0", "confusion", "divergence", "typicality"):
        assert called(folder, "figure", run, name, "--format", "svg").returncode == 0
    drawn = [*folder.rglob("*.svg")]
    assert len(drawn) >= 8
    for path in drawn:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert not tags & {"script", "a", "foreignObject", "iframe"}


def test_no_cell_of_a_table_is_a_formula(folder: Path) -> None:
    tables = [path for path in folder.rglob("*.csv") if not path.name.startswith("javascript")]
    assert {"paths.csv", "matrix.csv", "figure-2-claims.csv"} <= {path.name for path in tables}
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                assert [text for text in row if text.startswith(("=", "+", "@", "\t", "\r"))] == []
