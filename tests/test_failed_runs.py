"""Runs that show nothing: what would fail on every sample is found before the search, and a run in which all failed says why."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gevaldi
from conftest import called
from gevaldi.errors import ContractError
from gevaldi.measures.failures import why_all_failed

MODELS = """
import traceback
import torch
from torch import nn
import gevaldi

def net(seed=0, official=None):
    torch.manual_seed(seed)
    made = gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), labels=3).eval()
    made.official = official
    return made

def decoder():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))).eval()
    return gevaldi.generator(module, latent=4)

class Later(nn.Module):  # fails in every search, and before it nowhere
    def __init__(self):
        super().__init__()
        self.inner = net().module
    def forward(self, x):
        if any(frame.filename.endswith("loop.py") for frame in traceback.extract_stack()):
            raise RuntimeError("this GPU has fallen off the bus")
        return self.inner(x)

def later():
    return gevaldi.classifier(Later(), labels=3).eval()
"""
GENERATOR = ("-g", "python:models.py:decoder", "-n", "2", "--set", "search.steps=3", "--set", "audited=2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS)
    return tmp_path


@pytest.mark.slow
def test_a_run_in_which_every_sample_failed_says_why_and_ends_with_another_code(folder: Path) -> None:
    words = ("compare", "python:models.py:later", "python:models.py:net,seed=1", *GENERATOR, "--out", "run")
    for again in (words, ("resume", "run")):
        done = called(folder, *again)
        assert done.returncode == 2
        said = " ".join(done.stderr.split())
        assert "All 4 samples failed, so the run shows nothing: RuntimeError: this GPU has fallen off the bus" in said
        assert "nan" not in done.stdout

    done = called(folder, "sweep", "python:models.py:later", "python:models.py:net,seed=1", *GENERATOR, "--out", "sweep")
    assert done.returncode == 2
    assert "samples failed, so the run shows nothing: RuntimeError: this GPU" in " ".join(done.stderr.split())


def test_from_python_it_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = ("python:models.py:later", "python:models.py:net,seed=1", "python:models.py:decoder")
    with pytest.warns(UserWarning, match="All 4 samples failed, so the run shows nothing: RuntimeError"):
        gevaldi.compare(*names, samples=2, steps=3, audited=2, out=folder / "run")


ROWS: list[tuple[list[tuple[str, str | None]], str | None]] = [
    ([], None),
    ([("converged", None)], None),
    ([("failed", "a"), ("out of steps", None)], None),
    ([("failed", "a.")], "All 1 samples failed, so the run shows nothing: a. Mend"),
    (
        [("failed", "a"), ("failed", "b"), ("failed", "b")],
        "All 3 samples failed, so the run shows nothing: 2 times b; 1 times a. Mend",
    ),
    ([("failed", str(i)) for i in range(5)], "; and 2 other errors. Mend"),
]


@pytest.mark.parametrize(("rows", "words"), ROWS)
def test_the_commonest_errors_are_told_with_their_counts(rows: list[tuple[str, str | None]], words: str | None) -> None:
    found = why_all_failed({"status": status, "error": error} for status, error in rows)
    assert found is None if words is None else words in str(found)


def fails(picture: Any) -> Tensor:
    raise ValueError(f"no {picture.mode} here")


PIPELINES = {
    "fails": (fails, r"fails on the first classifier and a picture of the generator's shape \(1, 8, 8\)\. ValueError: no L here"),
    "gives a row": (lambda picture: torch.zeros(3), r"gives \(3,\) for .*; \(1, 3\) was expected"),
    "gives other classes": (lambda picture: torch.zeros(1, 4), r"gives \(1, 4\)"),
}


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize("side", ["first", "second"])
def test_a_pipeline_that_fails_is_found_before_the_search(folder: Path, kind: str, side: str) -> None:
    own: dict[str, Any] = {}
    exec(MODELS, own)
    official, words = PIPELINES[kind]
    pair = [own["net"](0, official if side == "first" else None), own["net"](1, official if side == "second" else None)]
    with pytest.raises(ContractError, match=words.replace("first", side)):
        gevaldi.compare(*pair, own["decoder"](), samples=2, steps=3, audited=2, out=folder / "run")
    assert not list((folder / "run").glob("samples/*"))


@pytest.mark.slow  # because transformers is imported
@pytest.mark.parametrize("means", [1, 3])
def test_a_vit_of_one_channel_is_checked_by_its_own_pipeline_in_grey(tmp_path: Path, means: int) -> None:
    transformers = pytest.importorskip("transformers")
    sides = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    for seed in (0, 1):
        torch.manual_seed(seed)
        config = transformers.ViTConfig(image_size=28, patch_size=7, num_channels=1, num_labels=10, **sides)
        transformers.ViTForImageClassification(config).save_pretrained(tmp_path / str(seed))
        processor = transformers.ViTImageProcessor(
            size={"height": 28, "width": 28}, image_mean=[0.5] * means, image_std=[0.5] * means
        )
        processor.save_pretrained(tmp_path / str(seed))
    settings: dict[str, Any] = {"samples": 2, "steps": 3, "audited": 4, "real": "bundled:mnist-digits", "out": tmp_path / "run"}
    names = [f"transformers:{tmp_path / str(seed)}" for seed in (0, 1)]
    if means == 3:  # of which transformers itself makes pictures of three channels
        with pytest.raises(ContractError, match="The first classifier fails on pictures of shape"):
            gevaldi.compare(*names, "bundled:mnist-vae", **settings)
        return
    done = gevaldi.compare(*names, "bundled:mnist-vae", **settings)
    assert (done.rows()["status"] != "failed").all()
    assert done.rows()["survives_storage"].notna().all()
    assert done.evaluation
    assert done.evaluation.sides["first"]["official"]
