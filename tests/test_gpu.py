"""The GPU computes what the CPU computes: rows, draws, predictions, and the ways of computing that only it has."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.classifiers import load_classifier
from gevaldi.contract import on_device
from gevaldi.pictures import load_pictures
from gevaldi.runs.store.run import Run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
PATHS = ["path_divergence", "path_log_prior", "path_delta_z"]


def rows(device: str, *models: Any, **settings: Any) -> pd.DataFrame:
    settings = {"samples": 8, "steps": 30, "audited": 16, "device": device} | settings
    return gevaldi.compare(*(models or PAIR), **settings).rows()


def tops(table: pd.DataFrame, column: str) -> list[int]:
    return [predictions[0]["label"] for predictions in table[column]]


@pytest.mark.parametrize("algorithm", ["adam", "langevin", "sgd", "cma-es"])
def test_rows_of_a_gpu_are_those_of_the_cpu_up_to_rounding(algorithm: str) -> None:
    here, there = (rows(device, search={"algorithm": algorithm, "steps": 30}) for device in ("cpu", "cuda"))
    assert np.allclose(here["divergence_start"], there["divergence_start"], rtol=1e-9)
    assert np.allclose(here["divergence_end"], there["divergence_end"], rtol=1e-4)
    for column in ("first_start", "first_end", "second_end"):
        assert tops(here, column) == tops(there, column)


def test_rows_of_a_gpu_do_not_depend_on_the_batch_size_up_to_rounding() -> None:
    whole, halves = (rows("cuda", batch_size=size) for size in (16, 5))
    assert np.allclose(whole["divergence_end"], halves["divergence_end"], rtol=1e-4)


def test_a_gpu_run_resumes_on_the_cpu(tmp_path: Path) -> None:
    rows("cuda", samples=4, out=tmp_path)
    assert list(rows("cpu", samples=8, out=tmp_path)["index"]) == list(range(16))


def test_a_gpu_finds_the_disagreements_and_regions_of_the_cpu(tmp_path: Path) -> None:
    shares = {}
    for device in ("cpu", "cuda"):
        done = gevaldi.compare(*PAIR, out=tmp_path / device, samples=2, steps=2, audited=16, device=device)
        shares[device] = done.mass(draws=4000, device=device).probability.value
    assert shares["cpu"] == pytest.approx(shares["cuda"], abs=1 / 4000)  # one picture on the boundary, at most


def test_networks_compiled_for_a_gpu_give_the_same_rows(tmp_path: Path) -> None:
    """In a process of its own: here, checks of types are compiled too."""
    code = f"""
import gevaldi
for compiled in (False, True):
    settings = dict(samples=8, steps=30, audited=16, speed=dict(compiled=compiled))
    gevaldi.compare(*{PAIR}, device="cuda", out=f"{tmp_path}/{{compiled}}", **settings)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    plain, compiled = (gevaldi.Comparison(Run.open(tmp_path / name)).rows() for name in ("False", "True"))
    assert np.allclose(plain["divergence_start"], compiled["divergence_start"], rtol=1e-6)
    assert tops(plain, "first_start") == tops(compiled, "first_start")


def test_large_networks_are_tuned_and_searched_on_a_gpu() -> None:
    names = [f"torchvision:{name},weights=random" for name in ("resnet18", "squeezenet1_0")]
    done = gevaldi.compare(
        *names, "biggan:biggan-deep-128,weights=random", samples=4, steps=4, audited=4, device="cuda", progress=False
    )
    plan = done.run.record["execution"]
    assert plan["device"] == "cuda"
    assert not plan["small"]
    assert set(done.rows()["status"]) == {"out of steps"}


def test_a_black_box_answers_beside_a_network_on_a_gpu() -> None:
    linear = nn.Linear(64, 3, bias=False).requires_grad_(False)

    class OnTheHost(nn.Module):
        passes_gradients = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return linear(x.cpu().float().flatten(1)).to(x.device)

    boxed = gevaldi.classifier(OnTheHost().eval(), labels=3)
    here, there = (
        rows(
            device, boxed, small_classifier(1), small_generator(), search={"algorithm": "cma-es", "steps": 40}, precision="float32"
        )
        for device in ("cpu", "cuda")
    )
    assert tops(here, "first_start") == tops(there, "first_start")
    assert set(there["status"]) == {"out of steps"}


@pytest.mark.parametrize("name", ["bundled:mnist-pooled", "bundled:mnist-referee", "tempered:bundled:mnist-pooled,temperature=2"])
def test_a_classifier_says_on_a_gpu_in_single_precision_what_it_says_on_the_cpu(name: str) -> None:
    classifier = load_classifier(name)
    pictures = torch.stack(list(load_pictures("bundled:mnist-digits", (1, 28, 28), 64).pictures))
    here = classifier(pictures)
    with on_device(classifier, device=torch.device("cuda")):
        there = classifier(pictures.to("cuda")).cpu()
    assert torch.allclose(here, there, atol=1e-4)
