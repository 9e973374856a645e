"""The reader of idx files, against hand-made bytes and against torchvision's reader."""

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from gevaldi.bundled import mnist
from gevaldi.bundled.worlds import DIGITS, GARMENTS
from gevaldi.errors import DataError

IMAGES, LABELS = mnist.FILES["test"]


def barred(folder, train):
    """MNIST's files in small. Class n is a bright bar of two lines at the height 2 n, on noise: easy to read."""
    random = np.random.default_rng(0)
    for part, size in (("train", train), ("test", 100)):
        labels = np.arange(size, dtype=np.uint8) % 10
        pictures = random.integers(0, 40, (size, 28, 28), dtype=np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            picture[2 * label : 2 * label + 2, 4:24] = 255
        for name, values in zip(mnist.FILES[part], (pictures, labels), strict=True):
            (folder / name).write_bytes(idx(values))
    return folder


def idx(values: np.ndarray) -> bytes:
    """The idx file of an array of unsigned bytes, by the format's definition."""
    return bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


def write_test_part(folder: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    (folder / IMAGES).write_bytes(idx(pictures))
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx(labels)))


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def test_a_hand_made_file_is_read_byte_by_byte(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255]))
    assert mnist.read_idx(tmp_path / "a").tolist() == [[1, 2, 3], [4, 5, 255]]


def test_gzipped_and_plain_files_read_alike(tmp_path, pictures):
    (tmp_path / "plain").write_bytes(idx(pictures))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(pictures)))
    assert np.array_equal(mnist.read_idx(tmp_path / "plain"), mnist.read_idx(tmp_path / "packed"))


def test_pictures_come_in_zero_to_one_with_their_labels(tmp_path, pictures):
    write_test_part(tmp_path, pictures, np.array([3, 1, 4, 1, 5], np.uint8))
    digits = DIGITS.data.read("test", tmp_path)
    assert torch.equal(digits.pictures, torch.from_numpy(pictures).unsqueeze(1).float() / 255)
    assert digits.labels.tolist() == [3, 1, 4, 1, 5]


@pytest.mark.filterwarnings("ignore")
def test_torchvision_reads_the_same(tmp_path, pictures):
    from torchvision.datasets.mnist import read_image_file

    (tmp_path / IMAGES).write_bytes(idx(pictures))
    assert np.array_equal(read_image_file(str(tmp_path / IMAGES)).numpy(), mnist.read_idx(tmp_path / IMAGES))


def test_a_missing_folder_is_answered_with_all_files_expected(tmp_path):
    with pytest.raises(DataError, match=r"no such folder.*train-images-idx3-ubyte.*t10k-labels-idx1-ubyte"):
        DIGITS.data.read("train", tmp_path / "nowhere")


def test_a_missing_file_is_named(tmp_path, pictures):
    write_test_part(tmp_path, pictures, np.zeros(5, np.uint8))
    (tmp_path / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is missing"):
        DIGITS.data.read("test", tmp_path)


@pytest.mark.parametrize("left", [0, 3, 10, 100])
def test_a_truncated_file_is_named(tmp_path, pictures, left):
    (tmp_path / IMAGES).write_bytes(idx(pictures)[:left])
    with pytest.raises(DataError, match=IMAGES):
        mnist.read_idx(tmp_path / IMAGES)


def test_a_truncated_gzip_is_named(tmp_path, pictures):
    (tmp_path / IMAGES).write_bytes(gzip.compress(idx(pictures))[:200])
    with pytest.raises(DataError, match=f"{IMAGES} cannot be read"):
        mnist.read_idx(tmp_path / IMAGES)


def test_a_download_page_instead_of_data_is_told_by_its_first_bytes(tmp_path):
    (tmp_path / IMAGES).write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="3c 68 74 6d"):
        mnist.read_idx(tmp_path / IMAGES)


@pytest.mark.parametrize(
    ("shape", "labels", "complaint"),
    [((5, 28, 28), [1, 2], "one label a picture"), ((2, 28, 28), [1, 10], "the label 10"), ((2, 32, 32), [1, 2], r"\(2, 32, 32\)")],
)
def test_files_that_are_not_mnist_are_refused(tmp_path, shape, labels, complaint):
    write_test_part(tmp_path, np.zeros(shape, np.uint8), np.array(labels, np.uint8))
    with pytest.raises(DataError, match=complaint):
        DIGITS.data.read("test", tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", [DIGITS.data, GARMENTS.data], ids=lambda data: data.world)
def test_a_failed_download_says_how_to_hand_over_a_folder(data, tmp_path, monkeypatch):
    import torchvision.datasets

    def offline(*args, **kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(torchvision.datasets, data.torchvision, offline)
    with pytest.raises(DataError, match=rf"{data.name} could.*Error downloading.*gevaldi train {data.world} --data FOLDER"):
        mnist.download(data, tmp_path)


def test_the_files_of_a_package_are_read_where_no_folder_is_named(tmp_path, pictures):
    write_test_part(tmp_path, pictures, np.array([3, 1, 4, 1, 5], np.uint8))
    data = dataclasses.replace(GARMENTS.data, package=tmp_path)
    assert data.read("test").labels.tolist() == [3, 1, 4, 1, 5]
