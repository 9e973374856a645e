"""The weights and digits that ship: what their cards say is so."""

import re

import pytest
import torch
from scipy.stats import binomtest, chi2

from conftest import MNIST, needs_mnist
from gevaldi.bundled import audit, digits, store
from gevaldi.bundled.architectures import ARCHITECTURES
from gevaldi.bundled.mnist import Digits, read_mnist

CLASSIFIERS = ("mnist-strided", "mnist-pooled", "mnist-referee")


def stated(name: str, question: str) -> float:
    """The first percentage that the header of the weights answers a question with, as a share."""
    found = re.search(r"([\d.]+) %", store.metadata(name)[question])
    assert found
    return float(found[1]) / 100


@pytest.fixture(scope="module")
def real() -> Digits:
    return Digits(*digits.real_digits())


@pytest.fixture(scope="module")
def all_digits() -> Digits:
    return read_mnist("test", MNIST)


def test_there_are_a_hundred_real_digits_of_each_kind(real):
    assert real.pictures.shape == (1000, 1, 28, 28)
    assert real.labels.bincount().tolist() == [100] * 10
    assert real.pictures.min() == 0
    assert real.pictures.max() == 1


def test_the_weights_take_no_more_than_four_megabytes():
    assert sum(path.stat().st_size for path in store.SHIPPED.iterdir()) <= 4_000_000


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_card_states_what_the_header_of_the_weights_does(name):
    card, header = (store.SHIPPED / f"{name}.md").read_text(), store.metadata(name)
    for key in set(header) - {"name", "parameters", "seed"}:
        assert header[key] in card
    assert int(header["parameters"]) == sum(p.numel() for p in store.load(name).parameters())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_accuracy_on_the_shipped_digits_is_consistent_with_the_card(name, real):
    right = round(audit.accuracy(store.load(name), real) * len(real))
    assert binomtest(right, len(real), stated(name, "accuracy on 10,000 test digits")).pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "low", "high"), [(CLASSIFIERS[0], 98.45, 98.75), (CLASSIFIERS[1], 98.65, 98.95), (CLASSIFIERS[2], 99.4, 100)]
)
def test_the_accuracies_are_those_of_the_paper(name, low, high):
    assert low <= 100 * stated(name, "accuracy on 10,000 test digits") <= high


def test_the_audit_of_the_generator_repeats_on_new_samples():
    pictures, y = audit.draw(store.load("mnist-vae"), 1000, seed=1)
    parted = round(1000 * audit.disagreement(store.load(CLASSIFIERS[0]), store.load(CLASSIFIERS[1]), pictures))
    read = int(audit.top_class(store.load("mnist-referee"), pictures).eq(y).sum())
    assert binomtest(parted, 1000, stated("mnist-vae", "the pair disagrees on generated digits")).pvalue > 1e-3
    assert binomtest(read, 1000, stated("mnist-vae", "the referee reads the digit that was meant")).pvalue > 1e-3


def test_the_latents_of_real_digits_lie_in_the_prior(real):
    """|u|² of real digits follows the χ² law roughly: the flow learnt the prior of the autoencoder's latents."""
    generator = store.load("mnist-vae")
    norms = audit.in_batches(generator.invert, real.pictures, real.labels).square().sum(1)
    assert norms.le(chi2.ppf(0.999, generator.latent)).float().mean() > 0.97


@needs_mnist
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_accuracy_on_all_test_digits_is_the_cards(name, all_digits):
    assert audit.accuracy(store.load(name), all_digits) == pytest.approx(stated(name, "accuracy on 10,000 test digits"), abs=2e-4)


@needs_mnist
def test_the_shipped_digits_are_test_digits(real, all_digits):
    known = {picture.numpy().tobytes(): int(label) for picture, label in zip(all_digits.pictures, all_digits.labels, strict=True)}
    shipped = zip(real.pictures, real.labels, strict=True)
    assert all(known[picture.numpy().tobytes()] == int(label) for picture, label in shipped)


@needs_mnist
@pytest.mark.filterwarnings("ignore")
def test_torchvision_reads_the_same_test_digits(tmp_path, all_digits):
    import gzip

    from torchvision.datasets import MNIST as Reference

    assert MNIST is not None
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in MNIST.glob("*ubyte*"):
        content = path.read_bytes()
        (raw / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    reference = Reference(str(tmp_path), train=False)
    assert torch.equal(reference.data, (all_digits.pictures[:, 0] * 255).round().byte())
    assert torch.equal(reference.targets, all_digits.labels)
