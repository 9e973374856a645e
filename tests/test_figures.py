"""Figures, read back from what is drawn: true numbers, the rows' own pixels, names that are only names."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from conftest import record
from gevaldi.cli.main import app
from gevaldi.errors import RunFolderError, SpecError, UnknownName
from gevaldi.figures import Line, NothingToDraw, as_svg, figure_of, lines, registry, saved
from gevaldi.figures._text import fit_name, points_of
from gevaldi.figures.base import WIDTHS
from gevaldi.figures.samples import before_and_after
from gevaldi.measures.paths import Band
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec

HOSTILE = '$\\frac{a}{b}$_^{\\alpha}_%&#<script>\u202e"' + "y" * 10_000
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def picture(seed: int, size: int = 28, colour: bool = False) -> dict[str, Any]:
    shape = (size, size + 4, 3) if colour else (size, size)
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)).save(sink, "PNG")
    return {"bytes": sink.getvalue(), "path": None}


def said(name: str, label: int, probability: float = 0.75) -> list[dict[str, Any]]:
    return [{"label": label, "name": name, "id": None, "probability": probability}]


def row(index: int, name: str = "cat", colour: bool = False, **other: Any) -> dict[str, Any]:
    noise = np.random.default_rng(index)
    path = np.cumsum(noise.random(5 + index % 3)).astype(np.float32).tolist()
    return {
        "index": index, "seed": index, "order": ("forward", "reverse")[index % 2], "condition": 0, "condition_name": name,
        "target_classes": [0], "status": "converged", "steps": len(path) - 1, "step_end": len(path) - 1,
        "divergence_start": path[0], "divergence_end": path[-1], "delta_z": 0.2,
        "typicality_start": (index + 0.5) / 16, "typicality_end": 0.9995 if index % 4 == 0 else 0.62,
        "first_start": said(name, 0), "second_start": said(name, 0), "first_end": said(name, 0, 0.5), "second_end": said("eel", 1),
        "flipped": "second", "shift": ("near", "lateral")[index % 4 // 2],
        "picture_start": picture(2 * index, colour=colour), "picture_end": picture(2 * index + 1, colour=colour),
        "path_divergence": path, "path_delta_z": [p / 10 for p in path],
        "path_set_distance_1": [float(p > 1) for p in path], "path_set_distance_3": path,
        "path_pictures": [picture(100 * index + s) for s in (0, 1, 2, 4)], "path_picture_steps": [0, 1, 2, 4],
    } | other  # fmt: skip


def failed(index: int) -> dict[str, Any]:
    return {
        "index": index,
        "seed": index,
        "order": ("forward", "reverse")[index % 2],
        "status": "failed",
        "error": "RuntimeError: x",
    }


def made(
    folder: Path,
    rows: list[dict[str, Any]],
    orders: str = "both",
    taxonomy: bool = True,
    name: str = "a:first",
    samples: int = 8,
) -> Run:
    spec = Spec(first="a:first", second="a:second", generator="g", samples=samples, orders=orders, set_sizes=(1, 3))  # type: ignore[arg-type]
    model = record()["models"]["first"]
    zoo = {
        "name": "zoo",
        "set_sizes": [1, 3],
        "classes": [],
        "sha256": "0" * 64,
        "convention": "published",
        "mean_edges": 4.0,
        "by_chance": {"levels": 2.0, "lateral": 0.5},
    }
    models = {"first": model | {"name": name}, "second": model | {"name": "a:second"}, "generator": model}
    run = Run.create(folder, spec, record(models=models, taxonomy=zoo if taxonomy else None))
    if rows:
        run.append(rows)
    return run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(str(made(tmp_path_factory.mktemp("original") / "run", [row(i) for i in range(16)]).folder))


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Run:
    return Run.open(shutil.copytree(original, tmp_path / "run"))


def ended(rows: list[dict[str, Any]], column: str, length: int = 7) -> np.ndarray:
    """Paths with their last value kept to the end, in the plainest way."""
    return np.array([[r[column][min(i, len(r[column]) - 1)] for i in range(length)] for r in rows])


def words(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


@pytest.mark.parametrize(("name", "column"), [("divergence", "path_divergence"), ("delta-z", "path_delta_z")])
def test_the_line_is_the_median_and_the_band_holds_eighty_per_cent(run: Run, name: str, column: str) -> None:
    axes = figure_of(run, name).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["forward", "reverse"]
    for first, line, band in zip((0, 1), axes.lines, axes.collections, strict=True):
        paths = ended([row(i) for i in range(first, 16, 2)], column)
        np.testing.assert_allclose(line.get_ydata(), np.median(paths, axis=0), rtol=1e-6)
        edges = np.sort(np.unique(band.get_paths()[0].vertices[:, 1]))
        low, high = np.quantile(paths, [0.1, 0.9], axis=0)
        np.testing.assert_allclose(edges[[0, -1]], [low.min(), high.max()], rtol=1e-5)


def test_set_distances_are_means_with_students_interval_and_the_orders_stand_side_by_side(run: Run) -> None:
    panels = figure_of(run, "set-distance").axes
    assert [panel.get_title() for panel in panels] == ["forward", "reverse"]
    for first, panel in enumerate(panels):
        for n, line, band in zip((1, 3), panel.lines, panel.collections, strict=True):
            paths = ended([row(i) for i in range(first, 16, 2)], f"path_set_distance_{n}")
            np.testing.assert_allclose(line.get_ydata(), paths.mean(0), rtol=1e-6)
            at_end = [y for x, y in band.get_paths()[0].vertices if x == 6]
            if paths[:, -1].std():
                low, high = stats.t.interval(0.95, 7, paths[:, -1].mean(), stats.sem(paths[:, -1]))
                np.testing.assert_allclose([min(at_end), max(at_end)], [max(low, 0), high], rtol=1e-5)


def test_a_divergence_that_is_not_known_is_a_question_mark() -> None:
    from gevaldi.figures._pictures import short

    assert [short(value) for value in (None, float("nan"), 0.0, 0.001, 0.25, 12.34)] == ["?", "?", "0", "< 0.01", "0.25", "12.3"]


def test_one_order_can_be_asked_for(run: Run) -> None:
    assert len(figure_of(run, "divergence,order=reverse").axes[0].lines) == 1
    assert [panel.get_title() for panel in figure_of(run, "set-distance,order=forward").axes] == ["forward"]
    with pytest.raises(UnknownName, match="'reverse'"):
        figure_of(run, "divergence,order=revers")


def test_a_path_with_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    broken = [row(i) for i in (0, 2)] + [row(4, path_divergence=[1.0, float("nan"), 2.0])]
    line = figure_of(made(tmp_path, broken, "forward"), "divergence").axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), np.median(ended(broken[:2], "path_divergence"), axis=0), rtol=1e-6)


@pytest.mark.parametrize("name", registry.names())
def test_every_figure_can_be_drawn_of_a_single_row(tmp_path: Path, name: str) -> None:
    assert saved(figure_of(made(tmp_path, [row(0)], "forward"), name), tmp_path / "one.png").stat().st_size > 1000


@pytest.mark.parametrize("colour", [False, True])
def test_the_pictures_of_samples_are_the_rows_pixels(tmp_path: Path, colour: bool) -> None:
    run = made(tmp_path, [row(i, colour=colour) for i in range(16)])
    figure = figure_of(run, "samples,index=[3,10]")
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    seeds = [6, 7, 20, 21]  # before and after of sample 3, then of 10
    assert len(drawn) == 4
    for found, seed in zip(drawn, seeds, strict=True):
        with Image.open(io.BytesIO(picture(seed, colour=colour)["bytes"])) as expected:
            assert (np.asarray(found) == np.asarray(expected)).all()


def test_most_probable_disagreements_are_drawn_beside_the_most_divergent_pictures(tmp_path: Path) -> None:
    probable = {"picture_probable": picture(77), "first_probable": said("dog", 1, 0.6), "second_probable": said("fox", 2, 0.7)}
    run = made(tmp_path, [row(i) | (probable if i == 4 else {}) for i in range(16)])
    figure = figure_of(run, "samples,probable=true")
    texts = [t.get_text() for t in words(figure)]
    assert {"most probable", "most divergent", "dog", "0.60", "fox", "0.70"} <= set(texts)
    for axes, seed in zip(figure.axes, (77, 9), strict=True):
        with Image.open(io.BytesIO(picture(seed)["bytes"])) as expected:
            assert (np.asarray(axes.images[0].get_array()) == np.asarray(expected)).all()
    with pytest.raises(NothingToDraw, match=r"search\.goal=both"):
        figure_of(made(tmp_path / "without", [row(0)]), "samples,probable=true")


def test_samples_are_those_with_the_largest_divergence_of_one_order_unless_both_are_asked_for(run: Run) -> None:
    ends = {i: row(i)["divergence_end"] for i in range(16)}
    for text, among in (("", range(0, 16, 2)), (",order=reverse", range(1, 16, 2)), (",order=both", range(16))):
        expected = sorted(among, key=lambda i: -ends[i])[:3]
        figure = figure_of(run, f"samples,count=3{text}")
        assert [t.get_text() for t in words(figure) if "nats" in t.get_text()] == [
            f"{ends[i]:.1f} nats" + (f", {row(i)['order']}" if "both" in text else "") for i in expected
        ]


def test_a_divergence_that_is_no_number_is_never_the_largest(tmp_path: Path) -> None:
    ends = [float("nan"), 1.0, float("nan"), 3.0, None, 2.0]
    run = made(tmp_path, [row(2 * i, divergence_end=end) for i, end in enumerate(ends)])
    assert [t.get_text() for t in words(figure_of(run, "samples,count=3")) if "nats" in t.get_text()] == [
        "3.0 nats",
        "2.0 nats",
        "1.0 nats",
    ]


def test_no_rows_are_no_figure() -> None:
    with pytest.raises(NothingToDraw, match="There are no rows"):
        before_and_after([], {"first": "one", "second": "other"}, "nats")


def test_two_classifiers_of_one_name_from_two_places_are_called_differently(tmp_path: Path) -> None:
    run = made(tmp_path, [row(i) for i in range(4)], name="python:old.py:model")
    run.record["models"]["second"]["name"] = "python:new.py:model"
    axes = figure_of(run, "confusion").axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("old.py:model says", "new.py:model says")
    shown = [t.get_text() for t in words(figure_of(run, "samples"))]
    assert {"first: old.py:model", "second: new.py:model"} <= set(shown)


def test_a_sample_whose_typicality_is_not_known_is_in_no_bar(tmp_path: Path) -> None:
    some = [row(i, typicality_end=None if i < 4 else 0.62) for i in range(16)]
    figure = figure_of(made(tmp_path, some), "typicality")
    before, forward, _ = (patch.get_data().values for patch in figure.axes[0].patches)
    assert before[:4].tolist() == [0, 0, 0, 0]  # the starts of the first four
    assert forward[12] == 100


def test_the_condition_is_bold_and_nothing_else_is(run: Run) -> None:
    shown = [(t.get_text(), t.get_fontweight()) for t in words(figure_of(run, "samples,index=2"))]
    assert [weight for text, weight in shown if text == "cat"] == ["bold"] * 4  # above, twice before, and once after
    assert [text for text, weight in shown if weight == "bold"] == ["cat"] * 4
    assert ("eel", "normal") in shown
    assert [text for text, _ in shown].count("0.75") == 3


@pytest.mark.parametrize("path", [[1.0, 2.0, 3.0], None])
def test_a_filmstrip_of_a_path_that_is_shorter_than_its_pictures_has_dashes_there(tmp_path: Path, path: Any) -> None:
    shown = [t.get_text() for t in words(figure_of(made(tmp_path, [row(0, path_divergence=path)]), "filmstrip"))]
    assert ("3.0" in shown) == (path is not None)
    assert shown[-1] == "–"


def test_names_of_classes_are_never_taken_for_formulas(tmp_path: Path) -> None:
    hostile = [row(i, HOSTILE, second_end=said("\u202eabc$x$", 1)) for i in range(2)]
    run = made(tmp_path, hostile, name="object:" + HOSTILE)
    for name in registry:
        figure = figure_of(run, name)
        assert not any(text.get_parse_math() for text in words(figure))
        assert not any("\u202e" in text.get_text() for text in words(figure))
        assert max(len(text.get_text()) for text in words(figure)) < 120
        svg = as_svg(figure)
        assert "<script>" not in svg
    assert "$x$" in as_svg(figure_of(run, "samples"))


def test_a_line_may_be_called_anything() -> None:
    flat = Band(np.ones(3), np.zeros(3), np.full(3, 2.0))
    names = ["_hidden", "$a_b$", "plain"]
    figure = lines([Line(flat, "#000000", "-", name) for name in names], "x")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == names
    many = lines([Line(flat, "#000000", "-", str(i)) for i in range(9)], "x")
    assert [text.get_text() for text in many.legends[0].get_texts()] == [str(i) for i in range(9)]


def test_letters_of_a_script_that_the_font_lacks_are_no_warning(tmp_path: Path) -> None:
    run = made(tmp_path, [row(0, "猫")], "forward")
    assert saved(figure_of(run, "samples"), tmp_path / "cat.png").exists()


@pytest.mark.parametrize("name", ["daddy longlegs, harvestman", "Granny_Smith-apple", "x" * 10_000, HOSTILE, "", "a"])
@pytest.mark.parametrize("bold", [False, True])
def test_a_name_is_broken_and_shortened_to_the_room_that_there_is(name: str, bold: bool) -> None:
    found = fit_name(name, 40, lines=2, size=7, bold=bold)
    assert 1 <= len(found) <= 2
    assert all(points_of(line, 7, bold) <= 40 for line in found)
    joined = "".join(found).replace(" ", "")
    assert name.replace(" ", "").startswith(joined.removesuffix("…"))
    assert len(name) > 60 or name.replace(" ", "") == joined or joined.endswith("…")


def test_the_width_of_letters_is_what_the_renderer_measures() -> None:
    figure = Figure(figsize=(4, 1), dpi=72)
    text = figure.text(0, 0, "harvestman 0.98", fontsize=20, family="DejaVu Sans")
    assert points_of("harvestman 0.98", 20) == pytest.approx(text.get_window_extent().width, rel=0.05)


def test_a_histogram_counts_every_sample_once(run: Run) -> None:
    before, forward, reverse = (patch.get_data().values for patch in figure_of(run, "typicality").axes[0].patches)
    assert before.sum() == forward.sum() == reverse.sum() == 100
    assert before[0] == pytest.approx(100 / 16)  # 0.5 / 16 alone lies below 0.05
    assert (forward[-1], reverse[-1]) == (50, 0)
    legend = figure_of(run, "typicality").axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()][1:] == [
        "after, forward (4 of 8 above 0.999)",
        "after, reverse (0 of 8 above 0.999)",
    ]


def test_kinds_are_shares_that_sum_to_one_hundred(run: Run) -> None:
    panels = figure_of(run, "kinds").axes
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["neither", "first", "second", "both"]
    for panel in panels:
        bars = [patch for patch in panel.patches if patch.get_width()]
        assert sorted(bar.get_width() for bar in bars) == [50, 50]  # near and lateral, each half
        assert {bar.get_y() + bar.get_height() / 2 for bar in bars} == {2}  # all in the row of the second


def test_which_is_taken_for_which_is_counted_in_rows_of_the_first_and_columns_of_the_second(run: Run) -> None:
    axes = figure_of(run, "confusion").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "eel"]
    assert np.nan_to_num(axes.images[0].get_array().filled(0)).tolist() == [[0, 16], [0, 0]]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("first says", "second says")


def test_a_filmstrip_shows_the_kept_pictures_with_their_steps_and_divergences(run: Run) -> None:
    figure = figure_of(run, "filmstrip,index=5")
    for axes, step in zip(figure.axes, (0, 1, 2, 4), strict=True):
        with Image.open(io.BytesIO(picture(500 + step)["bytes"])) as expected:
            assert (np.asarray(axes.images[0].get_array()) == np.asarray(expected)).all()
    shown = [text.get_text() for text in words(figure)]
    assert {"step 0", "1", "2", "4", "cat", "sample 5, reverse"} <= set(shown)
    assert f"{row(5)['path_divergence'][4]:.1f}" in shown


@pytest.mark.parametrize(
    ("text", "other", "answer"),
    [
        ("set-distance", {"taxonomy": False}, "no hierarchy.*--taxonomy NAME_OR_FILE"),
        (
            "filmstrip",
            {"rows": [row(0, path_pictures=None, path_picture_steps=None)]},
            "has no pictures along.*gevaldi compare --spec",
        ),
        ("divergence", {"rows": []}, "0 of 16 rows and no sample.*gevaldi resume"),
        ("samples,order=reverse", {"rows": [row(0)], "orders": "forward"}, "no reverse searches, only forward ones"),
        ("confusion", {"rows": [failed(i) for i in range(16)]}, "All samples.*failed"),
        ("typicality", {"rows": [row(0, typicality_start=None, typicality_end=None)]}, "have no typicality"),
        ("typicality", {"rows": [row(0, typicality_end=None)]}, "have no typicality"),
        ("kinds", {"rows": [row(0, flipped=None, shift=None)]}, "has 1 of 16 rows"),
    ],
)
def test_a_run_that_lacks_what_a_figure_shows_is_told_what_to_do(
    tmp_path: Path, text: str, other: dict[str, Any], answer: str
) -> None:
    run = made(tmp_path, **({"rows": [row(0)]} | other))
    with pytest.raises(NothingToDraw, match=answer):
        figure_of(run, text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("samples,index=[3,99]", "index=99 does not exist; the run in .* has samples 0 to 16"),
        ("samples,index=[]", "numbers of some samples"),
        ("samples,index=16", "Sample 16 failed and has no picture: RuntimeError: x"),
        ("samples,index=3,order=forward", "Sample 3 belongs to the reverse order"),
        ("samples,count=0", "count=0"),
        ("samples,count=true", "count=true was given to the figure .*; a whole number was expected"),
        ("samples,index=true", "index=true was given to the figure .*; a list or a whole number was expected"),
        ("samples,columns=0", "columns=0 does not fit; from 1 to 10 fit"),
        ("samples,columns=true", "columns=true was given to the figure .*; a whole number was expected"),
        ("divergence,width=true", "width=true was given to the figure .*; text or a number was expected"),
        ("confusion,limit=true", "limit=true was given to the figure .*; a whole number was expected"),
        ("samples,columns=70", "from 1 to 10 fit"),
        ("samples,columns=-1", "columns=-1"),
        ("samples,cuont=3", "has no option cuont. It takes count=8"),
        ("divergence,width=0.1", "single \\(3.3 inches\\), double"),
        ("divergence,width=tripel", "width=tripel"),
        ("confusion,limit=1", "limit=1"),
        ("filmstrip,index=100", "index=100"),
    ],
)
def test_an_impossible_option_is_answered_with_what_is_possible(tmp_path: Path, text: str, answer: str) -> None:
    run = made(tmp_path, [*(row(i) for i in range(16)), failed(16)], samples=9)
    with pytest.raises(SpecError, match=answer):
        figure_of(run, text)


def test_an_unknown_figure_is_answered_with_the_nearest(run: Run) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'samples'"):
        figure_of(run, "smaples")


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("width", ["single", "double"])
def test_figures_are_as_wide_as_a_column_and_nothing_reaches_beyond(run: Run, name: str, width: str) -> None:
    figure = figure_of(run, f"{name},width={width}")
    assert figure.get_size_inches()[0] == pytest.approx(WIDTHS[width])
    figure.savefig(io.BytesIO(), format="png")
    across, down = figure.get_size_inches() * figure.dpi
    for text in words(figure):
        if text.get_visible() and text.get_window_extent().width and not hidden_tick(figure, text):
            box = text.get_window_extent()
            assert box.x0 > -1, text.get_text()
            assert box.y0 > -1, text.get_text()
            assert box.x1 < across + 1, text.get_text()
            assert box.y1 < down + 1, text.get_text()


def hidden_tick(figure: Figure, text: Text) -> bool:
    """Whether a text is the label of a tick beyond the limits, which is not drawn."""
    return any(
        text in (tick.label1, tick.label2) and not low <= tick.get_loc() <= high
        for axes in figure.axes
        for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim())))
        for tick in axis.get_major_ticks()
    )


def test_pairs_of_several_runs_can_stand_in_one_figure(tmp_path: Path) -> None:
    rows = [row(0), row(2, colour=True, condition_name=None)]
    figure = before_and_after(rows, {"first": "one", "second": "other"}, "nats", columns=1, width=2)
    assert len(figure.axes) == 4
    assert [axes.images[0].get_array().ndim for axes in figure.axes] == [2, 2, 3, 3]


@pytest.mark.slow
@pytest.mark.parametrize("name", registry)
def test_the_same_rows_give_the_same_bytes_whatever_was_written_before(run: Run, tmp_path: Path, name: str) -> None:
    drawn, again = figure_of(run, name), figure_of(run, name)
    for suffix in ("png", "svg", "pdf"):
        saved(drawn, tmp_path / f"one.{suffix}")
    for suffix in ("pdf", "svg", "png"):
        assert saved(again, tmp_path / f"other.{suffix}").read_bytes() == (tmp_path / f"one.{suffix}").read_bytes()


@pytest.mark.slow
def test_another_process_with_other_settings_of_matplotlib_gives_the_same_bytes_and_needs_no_torch(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.hashsalt: other\ntext.parse_math: True\n")
    script = (
        "import sys; from pathlib import Path; from gevaldi.runs.store.run import Run\n"
        "from gevaldi.figures import figure_of, registry, saved\n"
        "for name in registry:\n"
        "    figure = figure_of(Run.open(Path(sys.argv[1])), name)\n"
        "    for ending in ('png', 'svg', 'pdf') if name in ('divergence', 'samples') else ('svg',):\n"
        "        saved(figure, Path(sys.argv[2]) / f'{name}.{ending}')\n"
        "assert not {'torch', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    environment = ENVIRONMENT | {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script, str(run.folder), str(tmp_path / "there")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    drawn = {name: figure_of(run, name) for name in registry}
    for path in sorted((tmp_path / "there").iterdir()):
        here = saved(drawn[path.stem], tmp_path / "here" / path.name)
        assert here.read_bytes() == path.read_bytes(), path.name


def test_a_pdf_has_its_letters_as_truetype_and_no_date(run: Run, tmp_path: Path) -> None:
    content = saved(figure_of(run, "divergence"), tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF-1.")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in content  # TrueType, as publishers ask
    assert b"/Type3" not in content
    assert b"Date" not in content
    assert re.search(rb"/MediaBox \[ 0 0 237\.6 ", content)  # 3.3 inches


def test_a_png_has_two_hundred_dots_an_inch_and_an_svg_no_date(run: Run, tmp_path: Path) -> None:
    with Image.open(saved(figure_of(run, "divergence"), tmp_path / "a.png")) as png:
        assert png.width == 660
    text = saved(figure_of(run, "divergence"), tmp_path / "a.svg").read_text()
    assert "dc:date" not in text
    assert "matplotlib.org" not in text.lower().split("</metadata>")[0].split("<metadata>")[-1]


def test_a_figure_on_a_page_takes_the_colour_and_the_letters_of_the_page(run: Run) -> None:
    svg = as_svg(figure_of(run, "divergence"), 'what "it" <shows>')
    assert 'role="img"' in svg.split(">")[0]
    assert "&lt;shows&gt;" in svg.split("\n")[0]
    assert "#000000" not in svg
    assert ">divergence (nats)</text>" in svg
    ids = re.findall(r' id="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(f"#{found}" in svg for found in ids)


def test_what_cannot_be_written_is_said(run: Run, tmp_path: Path) -> None:
    figure = figure_of(run, "divergence")
    with pytest.raises(SpecError, match=r"has the suffix \.gif; expected \.png, \.svg, \.pdf"):
        saved(figure, tmp_path / "a.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        saved(figure, tmp_path / "file" / "a.png")


def test_the_command_writes_files_where_they_are_asked_for(run: Run, tmp_path: Path) -> None:
    folder = str(run.folder)
    for words_, expected in (
        (["divergence"], [run.folder / "figures" / "divergence.png"]),
        (["samples,count=2", "--out", str(tmp_path / "v1.2.pdf")], [tmp_path / "v1.2.pdf"]),
        (["kinds", "--format", "svg", "--format", "pdf"], [run.folder / "figures" / f"kinds.{e}" for e in ("svg", "pdf")]),
        (["filmstrip", "--set", "index=3", "--set", "width=single"], [run.folder / "figures" / "filmstrip.png"]),
    ):
        done = CliRunner().invoke(app, ["figure", folder, *words_])
        assert done.exit_code == 0, done.output
        assert done.output.split() == [w for path in expected for w in ("figure:", str(path))]
        assert all(path.stat().st_size > 1000 for path in expected)


def test_with_formats_the_name_to_write_to_needs_no_ending(run: Run, tmp_path: Path) -> None:
    for given, expected in (
        (["--out", "v1.2", "--format", "pdf"], ["v1.2.pdf"]),
        (["--out", "plot", "--format", "svg,pdf"], ["plot.pdf", "plot.svg"]),
        (["--out", "plot.png", "--format", "svg"], ["plot.png", "plot.svg"]),
    ):
        folder = tmp_path / "-".join(expected)
        done = CliRunner().invoke(app, ["figure", str(run.folder), "kinds", "--out", str(folder / given[1]), *given[2:]])
        assert done.exit_code == 0, done.output
        assert sorted(path.name for path in folder.iterdir()) == expected


@pytest.mark.parametrize("given", [["--out", "plot"], ["--out", "plot.gif"], ["--format", "png", "--format", "gif"]])
def test_nothing_is_written_where_one_of_the_endings_is_unknown(run: Run, tmp_path: Path, given: list[str]) -> None:
    where = ["--out", str(tmp_path / "new" / given[1])] if given[0] == "--out" else given
    done = CliRunner().invoke(app, ["figure", str(run.folder), "kinds", *where])
    assert isinstance(done.exception, SpecError)
    assert "expected .png, .svg, .pdf" in str(done.exception)
    assert not (tmp_path / "new").exists()
    assert not (run.folder / "figures").exists()


def test_without_a_name_the_command_lists_the_figures_and_what_the_run_lacks(tmp_path: Path) -> None:
    made(tmp_path, [row(0)], taxonomy=False)
    done = CliRunner().invoke(app, ["figure", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()[1:] if "Not for this run" not in line] == registry.names()
    assert done.output.count("Not for this run: ") == 1
    assert "have no hierarchy" in done.output


def test_figures_are_listed_and_shown_like_all_that_can_be_named() -> None:
    listed = CliRunner().invoke(app, ["list", "figures"]).output
    assert all(name in listed for name in registry)
    assert "Options: count=8" in CliRunner().invoke(app, ["show", "samples"]).output
