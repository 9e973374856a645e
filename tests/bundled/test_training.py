"""The whole training of a world, small, on a few hundred made-up pictures."""

import dataclasses

import pytest
import torch
from test_mnist import barred
from test_recordings import hummed

from gevaldi.bundled import store
from gevaldi.bundled.architectures import Strided
from gevaldi.bundled.fitting import AUGMENTATIONS, Average, fit, mask, mirror, seeded, stretch
from gevaldi.bundled.mnist import IdxFiles
from gevaldi.bundled.recordings import Recordings
from gevaldi.bundled.schedule import Schedule
from gevaldi.bundled.training import train_world
from gevaldi.bundled.worlds import WORLDS, World
from gevaldi.classifiers import load_classifier
from gevaldi.errors import WeightsError
from gevaldi.generators import load_generator

ONCE = Schedule(epochs=1, batch=50, rate=3e-3)
WRITTEN = {IdxFiles: barred, Recordings: hummed}  # by whom a small data set is written


def small(world: World) -> World:
    """A world whose first classifier learns what is easy, and whose others are trained for one epoch."""
    rest = {name: dataclasses.replace(family, epochs=1) for name, family in world.classifiers.items() if name != world.pair[0]}
    first = {world.pair[0]: dataclasses.replace(world.classifiers[world.pair[0]], epochs=20, rate=3e-3, augmentation=None)}
    return dataclasses.replace(
        world, classifiers=first | rest, generator=dataclasses.replace(world.generator, autoencoder=ONCE, flow=ONCE, copies=1)
    )


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    return small(WORLDS[request.param])


@pytest.fixture(scope="module")
def data(world, tmp_path_factory):
    return WRITTEN[type(world.data)](tmp_path_factory.mktemp("data"), 300)


@pytest.fixture(scope="module")
def trained(world, data, tmp_path_factory):
    out, told = tmp_path_factory.mktemp("out"), []
    outcome = train_world(world, data, out, progress=lambda name, share: told.append((name, share)))
    return world, out, outcome, told


def test_every_model_is_written_with_its_card_and_loads(trained):
    world, out, outcome, _ = trained
    assert [model.name for model in outcome] == world.names
    for name in world.names:
        store.load(name, out)
        card, header = (out / f"{name}.md").read_text(), store.metadata(name, out)
        assert header["command"] in card
        assert header["seed"] == "0"
        assert f"{int(header['parameters']):,}" in card
        assert world.data.many in card
        assert "Not for." in card
    assert len(list(out.iterdir())) == 2 * len(world.names)


def test_a_name_with_a_folder_is_the_network_in_that_folder(trained):
    world, out, _, _ = trained
    side = world.data.side
    pictures = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0))
    for name in world.classifiers:
        named = load_classifier(f"bundled:{name},folder={out}")
        assert torch.allclose(named(pictures), store.load(name, out)(pictures).log_softmax(1), atol=1e-5)
    drawn = load_generator(f"bundled:{world.generator.name},folder={out}")
    assert len(drawn.conditions) == 10


def test_what_is_easy_is_learnt(trained):
    world, out, _, _ = trained
    assert store.metadata(world.pair[0], out)[f"accuracy on 100 test {world.data.many}"] == "100.00 %"


def test_progress_rises_to_one_for_each_model(trained):
    world, _, _, reported = trained
    for name in world.names:
        shares = [share for told, share in reported if told == name]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("world", ["mnist"], indirect=True)  # all worlds are trained by the same lines
def test_a_training_that_was_killed_goes_on_where_it_stopped(trained, data, tmp_path):
    world, out, _, _ = trained
    for name in world.classifiers:
        (tmp_path / f"{name}.safetensors").write_bytes((out / f"{name}.safetensors").read_bytes())
    outcome = train_world(world, data, tmp_path, progress=lambda name, share: None)
    assert [model.skipped for model in outcome] == [True] * len(world.classifiers) + [False]
    ours, whole = store.load(world.generator.name, tmp_path), store.load(world.generator.name, out)
    assert all(torch.allclose(p, q, atol=1e-3) for p, q in zip(ours.parameters(), whole.parameters(), strict=True))


def test_the_models_of_another_seed_are_not_taken_for_these(trained, data):
    world, out, _, _ = trained
    with pytest.raises(WeightsError, match=r"has seed '0'; this training has seed '1'"):
        train_world(world, data, out, seed=1, progress=lambda name, share: None)


def test_the_models_of_other_settings_are_not_taken_for_these(trained, data):
    world, out, _, _ = trained
    other = dataclasses.replace(world.classifiers[world.pair[0]], epochs=2)
    with pytest.raises(WeightsError, match="has recipe"):
        train_world(dataclasses.replace(world, classifiers={other.name: other}), data, out, progress=lambda name, share: None)


def test_nothing_is_printed_where_there_is_no_terminal(trained, data, capfd):
    world, out, _, _ = trained
    train_world(world, data, out)
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


@pytest.mark.parametrize("augment", AUGMENTATIONS.values(), ids=map(str, AUGMENTATIONS))
def test_augmentation_keeps_pictures_in_zero_to_one_and_is_a_function_of_its_noise(augment):
    pictures = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    first, again = (augment(pictures, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.shape == pictures.shape
    assert torch.equal(first, again)
    assert first.min() >= 0
    assert first.max() <= 1 + 1e-6


def test_about_half_of_the_pictures_are_mirrored():
    picture = torch.zeros(1, 1, 28, 28)
    picture[..., 14, 4] = 1
    left = mirror(picture.expand(1000, -1, -1, -1), torch.Generator().manual_seed(0))[..., :14].sum().item()
    assert 430 < left < 570


def test_a_stretch_shows_each_frame_where_time_says():
    """A ramp in time stays one: at frame t it has the value of (t - later) · factor."""
    whole = torch.ones(50, 1, 64, 64) * (torch.arange(64.0) / 128 + 0.25)
    noise = torch.Generator().manual_seed(0)
    longer, later, _ = (2 * torch.rand(3, 50, 1, generator=noise) - 1) * torch.tensor([0.1, 5.0, 0.0]).view(3, 1, 1)
    frames = (torch.arange(64) - later) * longer.exp()
    moved = stretch(whole, torch.Generator().manual_seed(0), (0.1, 5.0, 0.0))
    inside = (frames >= 0) & (frames <= 63)
    assert torch.allclose(moved[:, 0, 5][inside], (frames / 128 + 0.25)[inside], atol=1e-5)
    assert moved[:, 0, 5][(frames <= -1) | (frames >= 64)].eq(0).all()


def test_silence_stays_silent_however_loud_a_picture_becomes():
    assert not stretch(torch.zeros(20, 1, 64, 64), torch.Generator().manual_seed(0), (0.1, 5.0, 0.5)).any()


def test_a_mask_silences_whole_bands_and_frames_and_no_more_than_it_may():
    masked = mask(torch.ones(200, 1, 64, 64), torch.Generator().manual_seed(0), bands=10, frames=8)[:, 0].eq(0)
    bands, frames = masked.all(2).sum(1), masked.all(1).sum(1)
    assert bands.max() == 10
    assert frames.max() == 8
    assert torch.equal(masked.sum((1, 2)), 64 * (bands + frames) - bands * frames)
