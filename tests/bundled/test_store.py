"""Weights on disk: what is written is read back, and what is not whole or not ours is refused."""

import pytest
import torch
from safetensors.torch import save_file

from gevaldi.bundled import store
from gevaldi.bundled.architectures import Strided
from gevaldi.errors import SpecError, UnknownName, WeightsError


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    network = Strided()
    store.round_to_half(network)
    store.save(tmp_path / "mnist-strided.safetensors", network, {"seed": "7"})
    return tmp_path


def test_what_is_saved_is_loaded_ready_to_search(folder):
    torch.manual_seed(0)
    written = Strided()
    store.round_to_half(written)
    network, pictures = store.load("mnist-strided", folder), torch.rand(2, 1, 28, 28)
    assert torch.allclose(network(pictures), written(pictures), atol=1e-5)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert store.metadata("mnist-strided", folder) == {"seed": "7"}


def test_loading_does_not_move_the_random_numbers_of_the_caller(folder):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    store.load("mnist-strided", folder)
    assert torch.rand(1) == expected


def test_no_temporary_file_is_left(folder):
    assert [path.name for path in folder.iterdir()] == ["mnist-strided.safetensors"]


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="mnist-pooled"):
        store.load("mnist-poled")


def test_a_network_that_does_not_ship_is_answered_with_how_to_train_it():
    with pytest.raises(
        SpecError, match=r"fashion-linear does not ship .* gevaldi train fashion --data DIR --out FOLDER, .*:fashion-linear,folder="
    ):
        store.load("fashion-linear")


def test_missing_weights_are_answered_with_the_training_command(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights at .*gevaldi train mnist"):
        store.load("mnist-strided", tmp_path)


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(folder, left):
    path = folder / "mnist-strided.safetensors"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        store.load("mnist-strided", folder)


def test_the_weights_of_another_architecture_are_refused_with_the_first_differences(folder):
    (folder / "mnist-strided.safetensors").rename(folder / "mnist-pooled.safetensors")
    with pytest.raises(WeightsError, match=r"another architecture than Pooled: 1\.bias came as \(10,\), expected was \(16,\)"):
        store.load("mnist-pooled", folder)


def test_a_file_with_one_tensor_too_few_is_refused(folder):
    path = folder / "mnist-strided.safetensors"
    tensors, _ = store.read_weights(path, "train")
    del tensors["8.bias"]
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=r"8\.bias came as nothing"):
        store.load("mnist-strided", folder)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    store.write_model_file(tmp_path / "card.md", b"old")
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(WeightsError, match="disk full"):
        store.write_model_file(tmp_path / "card.md", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("card.md", b"old")]
