"""The page, from synthetic rows: true numbers, hostile names, runs that are not complete."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from report_page import natural
from scipy import stats

from conftest import record, written_again
from gevaldi.measures.confusion import confusion_of, depth_first
from gevaldi.measures.kinds import Scale, kind
from gevaldi.measures.paths import band
from gevaldi.measures.summary import summaries
from gevaldi.names import full_name, told_apart
from gevaldi.reports import pictures as embedding
from gevaldi.reports.evaluation import cards, on_first_screen
from gevaldi.reports.experiment import write_overview
from gevaldi.reports.numbers import typicality
from gevaldi.reports.page import render, write_report
from gevaldi.reports.samples import finer, in_turns
from gevaldi.reports.search_path import in_page, thinned
from gevaldi.reports.sections import registry
from gevaldi.reports.sections.base import Report, section
from gevaldi.reports.typical import at_edge, typicalities
from gevaldi.runs.store.pictures import content_of
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec, write_spec
from gevaldi.statistics.intervals import median, share
from gevaldi.taxonomy import taxonomy_of

SCRIPT = files("gevaldi.reports").joinpath("templates", "page.js").read_text(encoding="utf-8")
HOSTILE = "<script>alert('x')</script>\u202e\"&" + "y" * 10_000


def png(seed: int, size: int = 28) -> dict[str, Any]:
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size, size), dtype=np.uint8)).save(sink, "PNG")
    return {"bytes": sink.getvalue(), "path": None}


def prediction(*names: str) -> list[dict[str, Any]]:
    return [{"label": ord(n[0]), "name": n, "id": None, "probability": 0.5 / (i + 1)} for i, n in enumerate(names)]


def row(index: int, failed: bool = False, name: str = "cat", size: int = 28) -> dict[str, Any]:
    common = {"index": index, "seed": index, "order": ("forward", "reverse")[index % 2], "condition": 0, "condition_name": name}
    if failed:
        return common | {"status": "failed", "error": f"RuntimeError: {HOSTILE}", "steps": 0}
    values = {f"{key}_{stage}": 0.1 * index + (stage == "end") for key in ("divergence", "log_prior") for stage in ("start", "end")}
    found = (
        common
        | values
        | {
            "status": "converged",
            "steps": 2,
            "typicality_start": 0.5,
            "typicality_end": 0.9 if index % 3 else 0.9995,
            "delta_z": 0.2,
        }
        | {
            "first_start": prediction(name, "dog"),
            "first_end": prediction("dog", name) if index % 4 == 0 else prediction(name, "dog"),
        }
        | {"second_start": prediction(name, "dog"), "second_end": prediction("eel", name)}
        | {"picture_start": png(index, size), "picture_end": png(index + 1, size), "z_start": [0.0], "z_end": [1.0]}
        | {"path_pictures": [png(index + i, size) for i in (0, 2, 1)], "path_picture_steps": [0, 1, 2], "step_end": 2}
        | {"path_divergence": [0.0, 0.5, 1.0], "path_log_prior": [0.0] * 3, "path_delta_z": [0.0, 0.1, 0.2]}
        | {"path_first": [[ord(name[0])], [ord(name[0])], [ord("d")]], "path_second": [[ord(name[0])], [ord("e")], [ord("e")]]}
        | {"target_classes": [ord(name[0])], "survives_storage": index % 3 > 0}
        | {f"target_{side}_{stage}": 0.5 for side in ("first", "second") for stage in ("start", "end")}
        | {f"set_distance_{n}_{stage}": index + n + (stage == "end") for n in (1, 3) for stage in ("start", "end")}
        | {f"path_set_distance_{n}": [index + n, index + n + 1, index + n + 1] for n in (1, 3)}
    )
    return found | kind(found, Scale(np.full((256, 256), 10) - 10 * np.eye(256, dtype=int)))


OUTCOMES = {  # of real pictures: what the first says, and the second, of a cat
    "both_right": ("cat", "cat"),
    "only_first": ("cat", "dog"),
    "only_second": ("dog", "cat"),
    "both_wrong_alike": ("dog", "dog"),
    "both_wrong_differently": ("dog", "eel"),
}


def pictures(text: str = "cat", **counts: int) -> list[dict[str, Any]]:
    """The rows of `audit.parquet` for ten drawn pictures, and real ones of a class with these outcomes; `unknown` is of none."""
    ends = [(*OUTCOMES.get(outcome, ("cat", "dog")), outcome != "unknown") for outcome, many in counts.items() for _ in range(many)]
    rows: list[dict[str, Any]] = []
    for kind_of, some in (("drawn", [("cat", "cat", False)] * 10), ("real", ends)):
        for i, (first, second, known) in enumerate(some):
            own = {"kind": kind_of, "index": i, "name": text, "class": text if known or kind_of == "drawn" else None}
            for side, said in (("first", first), ("second", second)):
                named_so = {"label": ord(said[0]), "class": text if said == "cat" else f"{said} {text}", "probability": 0.75}
                named_so |= {"right": said == "cat" if known else None, "log_truth": -0.25 if known else None}
                own |= {f"{side}_{key}": value for key, value in (named_so | {"resized": ord(said[0])}).items()}
            rows.append(own | {"picture": png(i)})
    return rows


def evaluation(text: str = "cat", unknown: int = 0, **counts: int) -> dict[str, Any]:
    """What `run.json` says of the same pictures."""
    every = dict.fromkeys(OUTCOMES, 0) | counts
    known, differ = sum(every.values()), every["only_first"] + every["only_second"] + every["both_wrong_differently"] + unknown
    sides = {}
    for side in ("first", "second"):
        right = every["both_right"] + every[f"only_{side}"]
        curve = [{"pictures": known, "confidence": 0.75, "right": right}] if known else []
        sides[side] = {"official": side == "first", "right": right, "right_resized": right, "log_loss": 0.25 if known else None}
        sides[side] |= {"calibration_error": 0.1 if known else None, "temperature": None, "reliability": curve}
    by_class = [{"class": text, "pictures": known, **every}] if every["both_right"] < known else []
    whole = {"name": text, "pictures": known + unknown, "differ": differ, "known": known, "by_class": by_class}
    return whole | every | sides


SOME = {"both_right": 20, "only_first": 7, "only_second": 3, "both_wrong_alike": 2, "both_wrong_differently": 4, "unknown": 5}


def made(
    folder: Path, rows: list[dict[str, Any]], samples: int = 8, name: str = "a:first", real: dict[str, int] | None = None
) -> Run:
    """A run of these rows, and of real pictures with these outcomes."""
    model = record()["models"]["first"]
    audited = {"pictures": 1000, "disagreements": 11, "confidence_first": 0.9, "confidence_second": 0.8, "divergence_mean": 0.1}
    read = {"known_first": 1000, "read_first": 990, "known_second": 0, "read_second": 0}
    whole = record(
        models={"first": model | {"name": name}, "second": model | {"name": "a:second"}, "generator": model | {"name": "g"}},
        audit={"generated": audited | {"name": "g", **read}, "real": None},
        warnings=[HOSTILE],
        taxonomy={
            "name": "zoo",
            "convention": "published",
            "set_sizes": [1, 3],
            "mean_edges": 10.0,
            "classes": [],
            "sha256": "0" * 64,
            "by_chance": {"levels": 4.5, "lateral": 0.6},
        },
    )
    seen = None
    if real is not None:
        seen = content_of(pictures(**real))
        whole |= {"evaluation": evaluation(**real), "pictures": {"sha256": hashlib.sha256(seen).hexdigest()}}
    run = Run.create(folder, Spec(first="a", second="b", generator="g", samples=samples), whole, pictures=seen)
    run.append(rows)
    return run


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.words += data


NO_LINES = ("gevaldi.reports.sections.overview._figures", lambda report: {"figures": {}, "distance_figures": {}})


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines over the steps take half the time of a page."""
    monkeypatch.setattr(*NO_LINES)


NO_FIGURES = pytest.mark.usefixtures("without_figures")


@NO_FIGURES
def test_the_most_probable_disagreement_comes_first_in_a_card_and_can_be_sorted_by(tmp_path: Path) -> None:
    rows = [row(i) for i in range(4)]
    rows[1] |= {"probable_differs": True, "picture_probable": png(9), "typicality_probable": 0.125, "log_prior_probable": -2.0}
    rows[1] |= {"first_probable": prediction("cow"), "second_probable": prediction("hen")}
    rows[2] |= {"probable_differs": False}
    text = render(made(tmp_path / "run", rows))
    cards = {i: text.partition(f'id="sample-{i}"')[2].partition("</article>")[0] for i in range(4)}
    assert [re.findall("<figcaption>(.*?)</figcaption>", cards[i]) for i in (0, 1)] == [
        ["before", "after"],
        ["most probable", "before", "after"],
    ]
    assert all(word in cards[1] for word in ("cow", "hen", "0.125"))
    assert '<option value="probable">' in text
    assert re.findall(r'id="sample-(\d)"', text)[0] == "1"  # and it is the first card
    words = Page(text).words.replace("\u00a0", " ")
    assert (
        "(reverse) was found for 1 of 1 sample (too few for an interval). Median typicality: 0.125; after the search 0.9" in words
    )
    assert "(forward) was found for 0 of 1 sample (too few for an interval)." in words


@NO_FIGURES
def test_every_sample_is_on_the_page_with_its_pictures_and_failed_ones_with_their_error(tmp_path: Path) -> None:
    page = Page(render(made(tmp_path, [row(i, failed=i == 5) for i in range(16)])))
    assert {a["id"] for tag, a in page.tags if tag == "article"} == {f"sample-{i}" for i in range(16)}
    pictures = [a["src"] for tag, a in page.tags if tag == "img" and a["alt"]]
    assert len(pictures) == 30 + 6  # six at their ends stand on the first screen too
    assert all(str(source).startswith("data:image/") for source in pictures)
    assert page.words.count("Failed.") == 1


def test_the_sentences_say_the_shares_that_the_rows_have(tmp_path: Path) -> None:
    found = {s.order: s for s in summaries(made(tmp_path, [row(i, failed=i == 5) for i in range(16)]).each())}
    assert (found["forward"].samples, found["forward"].failed, found["reverse"].failed) == (8, 0, 1)
    assert found["forward"].differ_start.value == 0
    assert found["forward"].differ_end.value == 1
    assert found["forward"].left_first is not None
    assert found["forward"].left_first.value == 4 / 8  # 0, 4, 8, 12 of the even ones
    assert found["forward"].typicality.value == np.float32(0.9)  # 0, 6, 12 of the even ones are outside
    assert found["reverse"].divergence_end.value == pytest.approx(np.median([0.1 * i + 1 for i in (1, 3, 7, 9, 11, 13, 15)]))


@NO_FIGURES
def test_how_serious_the_differences_are_is_said_with_the_numbers_that_the_rows_have(tmp_path: Path) -> None:
    run = made(tmp_path, [row(i, failed=i == 5) for i in range(16)])
    found = {s.order: s for s in summaries(run.each())}
    ends = [i + 1 + 1 for i in range(0, 16, 2)]
    assert found["forward"].set_distance_end[1].value == np.mean(ends)
    half = stats.t.ppf(0.975, 7) * np.std(ends, ddof=1) / np.sqrt(8)
    assert found["forward"].set_distance_end[1].high == pytest.approx(np.mean(ends) + half)
    assert found["forward"].kinds == {("second", "lateral"): 4, ("both", "lateral"): 4}
    assert found["reverse"].kinds == {("second", "lateral"): 7}
    assert found["forward"].passages == {("both", "first"): 4, ("both", "neither"): 4}
    page = Page(render(run)).words
    assert "In the forward order their top classes end 9.0 levels (95\u00a0% interval 4.9 to 13.1) apart" in page
    assert "the first alone flips on 0 of 8, the second alone on 4 of 8, both on 4 of 8; 8 of 8 are lateral shifts" in page
    assert "only 0 classes are compared, so" in page  # n = 5 of the spec, which the synthetic record does not follow
    assert "the second flipped, lateral · both right → only the first right" in page


@NO_FIGURES
def test_a_single_sample_has_a_distance_but_no_interval(tmp_path: Path) -> None:
    page = Page(render(made(tmp_path, [row(0)], samples=1))).words
    assert "end 2.0 levels apart" in page
    assert "nan" not in page


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    run = made(tmp_path, [row(i, failed=i == 1, name=HOSTILE) for i in range(4)], name=HOSTILE)
    text = render(run_of_hostile_words(run))
    page = Page(text)
    assert [a.get("type", "it runs") for tag, a in page.tags if tag == "script"] == ["application/json"] * 5 + ["it runs"]
    assert all(isinstance(json.loads(held), dict) for held in page.scripts[:-1])
    assert page.scripts[-1] == SCRIPT
    assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)]
    assert "<script>alert" in page.words
    assert "The generator fails its audit." in page.words
    assert page.words.count("shows <script>alert") == 14 + 6  # below the real pictures, and on the first screen
    gallery = text[text.index("<article") : text.index('id="overview"')]
    assert "\u202e" not in text
    assert page.words.count("gevaldi compare \\u202e <script>alert") == 1  # where a reader must see what he would run
    assert "second: \\u202ebad" in page.words
    assert json.loads(page.scripts[-2])["copied"] == {"command": run.record["command"], "spec": write_spec(hostile_spec(run))}
    assert "y" * 300 not in gallery
    assert "y" * 100 not in gallery.split("Failed.")[0]


def hostile_spec(run: Run) -> Spec:
    return run.spec.model_copy(update={"second": "\u202ebad"})


def run_of_hostile_words(run: Run) -> Run:
    """With a hostile text wherever the record holds words that come from a user, a package or a machine."""
    record = run.record
    record["command"] = "gevaldi compare \u202e <script>alert(1)</script>"
    record["divergence"] |= {"summary": HOSTILE, "unit": HOSTILE[:40], "name": HOSTILE}
    record["taxonomy"]["name"] = record["device"] = HOSTILE
    record["about"] = {"title": HOSTILE, "note": HOSTILE, "author": HOSTILE}
    seen = content_of(pictures(HOSTILE, **SOME))
    record |= {"evaluation": evaluation(HOSTILE, **SOME), "pictures": {"sha256": hashlib.sha256(seen).hexdigest()}}
    record["audit"]["generated"] |= {"read_first": 0, "known_second": 1000}  # the generator fails, and what it drew is shown
    record["versions"][HOSTILE] = HOSTILE
    for model in record["models"].values():
        model |= {"note": HOSTILE, "sha256": HOSTILE}
    distance = {"value": 0.1, "low": 0.0, "high": 0.2}
    record["audit"]["kernel_distance"] = distance | {"features": HOSTILE, "generated": 9, "real": 9, "among_real": distance}
    content = {key: value for key, value in record.items() if key not in ("format", "fingerprint", "spec")}
    hostile = Run.create(run.folder / "hostile", hostile_spec(run), content, pictures=seen)
    hostile.append(list(run.each()))
    return hostile


LONG = "python:/home/me/projects/" + "deep/" * 40


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("bundled:mnist-strided", "bundled:mnist-pooled", ("mnist-strided", "mnist-pooled")),
        ("bundled:a", "quantised:bundled:a,bits=3", ("bundled:a", "quantised:bundled:a")),
        (LONG + "old.py:model", LONG + "new.py:model", ("old.py:model", "new.py:model")),
        ("torchvision:resnet50,weights=a", "torchvision:resnet50,weights=b", ("resnet50,weights=a", "resnet50,weights=b")),
        ("python:m.py:load,file=runs/old.pt", "python:m.py:load,file=runs/new.pt", ("old.pt", "new.pt")),
        ("timm:a,weights=old.pt,classes=9", "timm:a,weights=new.pt,classes=9", ("old.pt", "new.pt")),
        (
            "timm:a,weights=old.pt,classes=9",
            "timm:a,weights=new.pt,classes=8",
            ("a,weights=old.pt,classes=9", "a,weights=new.pt,classes=8"),
        ),
        ("onnx:/a/run1/model.onnx", "onnx:/a/run2/model.onnx", ("run1/model.onnx", "run2/model.onnx")),
        ("object:old", "object:new", ("old", "new")),
        ("bundled:a", "bundled:a", ("a", "a")),
    ],
)
def test_two_names_are_as_short_as_can_be_told_apart(first: str, second: str, expected: tuple[str, str]) -> None:
    assert told_apart(first, second) == expected
    assert told_apart(second, first) == expected[::-1]


@given(*[st.text(st.sampled_from("ab:/\\,(.\u202e\n"), max_size=80)] * 2, st.text(st.sampled_from("ab:/,"), max_size=80))
def test_two_names_that_differ_still_do_when_they_are_short(first: str, second: str, begin: str) -> None:
    short = told_apart(begin + first, begin + second)
    assert max(map(len, short)) <= 40
    assert (short[0] == short[1]) == (full_name(begin + first) == full_name(begin + second))
    assert not set("".join(short)) & set("\u202e\n")


@NO_FIGURES
def test_the_page_tells_the_two_apart_wherever_it_names_them_and_has_their_full_names_once(tmp_path: Path) -> None:
    run = made(tmp_path, [row(i) for i in range(16)])
    for side, file in (("first", "old.py:model"), ("second", "new.py:model")):
        run.record["models"][side]["name"] = LONG + file
    text = render(run)
    page = Page(text)
    assert "<title>old.py:model vs new.py:model · GeValDi</title>" in text
    assert "This run does not show whether old.py:model or new.py:model is better." in page.words
    assert "After the search for pictures that old.py:model is sure of and new.py:model rules out (forward)" in page.words
    assert [page.words.count(LONG + file) for file in ("old.py:model", "new.py:model")] == [1, 1]
    assert LONG in page.words[page.words.index("How to reproduce this run") :]


def test_the_page_of_an_experiment_tells_the_two_apart(tmp_path: Path) -> None:
    run = made(tmp_path / "run", [row(i) for i in range(16)])
    for side, file in (("first", "old.py:model"), ("second", "new.py:model")):
        run.record["models"][side]["name"] = LONG + file
    page = Page(write_overview("title", "question", {"run": run}, {}, tmp_path).read_text(encoding="utf-8"))
    assert "old.py:model" in page.words
    assert "new.py:model" in page.words
    assert LONG not in page.words


def test_near_one_a_typicality_has_as_many_digits_as_tell_it_from_its_neighbour() -> None:
    shown = [0.62, 0.9, 0.9989, 0.99905, 0.9994, 0.9996, float(np.float32(0.999)), 1.0, 0.9999999, None, float("nan")]
    assert [typicality(value) for value in shown] == (
        ["0.62", "0.9", "0.9989", "0.99905", "0.9994", "0.9996", "0.999", "1", "> 0.999999", "–", "–"]
    )


@given(st.floats(0.99, 0.99999))
def test_a_typicality_on_the_page_is_near_the_true_one_as_seen_from_one(value: float) -> None:
    assert 1 - float(typicality(value)) == pytest.approx(1 - value, rel=0.06)


@NO_FIGURES
def test_the_page_counts_the_searches_that_end_at_the_edge(tmp_path: Path) -> None:
    run = made(tmp_path, [row(i) | {"typicality_end": 0.9985 if i < 13 else None if i == 13 else 0.5} for i in range(16)])
    assert at_edge(run.each(), 0.999) == {"near": 13, "of": 15}
    assert "13 of 15 searches end within 0.001 of it" in Page(render(run)).words


@NO_FIGURES
def test_real_pictures_on_which_they_part_stand_on_the_page_in_groups_by_who_is_right(tmp_path: Path) -> None:
    text = render(made(tmp_path, [row(i) for i in range(4)], real=SOME))
    first, section = (Page(text[text.index(f'<h2 id="{a}"') : text.index(f'<h2 id="{b}"')]) for a, b in PARTS)
    assert sum(tag == "figure" and a.get("class") == "card" for tag, a in first.tags) == 8
    assert sum(tag == "figure" and a.get("class") == "card" for tag, a in section.tags) == 7 + 3 + 4 + 5
    places = [
        section.words.index(title)
        for title in ("Only the first is right", "Only the second is right", "Both are wrong, with different answers")
    ]
    assert places == sorted(places)
    for words, right in (("first: cat (0.75) ✓", 7), ("second: cat (0.75) ✓", 3), ("first: dog (0.75) ✗", 3 + 4)):
        squeezed = " ".join(section.words.split()).replace("dog cat", "dog")
        assert squeezed.count(words) == right


PARTS = (("answer", "real"), ("real", "gallery"))


def test_of_more_real_pictures_than_fit_on_the_page_each_group_has_its_share(tmp_path: Path) -> None:
    shown = cards(pictures(only_first=100, only_second=3, both_wrong_differently=40, unknown=40, both_right=9))
    assert len(shown) == 48
    assert Counter(card["group"] for card in shown) == {"first": 15, "second": 3, "neither": 15, "unknown": 15}
    assert Counter(card["group"] for card in on_first_screen(shown)) == {"first": 2, "second": 2, "neither": 2, "unknown": 2}
    assert len(on_first_screen(cards(pictures(only_first=100)))) == 8


@NO_FIGURES
def test_a_page_without_real_pictures_begins_with_what_a_search_found_and_says_that_it_decides_nothing(tmp_path: Path) -> None:
    text = render(made(tmp_path, [row(i) for i in range(8)], samples=4))
    first = Page(text[: text.index('<h2 id="real"')])
    assert "A search shows where two classifiers differ, never which is better." in first.words
    assert "11 of 1,000" in first.words  # drawn pictures of its audit
    assert sum(tag == "img" for tag, _ in first.tags) == 6


@NO_FIGURES
def test_a_print_speaks_of_the_first_twelve_only_where_there_are_more(tmp_path: Path) -> None:
    for count in (12, 14):
        page = Page(render(made(tmp_path / str(count), [row(i) for i in range(count)], samples=count // 2))).words
        assert ("On paper: the first 12 of 14 samples" in page) == (count == 14)


def test_the_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    page = Page(render(made(tmp_path, [row(i) for i in range(4)])))
    addresses = [v for _, a in page.tags for k, v in a.items() if k in ("src", "href", "srcset", "data", "action", "xlink:href")]
    assert addresses
    assert all(str(v).startswith(("data:", "#")) for v in addresses)


@NO_FIGURES
def test_a_run_that_is_not_complete_says_so(tmp_path: Path) -> None:
    assert "not complete: 3 of 16 rows" in render(made(tmp_path / "a", [row(i) for i in range(3)]))
    assert "not complete" not in render(made(tmp_path / "b", [row(i) for i in range(4)], samples=2))


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_and_two_hundred_samples_stay_small(tmp_path: Path) -> None:
    page = render(made(tmp_path / "200", [row(i) for i in range(200)], samples=100))
    assert len(page.encode()) < 2_000_000
    few = made(tmp_path / "4", [row(i) for i in range(4)], samples=2)
    assert render(few) == render(few)


@NO_FIGURES
def test_every_section_is_listed_and_stands_on_the_page_from_top_to_bottom_also_one_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @section("<Mine>", place=45)
    def mine(report: Report) -> str:
        return report.html("<section><h2 id='mine'>{{ text }}</h2></section>", text="<b>")

    entry = SimpleNamespace(load=lambda: mine)
    monkeypatch.setitem(registry._added, "mine", entry)
    page = render(made(tmp_path, [row(0)]))
    places = [page.index(f'href="#{one}"') for one in ("answer", "real", "gallery", "overview", "mine", "trust", "again")]
    places += [page.index(f'id="{one}"') for one in ("answer", "real", "gallery", "overview")]
    places += [page.index("<h2 id='mine'>&lt;b&gt;</h2>"), page.index('id="trust"'), page.index('id="again"')]
    assert places == sorted(places)
    assert '<a href="#mine">&lt;Mine&gt;</a>' in page


@pytest.mark.slow
def test_a_report_needs_no_torch(tmp_path: Path) -> None:
    made(tmp_path, [row(i) for i in range(4)])
    script = (
        "import sys; from gevaldi import Comparison; c = Comparison.open(sys.argv[1]); c.report(); c.rows(); c.best(); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 5000


@NO_FIGURES
def test_the_report_goes_where_it_is_asked_to(tmp_path: Path) -> None:
    assert write_report(made(tmp_path / "run", [row(0)]), tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_the_interval_of_a_share_is_wilsons_and_covers_as_often_as_it_says() -> None:
    assert (share(9, 10).low, share(9, 10).high) == pytest.approx((0.5958, 0.9821), abs=1e-4)  # [Newcombe 1998] gives these
    draws = np.random.default_rng(0).binomial(40, 0.9, 2000)
    inside = [share(int(d), 40).low <= 0.9 <= share(int(d), 40).high for d in draws]
    assert 0.93 < np.mean(inside) < 0.99
    assert np.isnan(share(0, 0).value)


@given(st.integers(1, 3000), st.data())
def test_intervals_are_those_of_scipy(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (share(successes, trials).low, share(successes, trials).high) == pytest.approx(tuple(expected), abs=1e-12)
    below = max(0, int(stats.binom.ppf(0.025, trials, 0.5)) - 1)
    found = median(list(range(trials)))
    assert (found.low, found.high) == (below, trials - 1 - below)


@pytest.mark.parametrize("count", [8, 25, 64])
def test_the_interval_of_a_median_covers_at_least_as_often_as_it_says(count: int) -> None:
    samples = stats.expon.rvs(size=(1500, count), random_state=1)
    found = [median(list(sample)) for sample in samples]
    assert np.mean([m.low <= np.log(2) <= m.high for m in found]) > 0.935
    assert np.isnan(median([]).value)


def test_a_path_that_stopped_keeps_its_last_value_in_the_band() -> None:
    assert band([[0, 1], [0, 2, 3], [0, 2, 9]]).middle.tolist() == [0, 2, 3]
    assert band([[0, 1]], length=4).middle.tolist() == [0, 1, 1, 1]


def test_rows_of_an_older_version_render(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run = made(tmp_path, [row(i, failed=i == 5) for i in range(16)])
    (part,) = (tmp_path / "samples").iterdir()
    newer = (
        "path_",
        "set_distance",
        "target_",
        "right_",
        "picture_original",
        "survives_storage",
        "flipped",
        "shift",
        "both_more_confident",
        "step_end",
    )
    whole = pq.read_table(part)
    written_again(part, whole.select([c for c in whole.column_names if not c.startswith(newer) or c == "path_divergence"]))
    page = Page(render(run))
    assert {a["id"] for tag, a in page.tags if tag == "article"} == {f"sample-{i}" for i in range(16)}
    paths = [json.loads(text) for text in page.scripts[:15]]
    assert [path["strip"] for path in paths] == [None] * 15
    assert [path["frames"] for path in paths] == [[0, 2]] * 15
    assert [path["curves"] for path in paths] == [{"divergence": [0, 0.5, 1]}] * 15


def test_a_run_of_which_all_samples_failed_renders_and_says_so(tmp_path: Path) -> None:
    page = Page(render(made(tmp_path, [row(i, failed=True) for i in range(4)], samples=2)))
    assert "4 samples failed; their errors are at the end of the gallery." in page.words
    assert "Samples that failed: 4 of 4" in page.words
    assert "nan" not in page.words


def test_a_run_without_conditions_hierarchy_or_a_second_order_and_with_numbers_that_are_none_renders(tmp_path: Path) -> None:
    bare: dict[str, Any] = dict.fromkeys(("condition", "condition_name", "right_start", "right_end", "shift"))
    bare |= {"target_classes": [], "order": "forward", "both_more_confident": None}
    bare |= {f"set_distance_{n}_{stage}": None for n in (1, 3) for stage in ("start", "end")}
    rows = [row(i) | bare for i in range(4)]
    nothing = float("nan")
    rows[1] |= {"divergence_end": nothing, "typicality_start": nothing, "typicality_end": nothing, "delta_z": nothing}
    rows[1] |= {"path_divergence": [0.0, nothing, nothing]}
    run = made(tmp_path, rows, samples=4)
    run.record.update(taxonomy=None, audit=None, warnings=[])
    page = Page(render(run))
    assert "It had no real pictures." in page.words
    assert "nan" not in page.words
    sought = json.loads(page.scripts[-2])["samples"]
    assert [s["index"] for s in sought] == [3, 2, 0, 1]  # what is unknown comes last
    assert sought[-1]["divergence"] is None


@NO_FIGURES
@pytest.mark.parametrize("size", [28, 224])
def test_the_strip_holds_the_pictures_between_the_ends_small_ones_to_the_bit(tmp_path: Path, size: int) -> None:
    text = render(made(tmp_path, [row(0, size=size)], samples=1))
    path = json.loads(Page(text).scripts[0])
    strip = Image.open(io.BytesIO(base64.b64decode(path["strip"].split(",")[1])))
    between = Image.open(io.BytesIO(png(2, size)["bytes"]))
    assert path["frames"] == [0, 1, 2]
    assert strip.format == ("PNG" if size == 28 else "WEBP")
    assert (np.asarray(strip) == np.asarray(between)).all() if size == 28 else strip.size == (224, 224)
    assert ("lossy" in Page(text).words) == (size > 64)


@NO_FIGURES
def test_what_the_two_say_along_the_path_stands_beside_its_pictures(tmp_path: Path) -> None:
    path = json.loads(Page(render(made(tmp_path, [row(0)], samples=1))).scripts[0])
    assert path["said"] == [[ord("c"), ord("c")], [ord("c"), ord("e")], [ord("d"), ord("e")]]
    assert path["curves"]["distance"] == [1, 2, 2]


@given(st.integers(0, 5000), st.data())
def test_a_thinned_curve_keeps_its_ends_and_what_is_needed_and_has_at_most_sixty_points(length: int, data: st.DataObject) -> None:
    needed = data.draw(st.lists(st.integers(0, length - 1), max_size=20, unique=True)) if length else []
    points = thinned(length, needed)
    assert len(points) <= 60
    assert points == sorted(set(points))
    assert {*needed, *([0, length - 1] if length else [])} == {*needed, *([points[0], points[-1]] if length else [])}
    assert set(needed) <= set(points) <= set(range(length))


LETTERS = st.sampled_from("<>&\u2028\u2029") | st.characters(exclude_categories=["Cs"])


@settings(max_examples=30)  # which take long to draw
@given(st.recursive(st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.text(LETTERS), st.lists))
def test_data_in_the_page_reads_back_and_cannot_end_its_script(data: Any) -> None:
    text = in_page(data)
    assert json.loads(text) == data
    assert not set(text) & set("<>&\u2028\u2029")


def test_the_matrix_counts_every_sample_once_and_leaves_out_the_rarest_pairs(tmp_path: Path) -> None:
    pairs = [(0, 1)] * 5 + [(1, 0)] * 3 + [(2, 3)] * 2 + [(4, 4)] * 9 + [(0, 5)]
    rows = [{"status": "converged", "first_end": [named(a)], "second_end": [named(b)]} for a, b in pairs]
    rows += [{"status": "failed", "first_end": None, "second_end": None}]
    whole = confusion_of(rows)
    assert whole.counts.sum() == whole.samples == 20
    assert (whole.left_out, whole.classes_left_out, whole.labels) == (0, 0, (0, 1, 2, 3, 4, 5))
    some = confusion_of(rows, limit=4)
    assert (some.labels, some.names) == ((0, 1, 2, 3), ("class 0", "class 1", "class 2", "class 3"))
    assert (some.left_out, some.classes_left_out) == (10, 2)
    assert some.counts[0, 1] == 5


@settings(deadline=None)
@given(st.integers(2, 30), st.randoms(use_true_random=False))
def test_classes_stand_as_a_depth_first_walk_meets_them(count: int, random: Any) -> None:
    edges = [(f"n{i}", f"n{random.randrange(i)}") for i in range(1, count)]
    leaves = sorted({lower for lower, _ in edges} - {upper for _, upper in edges}, key=lambda node: random.random())
    hierarchy = taxonomy_of(leaves, edges)
    graph = nx.DiGraph([(upper, node) for node, above in hierarchy.hypernyms.items() for upper in above])
    walk = [node for node in nx.dfs_preorder_nodes(graph, hierarchy.root) if node in leaves]
    assert [leaves[i] for i in depth_first(hierarchy)] == walk


def test_the_bars_of_typicality_hold_every_sample_and_what_the_prior_would_draw() -> None:
    draws = np.random.default_rng(0).random(1000)
    bars = typicalities([{"typicality_start": float(t), "typicality_end": None} for t in draws])
    assert bars == []
    bars = typicalities([{"typicality_start": float(t), "typicality_end": 0.95} for t in draws])
    assert sum(bar["before"] for bar in bars) == sum(bar["after"] for bar in bars) == 1000
    assert sum(bar["expected"] for bar in bars) == pytest.approx(1000)
    before, expected = (np.array([bar[count] for bar in bars[:10]]) for count in ("before", "expected"))
    assert stats.chi2.sf(((before - expected) ** 2 / expected).sum(), len(before) - 1) > 0.001


@pytest.mark.slow
@NO_FIGURES
def test_forty_samples_of_224_pixels_keep_to_a_fifth_of_eight_million_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "BUDGET", embedding.BUDGET / 5)  # two hundred take as long as they are
    rows = [row(i, size=8) for i in range(40)]
    for found in rows:
        pictures = [natural((found["index"] + i) % 4) for i in range(3)]
        found |= {"picture_original": pictures[0], "picture_start": pictures[1], "picture_end": pictures[2]}
        found |= {"path_pictures": [pictures[i % 3] for i in range(9)], "path_picture_steps": list(range(9))}
    page = render(made(tmp_path, rows, samples=20))
    assert len(page.encode()) < 8_000_000 / 5
    assert "smaller: at most" in page


def named(label: int) -> dict[str, Any]:
    return {"label": label, "name": f"class {label}", "id": None, "probability": 1.0}


def test_a_typicality_that_json_cannot_hold_is_left_out() -> None:
    assert [finer(value) for value in (None, float("nan"), float("inf"), -float("inf"), 0.998877)] == [None] * 4 + [0.99888]


def test_the_gallery_begins_with_the_most_probable_disagreement_of_each_pair_of_classes() -> None:
    def row(index: int, pair: tuple[int, int], log_prior: float | None) -> dict[str, Any]:
        first, second = ([{"label": label}] for label in pair)
        return {"index": index, "first_probable": first, "second_probable": second, "log_prior_probable": log_prior}

    rows = [row(0, (1, 2), -3.0), row(1, (1, 2), -1.0), row(2, (3, 4), -2.0), row(3, (1, 2), None), row(4, (2, 1), 0.0)]
    assert [own["index"] for own in in_turns(rows)] == [4, 1, 2, 0, 3]
