"""Runs of any size: what is read part by part is what numpy, pandas and scipy find with all rows at hand, in the same memory."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from large_runs import READINGS as COMMANDS
from large_runs import written
from scipy import stats

from gevaldi.figures import mean_bands, path_lines
from gevaldi.figures._run import chosen_rows
from gevaldi.measures.confusion import COLUMNS as TAKEN
from gevaldi.measures.confusion import confusion_of
from gevaldi.measures.paths import READINGS, Means, Paths, Quantiles
from gevaldi.measures.summary import columns_of_summary, summaries
from gevaldi.reports.typical import EDGES, typicalities
from gevaldi.runs.store.run import Run
from started import peak_of, run_command, summarise

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SOME_PATHS = st.lists(npst.arrays(np.float32, st.integers(1, 9), elements=NUMBERS), min_size=1, max_size=30)


def filled(paths: list[np.ndarray]) -> np.ndarray:
    longest = max(map(len, paths))
    return np.array([[*path, *[path[-1]] * (longest - len(path))] for path in paths], dtype=float)


def in_pieces(paths: list[np.ndarray], size: int) -> list[Paths]:
    return [Paths.of(paths[i : i + size]) for i in range(0, len(paths), size)]


@given(SOME_PATHS, st.integers(1, 7))
@settings(deadline=None)
def test_quantiles_found_from_counts_are_those_that_numpy_finds_with_all_paths_at_hand(paths: list[np.ndarray], size: int) -> None:
    found = Quantiles()
    for _ in range(READINGS):
        for piece in in_pieces(paths, size):
            found.add(piece)
        found.turn()
    band = found.band()
    expected = np.quantile(filled(paths), [0.1, 0.5, 0.9], axis=0)
    largest = np.abs(filled(paths)).max()
    for own, theirs in zip((band.low, band.middle, band.high), expected, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-12, atol=1e-12 * largest)


@given(st.lists(npst.arrays(np.float32, st.integers(1, 9), elements=st.floats(-8, 8, width=32)), min_size=2), st.integers(1, 7))
@settings(deadline=None)
def test_means_joined_piece_by_piece_have_the_interval_of_student_over_all_paths(paths: list[np.ndarray], size: int) -> None:
    found = Means()
    for piece in in_pieces(paths, size):
        found.add(piece)
    values = filled(paths)
    half = stats.t.ppf(0.975, len(paths) - 1) * values.std(0, ddof=1) / np.sqrt(len(paths))
    np.testing.assert_allclose(found.band().middle, values.mean(0), atol=1e-12)
    np.testing.assert_allclose(found.band().high, values.mean(0) + half, atol=1e-6)


@given(SOME_PATHS, st.data())
def test_paths_that_hold_what_is_no_number_are_left_out_whole(paths: list[np.ndarray], data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, len(paths) - 1)))
    for i in bad:
        paths[i][data.draw(st.integers(0, len(paths[i]) - 1))] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    kept = Paths.of(paths).finite()
    good = [path for i, path in enumerate(paths) if i not in bad]
    assert kept.lengths.tolist() == [len(path) for path in good]
    assert kept.values.tolist() == [value for path in good for value in path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made: Run = written(tmp_path_factory.mktemp("large") / "run", 600)
    return made


def of_order(run: Run, order: str) -> Any:
    rows = run.rows()
    return rows[rows["order"] == order]


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_a_summary_has_the_numbers_that_pandas_finds_in_the_rows(run: Run, order: str) -> None:
    (found,) = [s for s in summaries(run.each(columns_of_summary(run.spec.set_sizes))) if s.order == order]
    rows = of_order(run, order)
    assert (found.samples, found.failed, found.converged) == (300, 0, 300)
    for key in ("divergence_start", "divergence_end", "delta_z"):
        assert getattr(found, key).value == rows[key].astype(float).median()
    assert found.typicality.value == rows["typicality_end"].astype(float).median()
    for n in (1, 3, 5):
        values = rows[f"set_distance_{n}_end"].astype(float)
        low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        estimate = found.set_distance_end[n]
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((values.mean(), low, high))
    assert found.kinds == rows.groupby(["flipped", "shift"]).size().to_dict()
    assert found.passages == rows.groupby(["right_start", "right_end"]).size().to_dict()
    tops = {key: rows[key].map(lambda classes: classes[0]["label"]) for key in ("first_end", "second_end", "first_start")}
    assert found.differ_end.value == pytest.approx((tops["first_end"] != tops["second_end"]).mean())
    asked = rows["target_classes"].map(lambda labels: labels[0])
    assert found.left_first
    assert found.left_first.value == pytest.approx((tops["first_end"] != asked)[tops["first_start"] == asked].mean())


def test_a_piece_of_the_predictions_says_the_same_as_the_whole(run: Run) -> None:
    assert summaries(run.each(columns_of_summary(run.spec.set_sizes))) == summaries(run.each())
    some, whole = confusion_of(run.each(TAKEN)), confusion_of(run.each())
    assert (some.labels, some.names, some.counts.tolist()) == (whole.labels, whole.names, whole.counts.tolist())


def test_the_bars_of_typicality_are_those_of_a_histogram(run: Run) -> None:
    values = run.rows()["typicality_start"].astype(float)
    assert [bar["before"] for bar in typicalities(run.each())] == np.histogram(values, EDGES)[0].tolist()


def test_the_lines_of_a_run_are_those_over_all_its_paths(run: Run) -> None:
    longest = max(map(len, run.rows()["path_divergence"]))
    for line in path_lines(run, ["path_divergence"])["path_divergence"]:
        paths = filled([*of_order(run, line.name)["path_divergence"]])
        expected = np.quantile(np.pad(paths, ((0, 0), (0, longest - paths.shape[1])), mode="edge"), [0.1, 0.5, 0.9], axis=0)
        np.testing.assert_allclose([line.band.low, line.band.middle, line.band.high], expected, rtol=1e-6, atol=1e-9)
    bands = mean_bands(run, ["path_set_distance_1", "path_set_distance_3"])
    for order in ("forward", "reverse"):
        paths = filled([*of_order(run, order)["path_set_distance_3"]])
        np.testing.assert_allclose(bands["path_set_distance_3"][order].middle, paths.mean(0), rtol=1e-9)


def test_the_samples_that_a_figure_draws_are_the_largest_of_the_table(run: Run) -> None:
    rows = run.rows().sort_values("divergence_end", ascending=False)
    assert [row["index"] for row in chosen_rows(run, None, 9, None, ["divergence_end"])] == rows["index"][:9].tolist()
    assert [row["index"] for row in chosen_rows(run, [599, 5], 1, None, ["seed"])] == [599, 5]


READ = ("report", "figure divergence", "figure typicality", "export of the 50 largest")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads a process's peak memory from the Linux kernel")
def test_what_is_made_of_a_run_takes_the_memory_of_a_small_one(tmp_path: Path) -> None:
    peaks: dict[int, dict[str, float]] = {}
    for size in (600, 1_800):
        run, out = tmp_path / str(size), tmp_path / f"out-{size}"
        written(run, size)
        out.mkdir()
        commands = {name: [word.format(run=run, out=out) for word in COMMANDS[name]] for name in READ}
        peaks[size] = {name: peak_of(run_command, out, *words) for name, words in commands.items()}
        peaks[size]["summary"] = peak_of(summarise, run)
    grown = {name: peaks[1_800][name] - peaks[600][name] for name in peaks[600]}
    assert max(grown.values()) < 16_000, grown  # 13 KB for each row would show
    assert (tmp_path / "out-1800" / "report.html").stat().st_size < 2_000_000
