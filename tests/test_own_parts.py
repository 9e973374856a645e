"""Divergences, algorithms and hierarchies of a user's own: by the name of a Python object, or as the object."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pandas.testing import assert_frame_equal

import gevaldi
from conftest import called, small_classifier, small_generator
from gevaldi.divergences import registry as divergences
from gevaldi.divergences.kl import kl
from gevaldi.errors import GevaldiError, SpecError
from gevaldi.objective import Evaluation
from gevaldi.runs.store import Run
from gevaldi.search import registry as algorithms
from gevaldi.search.algorithms.adam import Adam
from gevaldi.search.algorithms.base import Algorithm

FEW: dict[str, Any] = {"samples": 3, "steps": 5, "audited": 4}
PARTS = '''
import torch
from gevaldi.divergences.kl import kl
from gevaldi.search.algorithms.base import Algorithm

def same_as_kl(log_p, log_q, *, factor: float = 1.0):
    """KL by another name."""
    return factor * kl(log_p, log_q)

class Plain(Algorithm):
    """Gradient ascent."""
    learning_rate: float = 0.01
    def start(self, z):
        return None
    def step(self, now, memory, noise):
        return now.z + self.learning_rate * now.gradient, memory

def one_number(log_p, log_q):
    return kl(log_p, log_q).sum()

def broken(log_p, log_q):
    return log_p @ torch.zeros(2, 2)

animals = {"animal": {"cat": None, "dog": None, "fish": {"eel": None}}}
'''


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "parts.py").write_text(PARTS)
    monkeypatch.chdir(tmp_path)
    return "python:parts.py"


def compare(**settings: Any) -> gevaldi.Comparison:
    return gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), **{**FEW, **settings})


def assert_same_rows(one: gevaldi.Comparison, other: gevaldi.Comparison) -> None:
    assert_frame_equal(one.rows(), other.rows())


def test_a_copy_of_kl_in_a_file_gives_the_rows_of_kl(parts: str) -> None:
    assert_same_rows(compare(divergence=f"{parts}:same_as_kl"), compare())


def test_options_of_a_divergence_of_ones_own_are_keywords_with_their_types(parts: str) -> None:
    doubled = compare(divergence=f"{parts}:same_as_kl,factor=2").rows()
    assert doubled["divergence_start"].to_numpy() == pytest.approx(2 * compare().rows()["divergence_start"].to_numpy(), rel=1e-6)
    with pytest.raises(SpecError, match="a number was expected"):
        compare(divergence=f"{parts}:same_as_kl,factor=large")
    with pytest.raises(SpecError, match=r"has no option factr.*factor=1\.0"):
        compare(divergence=f"{parts}:same_as_kl,factr=2")


def test_ascent_of_ones_own_gives_the_rows_of_sgd_without_momentum(parts: str) -> None:
    assert_same_rows(compare(algorithm=f"{parts}:Plain,learning_rate=0.1"), compare(algorithm="sgd,momentum=0,learning_rate=0.1"))


def test_a_function_of_gevaldi_stands_in_a_spec_by_its_own_name() -> None:
    assert divergences.name_of(kl) == "kl"
    assert algorithms.name_of(Adam) == "adam"
    assert compare(divergence=kl).run.spec == compare().run.spec


def test_a_function_that_can_be_imported_is_named_and_so_works_in_other_processes(
    parts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    import parts as module

    done = compare(divergence=module.same_as_kl, out=tmp_path / "run")
    assert done.run.spec.divergence == "python:parts:same_as_kl"
    assert_same_rows(done, compare())


def test_a_function_of_this_program_alone_works_here_and_elsewhere_the_error_says_how_to_go_on(tmp_path: Path) -> None:
    factor = 1.0

    def mine(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
        return factor * kl(log_p, log_q)

    done = compare(divergence=mine, out=tmp_path / "run")
    assert done.run.spec.divergence == "object:mine"
    assert_same_rows(done, compare())
    divergences._objects.clear()  # as in another process
    with pytest.raises(SpecError, match=r"same call there, or put the divergence into a file and name it: python:FILE\.py:NAME"):
        gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), divergence="object:mine", **FEW)


def test_an_object_of_an_algorithm_is_used_as_it_is() -> None:
    class Still(Algorithm):
        def start(self, z: torch.Tensor) -> None:
            return None

        def step(self, now: Evaluation, memory: None, noise: Any) -> tuple[torch.Tensor, None]:
            return now.z, None

    rows = compare(algorithm=Still()).rows()
    assert (rows["divergence_start"] == rows["divergence_end"]).all()
    assert (rows["delta_z"] == 0).all()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("one_number", r"returns a tensor of shape \(\) for 3 samples.*\(batch, classes\).*shape \(batch,\)"),
        ("broken", "fails.*RuntimeError"),
        ("missing", "no object in parts.py named 'missing'"),
    ],
)
def test_a_divergence_that_cannot_be_used_is_refused_before_anything_is_written(
    parts: str, tmp_path: Path, name: str, error: str
) -> None:
    with pytest.raises(GevaldiError, match=error):
        compare(divergence=f"{parts}:{name}", out=tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_hierarchy_of_ones_own_is_an_object_of_a_file(parts: str) -> None:
    labelled = [gevaldi.classifier(small_classifier(i).module, labels=["cat", "dog", "eel"]).eval() for i in range(2)]
    done = gevaldi.compare(*labelled, small_generator(), taxonomy=f"{parts}:animals", **FEW)
    animals = {"animal": {"cat": None, "dog": None, "fish": {"eel": None}}}
    by_object = gevaldi.compare(*labelled, small_generator(), taxonomy=animals, **FEW)
    assert done.rows()["set_distance_1_end"].notna().all()
    assert_same_rows(done, by_object)


@pytest.mark.slow
def test_a_run_of_parts_of_ones_own_goes_on_and_is_verified_in_other_processes(parts: str, tmp_path: Path) -> None:
    words = ["compare", "bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "--out", "run", "--no-report"]
    words += ["-n", "2", "--divergence", f"{parts}:same_as_kl", "--set", f"search.algorithm={parts}:Plain", "--steps", "3"]
    assert called(tmp_path, *words, "--set", "audited=10").returncode == 0
    assert called(tmp_path, "report", "run").returncode == 0
    assert called(tmp_path, "verify", "run").returncode == 0
    assert [*Run.open(tmp_path / "run").record["divergence"]["summary"].split()] == ["KL", "by", "another", "name."]
    (tmp_path / "parts.py").write_text(PARTS + "\n# changed\n")
    done = called(tmp_path, "verify", "run")
    assert "parts.py" in done.stdout + done.stderr
    assert done.returncode != 0
