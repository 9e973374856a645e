"""Several comparisons that answer one question: each its own run, told together."""

import csv
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

import gevaldi
from conftest import called, small_classifier, small_generator
from gevaldi.compute import Compute
from gevaldi.errors import SpecError
from gevaldi.experiments import Experiment, names, read_experiment
from gevaldi.experiments.execute import _complete, run_all
from gevaldi.reports.experiment import write_overview
from test_reports import NO_LINES

QUIET = Compute(progress=False)
SMALL = {
    "title": "Orders & <others>",
    "question": "Does the order matter?",
    "models": {"one": "bundled:mnist-strided", "other": "bundled:mnist-pooled", "generator": "bundled:mnist-vae"},
    "settings": {"samples": 3, "orders": "forward", "audited": 5, "search": {"steps": 6}},
    "runs": {
        "one-first": {"first": "one", "second": "other"},
        "other-first": {"first": "other", "second": "one", "search": {"typical_mass": None}},
    },
}


def test_the_papers_four_experiments_are_of_the_pairs_that_it_names() -> None:
    pairs = {name: (spec.first, spec.second) for name, spec in read_experiment("appendix-b").specs().items()}
    squeezenet, alexnet = "torchvision:squeezenet1_0", "torchvision:alexnet"
    assert list(pairs.values()) == [
        (squeezenet, "torchvision:squeezenet1_1"),
        (alexnet, "torchvision:convnext_base"),
        (squeezenet, alexnet),
        (alexnet, squeezenet),
    ]
    assert {spec.generator for spec in read_experiment("appendix-b").specs().values()} == {"biggan:biggan-deep-256"}
    assert all(spec.divergence == "kl" and spec.searches == ("forward",) for spec in read_experiment("appendix-b").specs().values())


@pytest.mark.parametrize("name", names())
def test_every_experiment_that_ships_can_be_read_and_names_sources_that_there_are(name: str) -> None:
    from gevaldi.classifiers import sources as classifiers
    from gevaldi.generators import sources as generators

    for spec in read_experiment(name).specs().values():
        assert {spec.first.partition(":")[0], spec.second.partition(":")[0]} <= set(classifiers.registry)
        assert spec.generator.partition(":")[0] in set(generators.registry)


def test_other_models_are_put_in_the_place_of_parts_and_settings_hold_for_all() -> None:
    specs = Experiment.model_validate(SMALL).specs({"other": "bundled:mnist-referee"}, ["search.steps=9", "seed=4"])
    assert {spec.second if name == "one-first" else spec.first for name, spec in specs.items()} == {"bundled:mnist-referee"}
    assert {(spec.seed, spec.search.steps, spec.samples) for spec in specs.values()} == {(4, 9, 3)}
    assert specs["one-first"].search.typical_mass is not None
    assert specs["other-first"].search.typical_mass is None


def test_what_is_wrong_in_an_experiment_is_answered(tmp_path: Path) -> None:
    small = Experiment.model_validate(SMALL)
    with pytest.raises(SpecError, match="'other'"):
        small.specs({"othr": "bundled:mnist-referee"})
    with pytest.raises(SpecError, match=r"run .one-first. of .* .steps. is a setting of the search"):
        small.specs(assignments=["steps=3"])
    with pytest.raises(SpecError, match="appendix-b"):
        read_experiment("appendix-c")
    (tmp_path / "mine.yaml").write_text("title: x\nrun: {}\n")
    with pytest.raises(SpecError, match="'run' is unknown"):
        read_experiment(tmp_path / "mine.yaml")
    with pytest.raises(SpecError, match="one-first"):
        next(run_all(small.specs(), tmp_path, QUIET, only=("one-frst",)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole experiment, of which one comparison cannot be made, by the command."""
    folder = tmp_path_factory.mktemp("experiment")
    broken = {**SMALL, "runs": {**SMALL["runs"], "broken": {"first": "one", "second": "bundled:mnist-nobody"}}}  # type: ignore[dict-item]
    (folder / "small.yaml").write_text(yaml.safe_dump(broken))
    done = command(folder)
    assert done.returncode == 2
    assert "broken failed. " in done.stderr
    assert "mnist-pooled" in done.stderr  # the nearest names
    told = "gevaldi: warning (one-first and other-first): The labels are only numbers"
    assert done.stderr.count("The labels are only numbers") == done.stderr.count(told)
    return folder


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*NO_LINES)  # half the time of a report
        return called(folder, "experiment", "small.yaml", "--out", "out", *words)


@pytest.mark.slow
def test_every_comparison_is_a_run_with_its_report_and_the_page_has_them_together(folder: Path) -> None:
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "Orders &amp; &lt;others&gt;" in page
    assert "<bdi>broken</bdi> failed." in page
    for name in ("one-first", "other-first"):
        assert (folder / "out" / name / "report.html").is_file()
        assert f'href="./{name}/report.html"' in page


@pytest.mark.slow
def test_the_table_of_paths_has_the_means_of_the_rows(folder: Path) -> None:
    from gevaldi.runs.store.run import Run

    with (folder / "out" / "paths.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["run"] == "one-first" and row["quantity"] == "divergence"]
    paths = Run.open(folder / "out" / "one-first").rows()["path_divergence"]
    for row in rows:
        at = [path[min(int(row["step"]), len(path) - 1)] for path in paths]
        assert float(row["mean"]) == pytest.approx(np.mean(at), rel=1e-4)
    assert len(rows) == max(len(path) for path in paths)


@pytest.mark.slow
def test_the_same_command_computes_nothing_again(folder: Path) -> None:
    parts = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    assert command(folder, "--only", "one-first").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == parts
    assert "other-first" in (folder / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_experiment_of_other_settings_is_not_mixed_with_what_is_there(folder: Path) -> None:
    done = command(folder, "--set", "seed=5", "--only", "one-first")
    assert done.returncode == 2
    assert "another spec" in done.stderr


@pytest.mark.slow
def test_runs_in_both_orders_have_a_line_and_a_row_for_each(tmp_path: Path) -> None:
    specs = Experiment.model_validate(SMALL).specs(assignments=["orders=both"])
    made = [found.run for found in run_all(specs, tmp_path, QUIET, only=("one-first",)) if found.run]
    page = write_overview("Both", "", {"one-first": made[0]}, {}, tmp_path).read_text(encoding="utf-8")
    assert "one-first, reverse" in page
    assert page.count("<td>reverse</td>") == 1


@pytest.mark.slow
def test_a_run_of_other_settings_is_not_laid_beside(tmp_path: Path) -> None:
    small = Experiment.model_validate(SMALL)
    assert [found.name for found in run_all(small.specs(), tmp_path, QUIET, only=("one-first",))] == ["one-first"]
    other = small.specs(assignments=["seed=3"])
    assert [found.name for found in run_all(other, tmp_path, QUIET, only=("other-first",))] == ["other-first"]


def test_a_comparison_whose_networks_fail_is_told_and_the_others_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("gevaldi.experiments.execute.execute", failing)
    found = list(run_all(Experiment.model_validate(SMALL).specs(), tmp_path, QUIET))
    assert [outcome.name for outcome in found] == ["one-first", "other-first"]
    assert all("no such kernel" in str(outcome.error) for outcome in found)


def test_specs_leave_the_experiment_as_it_was(tmp_path: Path) -> None:
    small = Experiment.model_validate({**SMALL, "settings": {**SMALL["settings"], "first_classes": {"9": None}, "search": None}})  # type: ignore[dict-item]
    before = small.model_dump()
    changed = small.specs(assignments=["first_classes.8=null"])
    assert changed["one-first"].first_classes == {"9": None, "8": None}
    assert small.model_dump() == before


def test_a_taxonomy_beside_the_file_of_an_experiment_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**SMALL, "settings": {"taxonomy": "mine.json"}}))
    specs = read_experiment(tmp_path / "small.yaml").specs()
    assert {spec.taxonomy for spec in specs.values()} == {str(tmp_path / "mine.json")}


NO_NAMES = {
    "../../x": "x", "/etc/x": "etc-x", "a/b": "a-b", "a\\b": "a-b", "javascript:alert(1)": "javascript-alert(1)",
    ".": "unnamed", "..": "unnamed", "": "unnamed", "con": "con-", "aux.x": "aux-.x", "a ": "a", "-n": "n", "=1+1": "1+1",
    "a\nb": "a b", "\u202eabc": "abc", "x" * 300: "x" * 80, "é" * 90: "é" * 40, "e\u0301": "é",
    "index.html": "index.html-2", "PATHS.csv": "PATHS.csv-2",
}  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_run_that_is_called_as_no_folder_can_be_is_refused_with_a_name_that_can(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SMALL, "runs": {name: {"first": "one", "second": "other"}}}))
    done = called(tmp_path, "experiment", "mine.yaml", "--out", "inside/out")
    assert done.returncode == 2
    assert f"Call it {NO_NAMES[name]!r}, for example" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_runs_that_differ_only_by_case_are_refused_and_names_that_are_none_of_folders_elsewhere_are_not(tmp_path: Path) -> None:
    runs = SMALL["runs"]["one-first"]  # type: ignore[index]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SMALL, "runs": {"Low": runs, "low": runs}}))
    with pytest.raises(SpecError, match=r"The run 'low' .* Call it 'low-2', for example"):
        read_experiment(tmp_path / "mine.yaml")
    good = ["low-then-high", "λ = 0", "(a) b, c", "a.b", "数字", "x" * 80]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SMALL, "runs": dict.fromkeys(good, runs)}, sort_keys=False))
    assert [*read_experiment(tmp_path / "mine.yaml").specs()] == good


FEW = ["--set", "samples=1", "--set", "search.steps=1", "--set", "audited=1"]


@pytest.mark.parametrize("file", ["...yaml", "..yaml", "x#.yaml", "a b.yaml"])
def test_the_usual_folder_of_a_file_lies_in_runs_whatever_the_file_is_called(tmp_path: Path, file: str) -> None:
    broken = {name: {"first": "one", "second": "bundled:nobody"} for name in ("a", "b")}
    (tmp_path / file).write_text(yaml.safe_dump({**SMALL, "runs": {**broken, **SMALL["runs"]}}))  # type: ignore[dict-item]
    done = called(tmp_path, "experiment", file, *FEW, "--only", "one-first")
    assert done.returncode == 0, done.stderr
    (page,) = tmp_path.rglob("index.html")
    assert page.parent.parent == tmp_path / "runs"


def test_a_name_that_is_markup_of_the_terminal_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SMALL, "runs": {"a": {"first": "one", "second": "other"}}}))
    net = "def net(title=''):\n    return load_classifier('bundled:mnist-' + ('strided' if title == 'x' else 'pooled'))\n"
    (tmp_path / "nets.py").write_text("from gevaldi.classifiers import load_classifier\n" + net)
    named = "python:nets.py:net,title='[/x] [bold]0 :x: \x1b[31m'"
    words = [*FEW, "--model", f"other={named}", "--model", "one=python:nets.py:net,title=x"]  # told apart by their options
    done = called(tmp_path, "experiment", "mine.yaml", *words, columns=200)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "net,title=x or net,title='[/x] [bold]0 :x: [31m' is better" in " ".join(done.stdout.split())


def test_a_complete_run_of_fewer_samples_is_not_taken_for_the_whole_comparison(tmp_path: Path) -> None:
    run = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path, samples=2, steps=2).run
    found = {samples: _complete(run.spec.model_copy(update={"samples": samples}), tmp_path, lambda *_: True) for samples in (2, 5)}
    assert found[2] is not None
    assert found[5] is None
