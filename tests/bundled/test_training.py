"""The whole training, small, on a few hundred made-up digits."""

import dataclasses

import pytest
import torch
from test_mnist import barred

from gevaldi.bundled import store
from gevaldi.bundled.architectures import ARCHITECTURES, Strided
from gevaldi.bundled.fitting import Average, Schedule, fit, jitter, seeded
from gevaldi.bundled.training import RECIPE, train_mnist
from gevaldi.errors import WeightsError

ONCE = Schedule(epochs=1, batch=50, rate=3e-3)
SMALL = dataclasses.replace(
    RECIPE, strided=dataclasses.replace(ONCE, epochs=8), pooled=ONCE, referee=ONCE, autoencoder=ONCE, flow=ONCE
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return barred(tmp_path_factory.mktemp("mnist"), 300)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out, told = tmp_path_factory.mktemp("out"), []
    outcome = train_mnist(data, out, progress=lambda name, share: told.append((name, share)), recipe=SMALL)
    return out, outcome, told


def test_every_model_is_written_with_its_card_and_loads(trained):
    out, outcome, _ = trained
    assert [model.name for model in outcome] == list(ARCHITECTURES)
    for name in ARCHITECTURES:
        store.load(name, out)
        card, header = (out / f"{name}.md").read_text(), store.metadata(name, out)
        assert header["command"] in card
        assert header["seed"] == "0"
        assert f"{int(header['parameters']):,}" in card
        assert "Not for." in card
    assert len(list(out.iterdir())) == 2 * len(ARCHITECTURES)


def test_what_is_easy_is_learnt(trained):
    assert store.metadata("mnist-strided", trained[0])["accuracy on 100 test digits"] == "100.00 %"


def test_progress_rises_to_one_for_each_model(trained):
    for name in ARCHITECTURES:
        shares = [share for told, share in trained[2] if told == name]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1)


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_where_it_stopped(trained, data, tmp_path):
    out, _, _ = trained
    for name in ("mnist-strided", "mnist-pooled", "mnist-referee"):
        (tmp_path / f"{name}.safetensors").write_bytes((out / f"{name}.safetensors").read_bytes())
    outcome = train_mnist(data, tmp_path, progress=lambda name, share: None, recipe=SMALL)
    assert [model.skipped for model in outcome] == [True, True, True, False]
    ours, whole = store.load("mnist-vae", tmp_path), store.load("mnist-vae", out)
    assert all(torch.allclose(p, q, atol=1e-3) for p, q in zip(ours.parameters(), whole.parameters(), strict=True))


def test_the_models_of_another_seed_are_not_taken_for_these(trained, data):
    with pytest.raises(WeightsError, match=r"has seed '0'; this training has seed '1'"):
        train_mnist(data, trained[0], seed=1, progress=lambda name, share: None, recipe=SMALL)


def test_the_models_of_other_settings_are_not_taken_for_these(trained, data):
    with pytest.raises(WeightsError, match="has recipe"):
        train_mnist(data, trained[0], progress=lambda name, share: None)


def test_nothing_is_printed_where_there_is_no_terminal(trained, data, capfd):
    train_mnist(data, trained[0], recipe=SMALL)
    assert capfd.readouterr() == ("", "")


def test_a_fit_finds_the_minimum_of_a_parabola():
    network = torch.nn.Linear(1, 1, bias=False)
    shares = list(fit(network, lambda batch, noise: (network.weight - 3).square().sum(), 10, Schedule(200, 5, 0.1), seed=0))
    assert network.weight.item() == pytest.approx(3, abs=1e-2)
    assert len(shares) == 400
    assert shares[-1] == 1


def test_each_example_is_seen_once_an_epoch():
    network, seen = torch.nn.Linear(1, 1), []

    def loss(batch, noise):
        seen.append(batch.tolist())
        return network.weight.sum()

    list(fit(network, loss, 6, Schedule(2, 3, 0.1), seed=0))
    assert sorted(seen[0] + seen[1]) == sorted(seen[2] + seen[3]) == list(range(6))


def test_a_seed_decides_the_initial_weights_and_leaves_the_random_numbers_of_the_caller():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = seeded(Strided, 1), seeded(Strided, 1), seeded(Strided, 2)
    assert torch.rand(1) == expected
    assert torch.equal(first[1].weight, again[1].weight)
    assert not torch.equal(first[1].weight, other[1].weight)


def test_the_average_follows_by_its_memory():
    network = torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(network.weight)
    average = Average(network, memory=0.75)
    torch.nn.init.ones_(network.weight)
    average.follow(network)
    average.follow(network)
    assert average.network.weight.item() == pytest.approx(1 - 0.75**2)


def test_jitter_keeps_pictures_in_zero_to_one_and_is_a_function_of_its_noise():
    pictures = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    first, again = (jitter(pictures, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.min() >= 0
    assert first.max() <= 1 + 1e-6
