"""N classifiers, each against each other: the matrix before any search and after it, what is shared, and what is shown."""

import sys
from collections.abc import Iterator
from copy import deepcopy
from math import ceil, inf, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import binomtest, t
from statsmodels.stats.contingency_tables import mcnemar
from torch import Tensor, nn
from typer.testing import CliRunner

import gevaldi
from conftest import called, small_classifier, small_generator
from gevaldi.alignment import align
from gevaldi.cli.main import app
from gevaldi.cli.matrices import show_matrices
from gevaldi.compute import Compute
from gevaldi.errors import GevaldiError, RunFolderError, SpecError, UnknownName
from gevaldi.experiments import names
from gevaldi.figures import HeatMap, heat_maps
from gevaldi.measures.sweeps import ALL, DRAWN, END, REAL, Entry, PairPredictions, as_csv, entries, seen_in
from gevaldi.models import Classifier, Generator, Label
from gevaldi.reports.sweep.sentences import answer as sentences
from gevaldi.reports.sweep.tables import Matrix, fitting
from gevaldi.reports.sweep.tables import matrices as tables_of
from gevaldi.runs.checks.audit import BATCH
from gevaldi.statistics.intervals import Estimate
from gevaldi.sweeps.execution import Networks, run_sweep
from gevaldi.sweeps.spec import FOLDER, Sweep, is_symmetric, limits_of, read_sweep, short_names, sweep_from
from gevaldi.sweeps.unsearched import before_search, matrices, predictions
from gevaldi.taxonomy import read_taxonomy
from test_report_browser import browser  # noqa: F401
from test_reports import NO_LINES

QUICK: dict[str, Any] = {"samples": 3, "steps": 4, "audited": 20, "progress": False, "device": "cpu", "batch_size": 3}


def seen(divergence: list[float], differ: list[bool], right: list[tuple[bool, bool]]) -> PairPredictions:
    return PairPredictions(range(len(differ)), np.array(divergence), np.array(differ), {}, dict(enumerate(right)))


def numbers(found: list[Entry], row: str, column: str) -> dict[str, Estimate]:
    return {e.quantity: e.estimate for e in found if (e.row, e.column) == (row, column)}


def test_a_cells_numbers_are_those_of_scipy_and_of_a_count_by_hand() -> None:
    values = [0.5, 2.0, 3.5, 1.0, 4.0]
    right = [(True, True), (True, False), (True, False), (False, True), (False, False)]
    found = numbers(entries({("a", "b"): seen(values, [True, True, False, True, False], right)}, "kl", 0.0, END), "a", "b")
    low, high = t.interval(0.95, 4, np.mean(values), np.std(values, ddof=1) / np.sqrt(5))
    assert (found["divergence"].value, found["divergence"].low, found["divergence"].high) == pytest.approx((2.2, low, high))
    for quantity, count in (("disagreement", 3), ("column_alone_wrong", 2), ("row_alone_wrong", 1)):
        interval = binomtest(count, 5).proportion_ci(method="wilson")
        estimate = found[quantity]
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((count / 5, interval.low, interval.high))


PICTURES = st.lists(st.tuples(st.floats(0, 50), st.booleans(), st.tuples(st.booleans(), st.booleans())), min_size=2, max_size=30)


@given(PICTURES)
def test_exchanging_the_two_exchanges_who_is_wrong_and_nothing_else(pictures: list[Any]) -> None:
    there = seen(*map(list, zip(*pictures, strict=True)))
    cells = {("a", "b"): there, ("b", "a"): there.transposed()}
    found = entries(cells, "jensen-shannon", 0.0, REAL)
    one, other = numbers(found, "a", "b"), numbers(found, "b", "a")
    assert one["row_alone_wrong"] == other["column_alone_wrong"]
    assert one["column_alone_wrong"] == other["row_alone_wrong"]
    assert {q: e for q, e in one.items() if "wrong" not in q} == {q: e for q, e in other.items() if "wrong" not in q}
    alone = {e.row: e for e in found if e.column == ALL}
    assert alone["a"].estimate.value == pytest.approx(one["row_alone_wrong"].value)
    assert alone["a"].samples == len(pictures)  # each once, though two cells show it


def test_how_often_one_is_wrong_is_over_all_its_pairs_with_an_interval_over_starts() -> None:
    right = {("a", "b"): [(False, True), (True, True)], ("a", "c"): [(False, True), (False, True)], ("b", "c"): [(True, True)] * 2}
    cells = {pair: seen([1.0, 1.0], [True, True], both) for pair, both in right.items()}
    alone = {e.row: e for e in entries(cells, "kl", 0.0, REAL) if e.column == ALL}
    assert not [e for e in entries(cells, "kl", 0.0, END) if e.column == ALL]  # a search says nothing of it
    low, high = t.interval(0.95, 1, 0.75, np.std([1.0, 0.5], ddof=1) / np.sqrt(2))
    assert alone["a"].estimate == Estimate(0.75, max(0.0, low), min(1.0, high))
    assert alone["a"].samples == 4
    never = binomtest(0, 2).proportion_ci(method="wilson")  # two starts, and not four pictures
    assert (alone["b"].estimate.value, alone["b"].estimate.high) == (0.0, pytest.approx(never.high))


def test_samples_that_failed_are_counted_and_in_no_number() -> None:
    good = {"order": "forward", "status": "converged", "right_end": "second", "divergence_end": 2.0}
    good |= {"first_end": [{"label": 1}], "second_end": [{"label": 2}], "set_distance_1_end": 3.0}
    bad = {"order": "forward", "status": "failed", "seed": 9}
    rows = [good | {"seed": 1}, good | {"seed": 2}, bad, good | {"seed": 1, "order": "reverse", "divergence_end": 7.0}]
    found = entries({("a", "b"): seen_in(rows, "forward", "first")}, "kl", 0.0, END)
    assert {(e.samples, e.failed) for e in found if e.column} == {(2, 1)}
    assert numbers(found, "a", "b")["divergence"].value == 2.0
    assert numbers(found, "a", "b")["set_distance_1"].value == 3.0
    assert numbers(found, "a", "b")["row_alone_wrong"].value == 1.0
    back = entries({("b", "a"): seen_in(rows, "reverse", "second")}, "kl", 0.0, END)
    assert numbers(back, "b", "a")["column_alone_wrong"].value == 1.0  # the second is the row's there, and right


def test_an_infinite_divergence_makes_the_mean_infinite_without_an_interval() -> None:
    found = entries({("a", "b"): seen([1.0, np.inf], [True, True], [])}, "kl", None, DRAWN)
    estimate = numbers(found, "a", "b")["divergence"]
    assert estimate.value == np.inf
    assert np.isnan(estimate.low)


def test_classifiers_are_called_by_the_shortest_that_tells_them_apart() -> None:
    given = ["timm:resnet18.a1", "timm:resnet50.a1,weights=a", "timm:resnet50.a1,weights=b", "old.py:net", "python:old.py:net"]
    assert short_names(given) == [
        "resnet18.a1",
        "resnet50.a1,weights=a",
        "resnet50.a1,weights=b",
        "old.py:net",
        "python:old.py:net",
    ]


def test_a_sweep_is_all_pairs_under_all_divergences_and_weights() -> None:
    asked = Sweep.model_validate(
        {
            "classifiers": ["x:a", "x:b", "x:c"],
            "generator": "x:g",
            "divergences": ["kl", "jensen-shannon"],
            "prior_weights": [0, 0.01],
        }
    )
    pairs = asked.pairs()
    assert len(pairs) == 3 * 2 * 2
    assert pairs["a-vs-c-jensen-shannon-w0.01"].spec.prior_weight == 0.01
    assert pairs["a-vs-b-kl-w0"].spec.searches == ("forward", "reverse")
    assert pairs["a-vs-b-jensen-shannon-w0"].spec.searches == ("forward",)  # it fills both cells
    for pair in pairs.values():
        assert set(pair.cells()) == {(pair.first, pair.second), (pair.second, pair.first)}
    plain = Sweep.model_validate({"classifiers": {"one": "x:a", "two": "x:b"}, "generator": "x:g"})
    assert list(plain.pairs()) == ["one-vs-two-kl-w0"]


BASE: dict[str, Any] = {"classifiers": ["x:a", "x:b"], "generator": "x:g"}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"classifiers": ["x:a"]}, "1 classifier was given; a sweep needs at least two"),
        ({"classifiers": ["x:a", "x:b", "x:a"]}, "x:a is named twice"),
        ({"classifiers": {"a": "x:a", "b": "x:a"}}, "x:a is named twice"),
        ({"classifiers": {"a b": "x:a", "a-b": "x:b"}}, "give the same folder name"),
        ({"classifiers": "x:a"}, "classifiers"),
        ({"settings": {"sampels": 3}}, "'sampels' is unknown.* 'samples'"),
        ({"settings": {"first": "x:c"}}, "'first' is not a shared setting of all pairs; set 'classifiers'"),
        ({"settings": {"prior_weight": 0.1}}, "set 'prior_weights' of the sweep"),
        ({"classes": {"c": {"0": None}}}, "there is no classifier 'c' among a, b"),
        ({"divergences": ["kll"]}, "Did you mean 'kl'"),
        ({"prior_weights": [-1]}, "greater than or equal to 0"),
        ({"classifier": []}, "'classifier' is unknown.*A sweep has"),
    ],
)
def test_what_is_wrong_in_a_sweep_is_answered(change: dict[str, Any], answer: str) -> None:
    with pytest.raises(GevaldiError, match=answer):
        sweep_from(BASE | change).pairs()


@pytest.mark.parametrize("name", names(FOLDER))
def test_every_sweep_that_ships_can_be_read(name: str) -> None:
    assert len(sweep_from(read_sweep(name)).pairs()) >= 3
    with pytest.raises(SpecError, match=f"'{name}'"):
        read_sweep(name[:-1])


def test_a_heat_map_has_the_words_in_their_cells_and_nothing_where_there_is_no_number() -> None:
    values = np.array([[np.nan, 2.0], [np.inf, np.nan]])
    drawn = heat_maps(["a", "b"], [[HeatMap("mean", values, [["", "2"], ["∞", ""]])]])
    axes = drawn.axes[0]
    words = {text.get_position(): text.get_text() for text in axes.texts}
    assert {place: word for place, word in words.items() if word} == {(1, 0): "2", (0, 1): "∞"}
    shown = axes.images[0].get_array()
    assert np.ma.filled(shown, np.nan)[0, 1] == 2.0
    assert np.isnan(np.ma.filled(shown, np.nan)).sum() == 3


def test_names_lose_what_all_begin_with_only_where_they_are_too_long() -> None:
    names = ["mnist-strided-1k,seed=0", "mnist-strided-1k,seed=1"]
    assert fitting(names, 30) == names
    assert fitting(names, 10) == ["…seed=0", "…seed=1"]
    assert fitting(["abcdefgh", "abcdefgi"], 4) == ["abc…", "abc…"]


class Counted(Classifier):
    """A classifier that counts what it is shown."""

    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner, self.labels, self.shown = inner, inner.labels, []
        self.eval()

    def forward(self, pictures: Tensor) -> Tensor:
        self.shown.append(len(pictures))
        return self.inner(pictures)


class CountedGenerator(Generator):
    """A generator that counts what it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.made = small_generator(), []
        self.prior, self.conditions = self.inner.prior, self.inner.conditions
        self.eval()

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        self.made.append(len(z))
        return self.inner(z, condition)


def sweep_of(count: int, audited: int) -> Sweep:
    return sweep_from({"classifiers": [f"x:{i}" for i in range(count)], "generator": "x:g", "settings": {"audited": audited}})


@pytest.mark.parametrize("pictures", [120, 150])
def test_the_generator_is_asked_as_often_for_four_classifiers_as_for_two_and_each_sees_every_picture_once(pictures: int) -> None:
    made = []
    for count in (2, 4):
        generator = CountedGenerator()
        classifiers = {str(i): Counted(small_classifier(i)) for i in range(count)}
        specs = [pair.spec for pair in sweep_of(count, pictures).pairs().values()]
        before = before_search(sweep_of(count, pictures), specs, classifiers, generator, torch.device("cpu"))
        assert not before[1]
        passes = ceil(pictures / BATCH)
        assert sum(generator.made[-passes:]) == pictures
        made.append(generator.made)
        shown = [classifier.shown[-passes:] for classifier in classifiers.values()]
        assert shown == [generator.made[-passes:]] * count
        assert all(classifier.shown == classifier.shown[-passes:] for classifier in list(classifiers.values())[1:])
    assert made[0] == made[1]


def test_cells_before_the_search_are_those_of_the_two_classifiers_shown_the_pictures_themselves() -> None:
    """Of classifiers with other label sets, over the classes that each two have in common."""
    names = ("cat", "dog", "ape"), ("ape", "dog", "owl", "cat"), ("owl", "ape", "cat")
    nets = [small_classifier(i, len(own)) for i, own in enumerate(names)]
    for net, own in zip(nets, names, strict=True):
        net.labels = tuple(Label(name, f"n{name}") for name in own)
    pictures = torch.rand(40, 1, 8, 8)
    classifiers = {str(i): net for i, net in enumerate(nets)}
    with torch.no_grad():
        tables = predictions(
            classifiers, [(pictures[:25], [("cat", "ncat")] * 25), (pictures[25:], [("owl", "nowl")] * 15)], lambda done: None
        )
        sweep = sweep_of(3, 40)
        found = matrices(sweep, tables, next(iter(sweep.pairs().values())).spec, None, DRAWN)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            both = align(nets[i], nets[j])
            log_p, log_q = both.first(pictures), both.second(pictures)
            own = numbers(found, str(i), str(j))
            expected = (log_p.exp() * (log_p - log_q)).sum(1).mean().item()
            assert own["divergence"].value == pytest.approx(expected, rel=1e-5)
            assert own["disagreement"].value == pytest.approx((log_p.argmax(1) != log_q.argmax(1)).double().mean().item())
            back = (log_q.exp() * (log_q - log_p)).sum(1).mean().item()
            assert numbers(found, str(j), str(i))["divergence"].value == pytest.approx(back, rel=1e-5)
    judged = {(e.row, e.column): e.samples for e in found if e.quantity == "row_alone_wrong"}
    assert (judged["0", "1"], judged["1", "2"]) == (25, 40)  # the first knows no owl


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.SweepResult:
    """A sweep of three, of which two are equal but for one weight, by less than any number shows."""
    classifiers = {"one": small_classifier(0), "same": deepcopy(small_classifier(0)), "<b>&other": small_classifier(1)}
    with torch.no_grad():
        next(classifiers["same"].parameters())[0, 0] += 1e-6
    folder = tmp_path_factory.mktemp("sweep")
    return gevaldi.sweep(classifiers, small_generator(), out=folder, divergences=("kl", "jensen-shannon"), **QUICK)


@pytest.fixture(scope="module")
def page(three: gevaldi.SweepResult) -> Path:
    """The page of that sweep, beside its figures and reports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*NO_LINES)
        return three.report()


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heat maps take most of the time of a page, and lines half that of a report."""
    monkeypatch.setattr("gevaldi.reports.sweep.page._figures", lambda *given: None)
    monkeypatch.setattr(*NO_LINES)


def test_two_equal_classifiers_have_zero_in_their_cells_before_and_after(three: gevaldi.SweepResult) -> None:
    assert not three.failed
    for stage in (DRAWN, END):
        for divergence in ("kl", "jensen-shannon"):
            for quantity in ("divergence", "disagreement", "row_alone_wrong", "column_alone_wrong"):
                found = three.matrix(quantity, stage, divergence)
                assert found.loc["one", "same"] == pytest.approx(0, abs=1e-6)
                assert found.loc["same", "one"] == pytest.approx(0, abs=1e-6)
                assert np.isnan(np.diag(found)).all()
    assert three.matrix().loc["one", "<b>&other"] > 0.01


def test_the_pair_of_a_classifier_and_its_copy_is_named_and_not_searched_and_the_others_are_run(tmp_path: Path) -> None:
    classifiers = {"one": small_classifier(0), "copy": deepcopy(small_classifier(0)), "other": small_classifier(1)}
    found = gevaldi.sweep(classifiers, small_generator(), out=tmp_path, **QUICK)
    assert list(found.failed) == ["one-vs-copy-kl-w0"]
    assert "one and copy are the same network" in found.failed["one-vs-copy-kl-w0"]
    assert set(found.runs) == {"one-vs-other-kl-w0", "copy-vs-other-kl-w0"}
    assert found.matrix("divergence", DRAWN).loc["one", "copy"] == pytest.approx(0, abs=1e-6)


def test_a_symmetric_divergence_fills_both_cells_from_one_order(three: gevaldi.SweepResult) -> None:
    for quantity in ("divergence", "disagreement"):
        found = three.matrix(quantity, divergence="jensen-shannon").to_numpy()
        assert np.array_equal(found, found.T, equal_nan=True)
    assert {order for name in three.runs if "shannon" in name for order in three.runs[name].rows()["order"]} == {"forward"}


def test_equal_classifiers_are_alike_in_the_rows_and_columns_of_the_others(three: gevaldi.SweepResult) -> None:
    found = three.matrix("divergence")
    assert found.loc["one", "<b>&other"] == pytest.approx(found.loc["same", "<b>&other"], rel=1e-5)
    assert found.loc["<b>&other", "one"] == pytest.approx(found.loc["<b>&other", "same"], rel=1e-5)


def test_what_is_not_in_a_sweep_is_answered_with_what_is(three: gevaldi.SweepResult) -> None:
    for arguments, answer in (
        ({"quantity": "divergenc"}, "Did you mean 'divergence'"),
        ({"stage": "start"}, "stage named 'start'"),
        ({"divergence": "js"}, "jensen-shannon"),
        ({"prior_weight": 0.5}, "0.0"),
    ):
        with pytest.raises(UnknownName, match=answer):
            three.matrix(**arguments)  # type: ignore[arg-type]
    with pytest.raises(RunFolderError, match="no sweep"):
        gevaldi.SweepResult.open(three.folder.parent / "nowhere")
    one = small_classifier(0)
    with pytest.raises(SpecError, match="given twice"):
        gevaldi.sweep([one, one], small_generator())


@pytest.mark.slow
def test_the_table_and_the_frame_say_the_same_and_pages_lead_to_reports_that_there_are(
    three: gevaldi.SweepResult, page: Path
) -> None:
    table = pd.read_csv(three.folder / "matrix.csv", keep_default_na=False, na_values={"value": [""], "prior_weight": [""]})
    own = table[(table.stage == END) & (table.divergence == "kl") & (table.quantity == "divergence")]
    frame = three.matrix()
    for _, line in own.iterrows():
        assert line.value == pytest.approx(frame.loc[line.row, line["column"]], rel=1e-4)
    text = page.read_text()
    assert "<b>&other" not in text
    links = {part.partition('"')[0].partition("#")[0] for part in text.split('href="')[1:]}
    assert {"matrix.csv", "./matrix-kl-w0.png"} <= links
    assert all((three.folder / link).exists() for link in links)
    assert len([link for link in links if link.endswith("report.html")]) == 6
    for run in three.runs.values():
        for _, own in run.rows(["index", "order", "divergence_end"]).groupby("order"):
            assert f"report.html#sample-{own.set_index('index')['divergence_end'].idxmax()}" in text


@pytest.mark.slow
@pytest.mark.usefixtures("page")
def test_the_same_sweep_gives_the_same_figures_and_pages_to_the_byte(three: gevaldi.SweepResult) -> None:
    written = [three.folder / name for name in ("index.html", "matrix.csv", "matrix-kl-w0.png", "matrix-kl-w0.svg")]
    before = [path.read_bytes() for path in written]
    again = gevaldi.SweepResult.open(three.folder)
    again.report()
    assert [path.read_bytes() for path in written] == before
    assert len(again.entries) == len(three.entries)


def test_a_sweep_of_two_has_the_rows_of_the_plain_comparison_and_the_disagreement_of_its_audit(tmp_path: Path) -> None:
    pair, generator = (small_classifier(0), small_classifier(1)), small_generator()
    found = gevaldi.sweep({"a": pair[0], "b": pair[1]}, generator, out=tmp_path / "sweep", **QUICK)
    plain = gevaldi.compare(*pair, generator, out=tmp_path / "plain", goal="most divergent", **QUICK)  # the goal of a sweep
    run = found.runs["a-vs-b-kl-w0"]
    pd.testing.assert_frame_equal(run.rows(), plain.rows())
    audit = plain.run.record["audit"]["generated"]
    assert found.matrix("disagreement", DRAWN).loc["a", "b"] == audit["disagreements"] / audit["pictures"]
    assert found.matrix("divergence", DRAWN).loc["a", "b"] == pytest.approx(audit["divergence_mean"], rel=1e-4)
    for order, cell in (("forward", ("a", "b")), ("reverse", ("b", "a"))):
        own = run.rows()[run.rows()["order"] == order]
        assert found.matrix().loc[cell] == pytest.approx(own["divergence_end"].astype(float).mean())


def test_a_sweep_shows_the_pictures_of_its_audit_to_each_classifier_once_and_records_what_single_comparisons_do(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(0)
    for i in range(12):
        (tmp_path / "real" / str(i % 3)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 255, (8, 8), np.uint8)).save(tmp_path / "real" / str(i % 3) / f"{i}.png")
    settings = QUICK | {"samples": 1, "real": f"folder:{tmp_path / 'real'}"}
    classifiers = {name: Counted(small_classifier(i)) for i, name in enumerate("abc")}
    names = ("2", "0", "1")
    for one, labels in zip(classifiers.values(), (names, names, names[::-1]), strict=True):  # so that c has to be aligned
        one.labels = tuple(Label(f"class {name}", name) for name in labels)
    generator = CountedGenerator()
    found = gevaldi.sweep(classifiers, generator, out=tmp_path / "sweep", divergences=("kl", "jensen-shannon"), **settings)
    assert not found.failed
    # the matrices before the search, and the audits of a with b, and of c
    assert sum(made == settings["audited"] for made in generator.made) == 3
    assert [one.shown.count(settings["audited"]) for one in classifiers.values()] == [2, 2, 2]
    for name, run in found.runs.items():
        pair = found.pairs[name]
        models = classifiers[pair.first], classifiers[pair.second], generator
        orders = {"orders": pair.spec.orders, "divergence": pair.divergence}
        alone = gevaldi.compare(*models, out=tmp_path / "alone" / name, **settings | orders).run.record
        differ = {key for key in alone if alone[key] != run.record[key]}
        assert differ <= {"created", "command", "spec", "fingerprint", "models"}  # which name the objects
        for side in ("first", "second"):
            assert {**alone["models"][side], "name": ""} == {**run.record["models"][side], "name": ""}


@pytest.mark.usefixtures("without_figures")
def test_every_warning_of_a_sweep_is_told_once_with_its_comparisons(tmp_path: Path) -> None:
    grey = gevaldi.generator(Grey().eval(), latent=5).eval()
    classifiers = {name: small_classifier(i) for i, name in enumerate("abc")}
    with pytest.warns(UserWarning, match="nearly of one colour") as caught:
        found = gevaldi.sweep(classifiers, grey, out=tmp_path, **QUICK)
    (told,) = [str(one.message) for one in caught if "nearly of one colour" in str(one.message)]
    assert told.startswith("gevaldi: a-vs-b-kl-w0, a-vs-c-kl-w0 and b-vs-c-kl-w0: The generator's pictures use only")
    page = found.report().read_text()
    assert page.count("nearly of one colour") == 1
    assert "a-vs-b-kl-w0, a-vs-c-kl-w0 and b-vs-c-kl-w0" in page


class Grey(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = small_generator(0)

    def forward(self, z: Tensor) -> Tensor:
        return 0.5 + 0.01 * self.inner(z, torch.zeros(len(z), dtype=torch.long))


NETS = """
import torch, gevaldi
from torch import nn
loaded = []
def net(seed=0, classes=3):
    loaded.append(("net", seed))
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    return gevaldi.classifier(made, labels=classes).eval()
def broken():
    raise RuntimeError("no such weights")
def decoder():
    loaded.append(("decoder", 0))
    torch.manual_seed(9)
    made = nn.Sequential(nn.Linear(5, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
    return gevaldi.generator(made, latent=5).eval()
"""


@pytest.fixture
def by_name(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "nets_of_a_sweep.py").write_text(NETS)
    source = f"python:{tmp_path / 'nets_of_a_sweep.py'}"
    return {"classifiers": {f"n{i}": f"{source}:net,seed={i}" for i in range(3)}, "generator": f"{source}:decoder"}


def loads_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    import gevaldi.classifiers

    loaded: list[str] = []
    real = gevaldi.classifiers.load_classifier

    def counting(given: Any) -> Classifier:
        if isinstance(given, str):
            loaded.append(given)
        return real(given)

    monkeypatch.setattr(gevaldi.classifiers, "load_classifier", counting)
    return loaded


def test_each_network_is_loaded_and_hashed_once_and_not_at_all_where_everything_is_finished(
    by_name: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gevaldi import fingerprints as identity

    hashed: list[Any] = []
    real = identity.hash_of
    monkeypatch.setattr(identity, "hash_of", lambda module: hashed.append(module) or real(module))
    loaded = loads_of(monkeypatch)
    out = tmp_path / "out"
    first = gevaldi.sweep(**by_name, out=out, **QUICK)
    assert not first.failed
    assert sorted(loaded) == sorted(by_name["classifiers"].values())
    assert len(hashed) == len(set(map(id, hashed))) == 4
    again = gevaldi.sweep(**by_name, out=out, **QUICK)
    assert len(loaded) == 3
    assert again.entries == first.entries
    assert again.matrix().equals(first.matrix())


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_what_cannot_be_made_is_told_and_the_others_are_made(by_name: dict[str, Any], tmp_path: Path) -> None:
    source = by_name["generator"].rpartition(":")[0]
    by_name["classifiers"] |= {"lost": f"{source}:broken", "wide": f"{source}:net,seed=7,classes=4"}
    found = gevaldi.sweep(**by_name, out=tmp_path / "out", **QUICK)
    assert set(found.runs) == {"n0-vs-n1-kl-w0", "n0-vs-n2-kl-w0", "n1-vs-n2-kl-w0"}
    assert "no such weights" in found.failed["n0-vs-lost-kl-w0"]
    assert "nothing says which are the same" in found.failed["n0-vs-wide-kl-w0"]
    assert set(found.before.failed) == {"lost"}
    assert np.isfinite(found.matrix("divergence", DRAWN).loc["n0", "n1"])
    assert np.isnan(found.matrix("divergence", DRAWN).loc["n0", "lost"])
    page = found.report().read_text()
    assert "no such weights" in page


def test_a_classifier_that_is_added_leaves_finished_pairs_alone(
    by_name: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = by_name | {"classifiers": {name: by_name["classifiers"][name] for name in ("n0", "n1")}}
    first = gevaldi.sweep(**two, out=tmp_path / "out", **QUICK)
    parts = sorted((tmp_path / "out" / "n0-vs-n1-kl-w0" / "samples").iterdir())
    before = [part.stat().st_mtime_ns for part in parts]
    more = gevaldi.sweep(**by_name, out=tmp_path / "out", **QUICK)
    assert [part.stat().st_mtime_ns for part in parts] == before
    assert more.matrix().loc["n0", "n1"] == first.matrix().loc["n0", "n1"]
    assert np.isfinite(more.matrix("divergence", DRAWN).loc["n0", "n2"])


def test_only_the_pair_that_is_asked_for_is_made(by_name: dict[str, Any], tmp_path: Path) -> None:
    settings = {"samples": 2, "audited": 5, "search": {"steps": 2}}
    sweep = sweep_from({**by_name, "settings": settings})
    told = list(run_sweep(sweep, tmp_path / "out", Networks(), Compute("cpu", 2, progress=False), only=("n1-vs-n2-kl-w0",)))
    assert [found.name for found in told[1:]] == ["n1-vs-n2-kl-w0"]  # type: ignore[union-attr]
    assert not (tmp_path / "out" / "before.json").exists()
    with pytest.raises(SpecError, match="n1-vs-n2-kl-w0"):
        list(run_sweep(sweep, tmp_path / "out", Networks(), Compute(), only=("n1-vs-n3",)))


def small_sweep(out: Path, seed: int = 1, **more: Any) -> gevaldi.SweepResult:
    return gevaldi.sweep({"a": small_classifier(0), "b": small_classifier(seed)}, small_generator(), out=out, **{**QUICK, **more})


def test_numbers_of_an_object_are_not_given_for_another_of_the_same_name(tmp_path: Path) -> None:
    first = small_sweep(tmp_path / "out")
    other = small_sweep(tmp_path / "out", seed=2)
    assert not other.runs
    assert "its weights have changed since" in other.failed["a-vs-b-kl-w0"]
    fresh = small_sweep(tmp_path / "fresh", seed=2)
    pd.testing.assert_frame_equal(other.matrix("disagreement", DRAWN), fresh.matrix("disagreement", DRAWN))
    pd.testing.assert_frame_equal(other.matrix("divergence", DRAWN), fresh.matrix("divergence", DRAWN))
    assert not other.matrix("divergence", DRAWN).equals(first.matrix("divergence", DRAWN))
    kept = gevaldi.SweepResult.open(tmp_path / "out")
    assert kept.entries == first.entries  # and no page has numbers of both


def test_the_same_objects_again_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = small_sweep(tmp_path / "out")
    monkeypatch.setattr("gevaldi.sweeps.unsearched.before_search", lambda *given: pytest.fail("made again"))
    monkeypatch.setattr("gevaldi.experiments.execute.execute", lambda *given: pytest.fail("made again"))
    again = small_sweep(tmp_path / "out")
    assert again.entries == first.entries
    assert again.before == gevaldi.SweepResult.open(tmp_path / "out").before == first.before


def test_numbers_of_a_hierarchy_are_not_given_for_another(tmp_path: Path) -> None:
    classes = [label.name for label in small_classifier(0).labels]
    flat = read_taxonomy({"all": classes})
    deep = read_taxonomy({"all": {f"above {name}": {f"over {name}": [name]} for name in classes}})
    first = small_sweep(tmp_path / "out", taxonomy=deep)
    assert not first.failed
    other = small_sweep(tmp_path / "out", taxonomy=flat)
    assert "another hierarchy" in other.failed["a-vs-b-kl-w0"]
    assert other.before != first.before


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("without_figures")
def test_another_setting_in_the_same_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    small_sweep(tmp_path).report()
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match=r"a-vs-b-kl-w0 was started with others \(samples: 3 there, 2 here\)"):
        small_sweep(tmp_path, samples=2)
    assert content(tmp_path) == before


def test_a_divergence_that_can_be_below_zero_stays_so_in_a_sweeps_matrices_as_in_its_rows(tmp_path: Path) -> None:
    found = small_sweep(tmp_path, divergences="log-odds,this=0,that=1", steps=1)
    drawn = found.matrix("divergence", DRAWN)
    assert drawn.loc["a", "b"] == pytest.approx(-drawn.loc["b", "a"]) != 0  # the difference of two log-odds, either way round
    means = found.runs["a-vs-b-log-odds-this-0-that-1-w0"].rows().groupby("order")["divergence_end"].mean()
    assert found.matrix().loc["a", "b"] == pytest.approx(means["forward"])
    assert found.matrix().loc["b", "a"] == pytest.approx(means["reverse"])
    assert min(means) < 0


def test_another_divergence_or_weight_leaves_finished_pairs_alone(tmp_path: Path) -> None:
    first = small_sweep(tmp_path)
    made = {part: part.stat().st_mtime_ns for part in (tmp_path / "a-vs-b-kl-w0").rglob("*")}
    more = small_sweep(tmp_path, divergences=("kl", "jensen-shannon"), prior_weights=(0.0, 0.01))
    assert {part: part.stat().st_mtime_ns for part in (tmp_path / "a-vs-b-kl-w0").rglob("*")} == made
    assert len(more.runs) == 4
    assert more.matrix().equals(first.matrix())


def test_the_matrix_before_the_search_is_kept_without_those_that_fail_until_they_can_be_loaded(
    by_name: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr("gevaldi.sweeps.unsearched.before_search", lambda *given: calls.append(1) or before_search(*given))
    source = by_name["generator"].rpartition(":")[0]
    by_name["classifiers"] |= {"late": f"{source.replace('nets_of', 'late_nets_of')}:net,seed=5"}
    first = gevaldi.sweep(**by_name, out=tmp_path / "out", **QUICK)
    again = gevaldi.sweep(**by_name, out=tmp_path / "out", **QUICK)
    assert len(calls) == 1
    assert set(again.before.failed) == set(gevaldi.SweepResult.open(tmp_path / "out").before.failed) == {"late"}
    assert again.matrix("divergence", DRAWN).equals(first.matrix("divergence", DRAWN))
    (tmp_path / "late_nets_of_a_sweep.py").write_text(NETS)
    last = gevaldi.sweep(**by_name, out=tmp_path / "out", **QUICK)
    assert len(calls) == 2
    assert not last.before.failed
    assert np.isfinite(last.matrix("divergence", DRAWN).loc["n0", "late"])


def test_memory_that_does_not_suffice_for_all_together_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scarce(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("gevaldi.sweeps.unsearched.before_search", scarce)
    found = small_sweep(tmp_path)
    assert not found.failed
    assert "too little memory for them at once" in found.before.failed["All 2 classifiers together"]


def test_a_folder_that_is_far_away_is_refused_and_none_of_its_name_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "s3fs", None)  # what is not installed is of no use here, so nobody is told to install it
    for out in ("memory://bucket/x", "s3://bucket/x"):
        for call in (lambda out=out: small_sweep(out), lambda out=out: gevaldi.SweepResult.open(out)):  # type: ignore[misc]
            with pytest.raises(RunFolderError, match=rf"{out} is remote.*on this machine"):
                call()
        for words in ("sweep digits", "experiment examples-digits"):
            result = CliRunner().invoke(app, [*words.split(), "--out", out])
            assert "is remote" in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_sweep_into_the_folder_of_a_run_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path, **QUICK)
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match=r"holds a single run \(it has run.json\).*Give a new folder with --out"):
        small_sweep(tmp_path)
    assert content(tmp_path) == before


def in_terminal(*words: str) -> Any:
    return CliRunner().invoke(app, ["sweep", *words])


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_of_each_comparison_it_is_said_beforehand_which_it_is_of_how_many_and_what_a_smaller_sweep_leaves_out_comes_in_again(
    by_name: dict[str, Any], tmp_path: Path
) -> None:
    nets, out = list(by_name["classifiers"].values()), str(tmp_path / "out")
    quick = ["-n", "2", "--set", "search.steps=2", "--set", "audited=5", "--device", "cpu", "--batch-size", "2", "--out", out]
    words = ["-g", by_name["generator"], *quick]
    both = ["--divergence", "kl", "--divergence", "jensen-shannon"]
    whole = in_terminal(*nets, *both, *words)
    assert whole.exit_code == 0, whole.stderr
    pairs = [f"net-seed-{i}-vs-net-seed-{j}-{d}-w0" for d in ("kl", "jensen-shannon") for i, j in ((0, 1), (0, 2), (1, 2))]
    told = [line for line in whole.stderr.splitlines() if line.startswith("gevaldi: ") and "vs" in line and "warning" not in line]
    for number, (name, (next_is, became)) in enumerate(zip(pairs, zip(told[::2], told[1::2], strict=True), strict=True), 1):
        assert next_is == f"gevaldi: {number} of 6: {name}"
        assert became.startswith(f"gevaldi: {name} is in ")
    assert "outside this sweep" not in whole.stderr
    fewer = in_terminal(*nets[:2], *words)
    [notice] = [line for line in fewer.stderr.splitlines() if "outside this sweep" in line]
    assert notice.startswith(f"gevaldi: {out} also holds 5 comparisons outside this sweep: ")
    assert len([name for name in pairs[1:] if name in notice]) == 3
    assert pairs[0] not in notice
    assert " and 2 more; " in notice
    assert notice.endswith(f"the same command with the classifier {nets[2]} and --divergence kl --divergence jensen-shannon.")
    again = in_terminal(*nets, *both, *words)
    assert "outside this sweep" not in again.stderr
    assert again.stdout == whole.stdout
    one = in_terminal(*nets, *both, *words, "--only", pairs[4])
    assert [line for line in one.stderr.splitlines() if " of 1: " in line] == [f"gevaldi: 1 of 1: {pairs[4]}"]


def test_a_pair_that_there_is_not_is_answered_before_anything_is_written(by_name: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="There is no comparison in this sweep named 'foo'"):
        list(run_sweep(sweep_from(by_name), tmp_path / "out", Networks(), Compute(), only=("foo",)))
    assert not (tmp_path / "out").exists()


def test_who_gives_no_generator_is_told_the_option_and_where_the_names_are() -> None:
    said = str(in_terminal("bundled:mnist-strided", "bundled:mnist-pooled").exception)
    assert "--generator" in said
    assert "gevaldi list generators" in said
    assert "A sweep has" not in said


@pytest.mark.parametrize("change", [{"classifiers": ["x:a"]}, {"settings": {"speed": {"threads": 0}}}])
def test_an_answer_begins_with_its_own_words_and_not_with_those_of_a_library(change: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as answer:
        sweep_from(BASE | change).pairs()
    assert "expected" in str(answer.value) or "was given" in str(answer.value)
    assert "Value error" not in str(answer.value)


@pytest.mark.slow
@pytest.mark.usefixtures("page")
def test_the_help_names_a_figure_as_it_is_written(three: gevaldi.SweepResult) -> None:
    said = CliRunner().invoke(app, ["sweep", "--help"], env={"COLUMNS": "200"}).stdout
    assert "matrix-kl-w0.png" in said
    assert (three.folder / "matrix-kl-w0.png").exists()


def test_weights_that_differ_little_have_folders_of_their_own_and_names_that_collide_are_refused() -> None:
    near = sweep_from(BASE | {"prior_weights": [0.1234567, 0.1234568, 0]})
    assert list(near.pairs()) == ["a-vs-b-kl-w0.1234567", "a-vs-b-kl-w0.1234568", "a-vs-b-kl-w0"]
    long = [f"renyi,order=0.5{'0' * 40}{end}" for end in (1, 2)]
    with pytest.raises(SpecError, match="would have the same folder"):
        sweep_from(BASE | {"divergences": long}).pairs()


def test_no_samples_are_answered_as_in_a_comparison() -> None:
    words = "sweep bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae -n 0"
    assert "samples" in str(CliRunner().invoke(app, words.split()).exception)


def entry(row: str, column: str, quantity: str, estimate: Estimate, failed: int = 0, divergence: str = "kl") -> Entry:
    return Entry(divergence, 0.0, END, row, column, quantity, estimate, 10, failed)


def test_failed_samples_of_both_orders_are_counted_and_those_of_one_search_once() -> None:
    one = Estimate(1.0, 0.5, 1.5)
    found = [entry("a", "b", "divergence", one, 1), entry("b", "a", "divergence", one, 2)]
    found += [entry(*cell, "divergence", one, 5, "jensen-shannon") for cell in ("ab", "ba")]
    said = sentences(found, {"kl": "nats", "jensen-shannon": "nats"}, {"jensen-shannon"})
    assert said[-1].startswith("8 samples failed")


def test_one_failed_sample_is_told_in_the_singular() -> None:
    found = [entry("a", "b", "divergence", Estimate(1.0, 0.5, 1.5), 1)]
    assert sentences(found, {"kl": "nats"})[-1].startswith("1 sample failed and is left out of all numbers")


def on_real(only: dict[tuple[str, str], tuple[int, int]], total: int = 100) -> list[Entry]:
    """Both cells of each pair, by on how many real pictures only the first and only the second is right."""
    return [
        Entry("kl", None, REAL, row, column, quantity, Estimate(count / total, 0.0, 1.0), total)
        for (one, other), (first, second) in only.items()
        for row, column, mine, theirs in ((one, other, first, second), (other, one, second, first))
        for quantity, count in (("row_alone_wrong", theirs), ("column_alone_wrong", mine))
    ]


@given(st.integers(0, 40), st.integers(0, 40))
def test_one_of_two_is_said_to_be_right_more_often_exactly_where_mcnemars_test_says_so(first: int, second: int) -> None:
    decided = first + second > 0 and mcnemar([[0, first], [second, 0]], exact=True).pvalue < 0.05
    said = sentences(on_real({("a", "b"): (first, second)}), {"kl": "nats"})[-1]
    better, worse, more, less = ("a", "b", first, second) if first > second else ("b", "a", second, first)
    expected = (
        f"On real pictures, these are right more often: {better} than {worse} (only {better} on {more}, only {worse} on {less})."
    )
    assert said == (expected if decided else "The real pictures do not show which classifier is better.")


def test_more_pairs_need_clearer_counts() -> None:
    two = {("a", "b"): (12, 2)}  # p = 0.013
    assert "a than b" in sentences(on_real(two), {"kl": "nats"})[-1]
    ten = two | {(f"c{i}", f"d{i}"): (3, 3) for i in range(9)}
    assert (
        sentences(on_real(ten), {"kl": "nats"})[-1]
        == "The real pictures do not show which classifier is better in any of the 10 pairs."
    )


def test_of_many_decided_pairs_the_clearest_are_named() -> None:
    said = sentences(on_real({(f"c{i}", f"d{i}"): (0, 20 + i) for i in range(5)}), {"kl": "nats"})[-1]
    assert "d4 than c4 (only d4 on 24, only c4 on 0); d3 than c3" in said
    assert said.endswith("and one of the two in 2 more pairs.")


def test_without_real_pictures_a_sweep_shows_nobody_to_be_better() -> None:
    said = sentences([entry("a", "b", "divergence", Estimate(1.0, 0.5, 1.5))], {"kl": "nats"})
    assert said[0].startswith("The sweep has no real pictures of known classes, so it does not show which classifier is better.")


def test_the_largest_and_smallest_means_are_told_of_each_divergence_and_weight() -> None:
    found = []
    for text, weight, least in (("kl", 0.0, 1.0), ("kl", 0.01, 2.0), ("jensen-shannon", 0.0, 0.25)):
        for cell, value in (("ab", 2 * least), ("bc", least)):
            found.append(Entry(text, weight, END, *cell, "divergence", Estimate(value, 0.0, 9.0), 10))
    said = sentences(found, {"kl": "nats", "jensen-shannon": "nats"}, {"jensen-shannon"})
    for sentence, (begin, end) in zip(
        said[1:],
        (
            ("under λ = 0, the mean kl is largest for a against b: 2 nats", "smallest for b against c: 1."),
            ("under λ = 0.01, the mean kl is largest for a against b: 4 nats", "smallest for b against c: 2."),
            ("under λ = 0, the mean jensen-shannon is largest between a and b: 0.5 nats", "smallest between b and c: 0.25."),
        ),
        strict=True,
    ):
        assert sentence == f"After the search {begin}; it is {end}"


def test_more_classifiers_than_a_terminal_has_room_for_are_told_where_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"n{i}" for i in range(20)]
    sweep = sweep_from({"classifiers": {name: f"x:{name}" for name in names}, "generator": "x:g"})
    found = SimpleNamespace(sweep=sweep, entries=[entry("n0", "n1", "divergence", Estimate(1.0, 0.5, 1.5))])
    show_matrices(found)  # type: ignore[arg-type]
    said = " ".join(capsys.readouterr().out.split())
    assert said == "kl, λ = 0, after the search: the matrices of 20 classifiers are in index.html and matrix.csv"


@pytest.mark.parametrize("width", [36, 40, 60, 80, 120])
def test_no_number_is_cut_however_narrow_the_terminal_is(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = ["a-classifier-of-a-long-name", "another-classifier-of-that-kind", "short"]
    sweep = sweep_from({"classifiers": {name: f"x:{name}" for name in names}, "generator": "x:g"})
    cells = [entry(row, column, "divergence", Estimate(123.4, 100.0, 150.0)) for row in names for column in names if row != column]
    drawn = [Entry("kl", None, DRAWN, name, ALL, "alone_wrong", Estimate(0.211, 0.123, 0.345), 500) for name in names]
    real = [Entry("kl", None, REAL, name, ALL, "alone_wrong", Estimate(0.516, 0.366, 0.665), 500) for name in names]
    found = SimpleNamespace(sweep=sweep, entries=cells + drawn + real)
    show_matrices(found)  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert said.count("123.4") == 6 or "are in index.html" in " ".join(said.split())
    assert (said.count("51.6 %"), said.count("(36.6 to 66.5)")) == (3, 3)
    assert said.count("(12.3 to 34.5)") == said.count("21.1 %") == (3 if "drawn" in said else 0)
    assert "drawn" in said or width < 60


NUMBERS = st.lists(st.floats(0, 1) | st.floats(0, 500), min_size=2, max_size=12)


@given(NUMBERS, st.sampled_from(["divergence", "disagreement", "set_distance_1"]))
def test_all_numbers_of_a_matrix_have_as_many_decimals_and_what_is_not_zero_is_not_shown_as_zero(
    values: list[float], quantity: str
) -> None:
    factor = 100 if quantity == "disagreement" else 1
    cells = {(str(i), "x"): entry(str(i), "x", quantity, Estimate(v, v, v)) for i, v in enumerate(values)}
    found = Matrix(quantity, ("x",), "kl", "nats", cells)
    words = [found.words(value).removesuffix(" %") for value in values]
    assert len({len(word.partition(".")[2]) for word in words}) == 1
    for word, value in zip(words, values, strict=True):
        half = 0.5 * 10.0 ** -len(word.partition(".")[2])
        if word.startswith("< "):
            assert 0 < factor * value <= half < 2 * half == pytest.approx(float(word[2:]))
        else:
            assert float(word) == pytest.approx(factor * value, abs=half * 1.001)
            assert (float(word) == 0) == (value == 0)


def test_numbers_of_one_size_and_of_another_stand_with_two_decimals_and_those_below_one_with_three() -> None:
    for values, words in (([12.0, 4.61, 0.002], ["12.00", "4.61", "< 0.01"]), ([0.53, 0.661, inf], ["0.530", "0.661", "∞"])):
        cells = {(str(i), "x"): entry(str(i), "x", "divergence", Estimate(v, v, v)) for i, v in enumerate(values)}
        found = Matrix("divergence", ("x",), "kl", "nats", cells)
        assert [found.words(value) for value in values] == words
        assert found.between(Estimate(4.0, 3.999, 4.5)) == ("4.00 to 4.50" if words[0] == "12.00" else "3.999 to 4.500")


def test_the_table_and_the_page_give_the_same_intervals_and_none_holds_what_cannot_be() -> None:
    rare = {1: np.array([0.0] * 9 + [0.5])}  # whose interval by Student begins below zero
    assert np.mean(rare[1]) - t.ppf(0.975, 9) * np.std(rare[1], ddof=1) / np.sqrt(10) < 0
    for text, values, low, high in (
        ("jensen-shannon", [log(2)] * 9 + [0.5], 0.0, log(2)),
        ("kl", [-1e-9] * 10, 0.0, inf),
        ("log-odds,this=0,that=1", [0.1] * 9 + [-2.0], -inf, inf),
    ):
        one = PairPredictions(range(10), np.array(values), np.zeros(10, dtype=bool), rare)
        found = entries({("a", "b"): one}, text, 0.0, END, limits_of(text))
        table = {line.split(",")[-6]: line.split(",")[-4:-2] for line in as_csv(found).splitlines()[1:]}
        own = {m.quantity: m for m in tables_of(found, ["a", "b"], "nats")}
        for quantity, (least, most) in table.items():
            inside = (low, high) if quantity == "divergence" else (0.0, inf)
            assert inside[0] <= float(least) <= float(most) <= inside[1] + 1e-6
            told = [float(n) for n in own[quantity].between(own[quantity].cells["a", "b"].estimate).split(" to ")]
            factor = 100 if quantity == "disagreement" else 1
            assert told == pytest.approx([factor * float(least), factor * float(most)], abs=0.51 * 0.1 ** own[quantity].decimals)
    assert float(table["divergence"][0]) < 0  # a signed divergence keeps its sign


def test_every_divergence_that_claims_to_be_symmetric_is_searched_once() -> None:
    assert is_symmetric("jensen-shannon")
    assert not is_symmetric("kl")


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_the_command_makes_a_sweep_and_answers_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    nets = [f"python:nets.py:net,seed={i}" for i in range(3)]
    words = ["-g", "python:nets.py:decoder", "-n", "2", "--set", "search.steps=3", "--set", "audited=10", "--out", "out"]
    done = called(tmp_path, "sweep", *nets, *words, "--divergence", "kl", "--divergence", "jensen-shannon")
    assert done.returncode == 0, done.stderr
    assert "net-seed-0-vs-net-seed-1-kl-w0 is in" in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (tmp_path / "out" / "index.html").exists()
    again = called(tmp_path, "sweep", "out/sweep.yaml", "--out", "out")
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    for wrong, answer in (
        ([nets[0], *words], "1 classifier was given"),
        ([nets[0], nets[1], nets[0], *words], "is named twice"),
        ([*nets, *words, "--set", "sampels=3"], "'samples'"),
        (["digit"], "'digits'"),
        ([*nets, *words, "--only", "a-vs-b"], "net-seed-0-vs-net-seed-1"),
        (nets, "--generator"),
    ):
        refused = called(tmp_path, "sweep", *wrong)
        assert refused.returncode == 2, refused.stdout
        assert answer in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_axe_finds_nothing_to_complain_of_in_a_sweeps_page(browser: Any, page: Path) -> None:  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    tab = browser.new_page()
    tab.goto(page.as_uri())
    for scheme, width in (("light", 1280), ("dark", 390)):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 844})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(tab)
        assert found.violations_count == 0, found.generate_report()
    tab.close()


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (("A", "a"), "A and a give the same folder name"),
        (("a/b", "a-b"), "a/b and a-b give the same folder name"),
    ],
)
def test_classifiers_whose_folders_a_file_system_cannot_tell_apart_are_refused(names: tuple[str, str], answer: str) -> None:
    classifiers = {name: f"bundled:mnist-{i}" for i, name in enumerate(names)}
    with pytest.raises(SpecError, match=answer):
        sweep_from({"classifiers": classifiers, "generator": "g"})


@pytest.mark.parametrize("name", ["../../x", "/etc", "con.x", "数" * 300, "\ud800", "", "javascript:alert(1)", "\u202e", "=1+1"])
def test_the_folder_of_a_pair_is_one_that_every_file_system_takes(name: str) -> None:
    sweep = sweep_from({"classifiers": {name: "bundled:a", "數" * 300: "bundled:b"}, "generator": "g", "divergences": ["kl"]})
    for folder in sweep.pairs():
        assert len(folder.encode()) < 255
        assert not set(folder) & set('/\\:*?"<>|%#\0')
        assert folder[0] not in ".-=+@"
        assert folder.partition(".")[0].casefold() not in ("con", "aux", "nul")


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_a_sweep_that_is_killed_leaves_a_page_of_its_finished_comparisons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gevaldi.cli import sweep as command

    def killed(*words: Any, **settings: Any) -> Iterator[Any]:
        for i, outcome in enumerate(run_sweep(*words, **settings)):
            yield outcome
            if i == 2:  # what was looked at before any search, and two of three comparisons
                raise SystemExit

    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "BETWEEN_PAGES", -1.0)
    monkeypatch.setattr("gevaldi.sweeps.execution.run_sweep", killed)
    nets = [f"python:nets.py:net,seed={i}" for i in range(3)]
    words = ["-g", "python:nets.py:decoder", "-n", "2", "--set", "search.steps=3", "--set", "audited=10", "--out", "out"]
    CliRunner().invoke(app, ["sweep", *nets, *words])
    page = (tmp_path / "out" / "index.html").read_text()
    assert "net-seed-0-vs-net-seed-1-kl-w0" in page
