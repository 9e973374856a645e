"""The bundled models do what their cards say, and a comparison of them reaches what it should."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import gevaldi
from gevaldi.bundled import store
from gevaldi.bundled.architectures import Flow
from gevaldi.bundled.audit import accuracy, draw
from gevaldi.bundled.digits import real_digits
from gevaldi.bundled.mnist import Digits, read_mnist
from gevaldi.bundled.training import RECIPE, Recipe, Schedule, train_mnist
from gevaldi.errors import DataError, WeightsError
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


def test_the_flow_is_inverted_and_its_determinant_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    flow = Flow(latent=4, layers=3, hidden=8).double()
    for p in flow.parameters():
        torch.nn.init.normal_(p, std=0.3)
    u, y = torch.randn(5, 4, dtype=torch.float64), torch.arange(5)
    back, log_determinant = flow.inverse(flow(u, y), y)
    assert torch.allclose(back, u, atol=1e-10)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda v, i=i: flow(v, y[i : i + 1])[0], u[i : i + 1])[:, 0]
        assert torch.allclose(-torch.linalg.slogdet(jacobian).logabsdet, log_determinant[i], atol=1e-10)


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
        assert np.mean(np.abs(ratio - 1) < 1e-3) >= 0.95
        assert np.mean(same) >= 0.99


def test_a_truncated_or_foreign_weights_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    whole = (store.SHIPPED / "mnist-strided.safetensors").read_bytes()
    (tmp_path / "mnist-strided.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"not a whole safetensors file.*gevaldi train mnist"):
        store.load("mnist-strided", tmp_path)
    shutil.copy(store.SHIPPED / "mnist-pooled.safetensors", tmp_path / "mnist-strided.safetensors")
    with pytest.raises(WeightsError, match="holds another architecture than Strided"):
        store.load("mnist-strided", tmp_path)
    with pytest.raises(WeightsError, match="There are no weights at"):
        store.load("mnist-pooled", tmp_path)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def mnist_like(folder: Path, count: int = 300) -> Path:
    pictures, labels = real_digits()
    chosen = torch.randperm(1000, generator=torch.Generator().manual_seed(0))[:count]
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx((pictures[chosen, 0] * 255).round().byte().numpy()))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels[chosen].byte().numpy()))
    return folder


def test_idx_files_are_read_as_they_were_written_and_damage_is_said(tmp_path: Path) -> None:
    digits = read_mnist("train", mnist_like(tmp_path))
    assert isinstance(digits, Digits)
    assert len(digits) == 300
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match="its header announces"):
        read_mnist("train", tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="train-images-idx3-ubyte is missing"):
        read_mnist("train", tmp_path)


@pytest.mark.slow
def test_training_from_idx_files_writes_models_and_cards_and_is_not_repeated(tmp_path: Path) -> None:
    once = Schedule(epochs=1, batch=50, rate=2e-3)
    recipe = Recipe(**{**vars(RECIPE), **dict.fromkeys(("strided", "pooled", "referee", "autoencoder", "flow"), once)})
    (tmp_path / "data").mkdir()
    trained = train_mnist(mnist_like(tmp_path / "data"), tmp_path / "out", progress=lambda name, done: None, recipe=recipe)
    assert {t.name for t in trained} == {"mnist-strided", "mnist-pooled", "mnist-referee", "mnist-vae"}
    before = {t.name: t.path.read_bytes() for t in trained}
    again = train_mnist(tmp_path / "data", tmp_path / "out", progress=lambda name, done: None, recipe=recipe)
    assert all(t.skipped and t.path.read_bytes() == before[t.name] for t in again)
    assert "gevaldi train mnist" in (tmp_path / "out" / "mnist-vae.md").read_text()
    with pytest.raises(WeightsError, match="seed '0'; this training has seed '1'"):
        train_mnist(tmp_path / "data", tmp_path / "out", seed=1, progress=lambda name, done: None, recipe=recipe)
