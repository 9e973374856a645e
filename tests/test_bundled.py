"""The bundled models do what their cards say, and a comparison of them reaches what it should."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import gevaldi
from gevaldi.bundled import store
from gevaldi.bundled.audit import accuracy, draw
from gevaldi.bundled.digits import real_digits
from gevaldi.bundled.mnist import read_mnist
from gevaldi.measures.summary import summaries

FOLDERS = [os.environ.get("GEVALDI_MNIST"), Path(__file__).parents[2] / "shared" / "data" / "mnist"]
MNIST = next((Path(folder) for folder in FOLDERS if folder and Path(folder).is_dir()), None)
needs_mnist = pytest.mark.skipif(MNIST is None, reason="MNIST's idx files are not here: set GEVALDI_MNIST to their folder")
ACCURACIES = {"mnist-strided": (98.6, 0.15), "mnist-pooled": (98.8, 0.15), "mnist-referee": (99.7, 0.3)}


def carded_accuracy(name: str) -> float:
    line = next(line for line in (store.SHIPPED / f"{name}.md").read_text().splitlines() if "accuracy" in line)
    return float(line.split("|")[2].strip().removesuffix(" %"))


@pytest.mark.parametrize("name", ACCURACIES)
def test_the_accuracy_of_the_card_is_in_range_and_agrees_with_the_shipped_digits(name: str) -> None:
    middle, reach = ACCURACIES[name]
    assert abs(carded_accuracy(name) - middle) <= reach + 1e-9
    pictures, labels = real_digits()
    right = int((store.load(name)(pictures).argmax(1) == labels).sum())
    assert binomtest(right, 1000, carded_accuracy(name) / 100).pvalue > 1e-3


@needs_mnist
@pytest.mark.slow
@pytest.mark.parametrize("name", ACCURACIES)
def test_the_accuracy_of_the_card_is_that_on_the_ten_thousand_test_digits(name: str) -> None:
    assert 100 * accuracy(store.load(name), read_mnist("test", MNIST)) == pytest.approx(carded_accuracy(name), abs=0.011)


@needs_mnist
def test_the_shipped_digits_are_a_hundred_of_each_from_the_test_set() -> None:
    pictures, labels = real_digits()
    test = read_mnist("test", MNIST)
    known = {(p.mul(255).round().byte().numpy().tobytes(), int(y)) for p, y in zip(test.pictures, test.labels, strict=True)}
    assert torch.bincount(labels).tolist() == [100] * 10
    assert all((p.mul(255).round().byte().numpy().tobytes(), int(y)) in known for p, y in zip(pictures, labels, strict=True))


def test_the_weights_that_ship_are_small() -> None:
    assert sum(path.stat().st_size for path in store.SHIPPED.glob("*.safetensors")) <= 4_000_000


@pytest.mark.slow
def test_the_generator_draws_what_it_is_asked_for_and_little_that_is_disputed() -> None:
    generator, referee = store.load("mnist-vae"), store.load("mnist-referee")
    pictures, y = draw(generator, 3000, seed=123)
    top = {name: store.load(name)(pictures).argmax(1) for name in ("mnist-strided", "mnist-pooled")}
    disputed = (top["mnist-strided"] != top["mnist-pooled"]).float().mean().item()
    assert (referee(pictures).argmax(1) == y).float().mean().item() >= 0.97
    assert disputed <= 1.5 * 0.0107  # the pair's rate on the 10,000 real test digits, from the generator's card


@pytest.mark.slow
def test_default_settings_part_the_pair_inside_the_prior(tmp_path: Path) -> None:
    names = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
    rows = gevaldi.compare(*names, samples=100, out=tmp_path, device="cpu", batch_size=50).rows()
    for found in summaries(rows):
        assert found.typical.value >= 0.99
        assert found.differ_end.value >= 0.90
        assert found.failed == 0


@pytest.mark.slow
def test_batch_sizes_give_the_same_samples_on_the_bundled_pair(tmp_path: Path) -> None:
    names = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
    runs = {
        size: gevaldi.compare(*names, samples=20, out=tmp_path / str(size), device="cpu", batch_size=size).rows()
        for size in (1, 7, 64)
    }
    for size in (1, 7):
        ratio = runs[size]["divergence_end"] / runs[64]["divergence_end"]
        same = [
            a[0]["label"] == b[0]["label"]
            for who in ("first_end", "second_end")
            for a, b in zip(runs[size][who], runs[64][who], strict=True)
        ]
        assert np.all(np.abs(ratio - 1) < 1e-3)
        assert np.mean(same) >= 0.99
