"""The weights and pictures that ship: what their cards say is so."""

import re

import pytest
import torch
from scipy.stats import binomtest

from conftest import FASHION, MNIST, needs_fashion, needs_mnist, needs_speech
from conftest import SPEECH as FSDD
from gevaldi.bundled import audit, store
from gevaldi.bundled.examples import Examples
from gevaldi.bundled.worlds import DIGITS, GARMENTS, SPEECH, WORLDS, World
from gevaldi.classifiers import load_classifier
from gevaldi.errors import SpecError
from gevaldi.generators import load_generator

SHIPPED = [(world, name) for world in WORLDS.values() for name in world.shipped]
CLASSIFIERS = [(world, name) for world, name in SHIPPED if name != world.generator.name]
DATA = {"mnist": MNIST, "fashion": FASHION, "speech": FSDD}
TESTED = {"mnist": 10_000, "fashion": 10_000, "speech": 300}
REAL = {"mnist": 1000, "fashion": 1000, "speech": 120}
of_a_world = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
of_a_classifier = pytest.mark.parametrize(("world", "name"), CLASSIFIERS, ids=[name for _, name in CLASSIFIERS])
MARKS = {"mnist": needs_mnist, "fashion": needs_fashion, "speech": needs_speech}
with_data = pytest.mark.parametrize("world", [pytest.param(world, marks=MARKS[name], id=name) for name, world in WORLDS.items()])


def stated(name: str, question: str) -> float:
    """The first percentage that the header of the weights answers a question with, as a share."""
    found = re.search(r"([\d.]+) %", store.metadata(name)[question])
    assert found
    return float(found[1]) / 100


def accuracy_of(world: World, name: str) -> float:
    return stated(name, f"accuracy on {TESTED[world.data.world]:,} test {world.data.many}")


def real(world: World) -> Examples:
    return world.data.shipped()


def all_real(world: World) -> Examples:
    return world.data.read("test", DATA[world.data.world])


@of_a_world
def test_there_are_equally_many_real_pictures_of_each_class(world):
    found, count = real(world), REAL[world.data.world]
    assert found.pictures.shape == (count, 1, world.data.side, world.data.side)
    assert found.labels.bincount().tolist() == [count // 10] * 10
    assert found.pictures.min() == 0
    assert 0.9 < found.pictures.max() <= 1


@pytest.mark.parametrize(("world", "most"), [(DIGITS, 4_000_000), (GARMENTS, 2_500_000), (SPEECH, 1_200_000)])
def test_the_weights_are_small_enough_to_ship(world, most):
    assert sum(path.stat().st_size for path in world.folder.glob("*.safetensors")) <= most
    assert {path.stem for path in world.folder.glob("*.safetensors")} == set(world.shipped)


@pytest.mark.parametrize(("world", "name"), SHIPPED, ids=[name for _, name in SHIPPED])
def test_a_card_states_what_the_header_of_the_weights_does(world, name):
    card, header = (world.folder / f"{name}.md").read_text(encoding="utf-8"), store.metadata(name)
    for key in set(header) - {"name", "parameters", "seed"}:
        assert header[key] in card
    assert int(header["parameters"]) == sum(p.numel() for p in store.load(name).parameters())


@of_a_world
def test_shipped_classifiers_were_made_by_the_recipe_of_today(world):
    made = {**world.classifiers, world.generator.name: world.generator}
    assert all(store.metadata(name)["recipe"] == made[name].recipe for name in world.shipped)
    assert all(store.metadata(name)["command"] == f"{world.data.command} --seed 0" for name in world.shipped)


@of_a_classifier
def test_the_accuracy_on_the_shipped_pictures_is_consistent_with_the_card(world, name):
    found = real(world)
    right = round(audit.accuracy(store.load(name), found) * len(found))
    assert binomtest(right, len(found), accuracy_of(world, name)).pvalue > 1e-3


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, seeds in GARMENTS.seeds.items() for seed in seeds])
def test_another_seed_is_another_network_of_the_same_recipe_and_its_accuracy_is_consistent(name, seed):
    found, network = real(GARMENTS), load_classifier(f"bundled:{name},seed={seed}")
    header = store.read_weights(GARMENTS.folder / "seeds" / f"{name}-seed-{seed}.safetensors", GARMENTS.data.command)[1]
    assert header["recipe"] == GARMENTS.classifiers[name].recipe
    assert header["command"] == f"{GARMENTS.data.command} --seed {seed}"
    right, stated = audit.accuracy(network, found), header["accuracy on 10,000 test garments"]
    assert binomtest(round(right * len(found)), len(found), float(stated.partition(" ")[0]) / 100).pvalue > 1e-3
    assert not torch.equal(network(found.pictures[:9]), load_classifier(f"bundled:{name}")(found.pictures[:9]))


def test_a_seed_of_garments_that_does_not_ship_is_answered_with_those_that_do():
    with pytest.raises(SpecError, match="ships with the seeds 0, 1; seed=5 was requested"):
        load_classifier("bundled:fashion-dense,seed=5")


@pytest.mark.parametrize(
    ("name", "low", "high"), [("mnist-strided", 98.45, 98.75), ("mnist-pooled", 98.65, 98.95), ("mnist-referee", 99.4, 100)]
)
def test_the_accuracies_are_those_of_the_paper(name, low, high):
    assert low <= 100 * accuracy_of(DIGITS, name) <= high


@of_a_world
def test_the_audit_of_the_generator_repeats_on_new_samples(world):
    pictures, y = audit.draw(store.load(world.generator.name), 1000, seed=1)
    parted = round(1000 * audit.disagreement(*map(store.load, world.pair), pictures))
    read = int(audit.top_class(store.load(world.referee), pictures).eq(y).sum())
    assert binomtest(parted, 1000, stated(world.generator.name, f"the pair disagrees on generated {world.data.many}")).pvalue > 1e-3
    meant = f"the referee reads the {world.data.one} that was meant"
    assert binomtest(read, 1000, stated(world.generator.name, meant)).pvalue > 1e-3


@with_data
def test_the_accuracy_on_all_test_pictures_is_the_cards(world):
    found = all_real(world)
    for name in set(world.shipped) - {world.generator.name}:
        assert audit.accuracy(store.load(name), found) == pytest.approx(accuracy_of(world, name), abs=2e-4)


@with_data
def test_the_shipped_pictures_are_test_pictures(world):
    found, few = all_real(world), real(world)
    known = {picture.numpy().tobytes(): int(label) for picture, label in zip(found.pictures, found.labels, strict=True)}
    shipped = zip(few.pictures, few.labels, strict=True)
    assert all(known[picture.numpy().tobytes()] == int(label) for picture, label in shipped)


@needs_fashion
def test_shipped_classifiers_of_garments_differ_on_5_to_12_percent_of_pictures_and_two_are_nearly_equal():
    found = all_real(GARMENTS)
    names = [name for name in GARMENTS.shipped if name != GARMENTS.generator.name]
    top = {name: audit.top_class(store.load(name), found.pictures) for name in names}
    pairs = [(one, other) for i, one in enumerate(names) for other in names[i + 1 :]]
    churn = [top[one].ne(top[other]).float().mean().item() for one, other in pairs]
    assert 0.05 <= min(churn) <= max(churn) <= 0.12
    accuracies = {name: top[name].eq(found.labels).float().mean().item() for name in names}
    assert min(abs(accuracies[one] - accuracies[other]) for one, other in pairs) < 0.003


def test_what_the_generator_of_spoken_digits_says_is_heard_as_the_digit_asked_for():
    """Its pictures become sound, and the sound a picture again, which only their audible part survives."""
    drawn, y = audit.draw(store.load("speech-vae"), 100, seed=2)
    sound, referee = load_generator("bundled:speech-vae").sound, store.load("speech-referee")
    heard = sound.picture(sound.waveform(drawn))
    assert audit.accuracy(referee, Examples(heard, y)) >= 0.93  # 98.8 % of 600
    few = SPEECH.data.shipped()
    assert audit.accuracy(referee, Examples(sound.picture(sound.waveform(few.pictures)), few.labels)) >= 0.97


def test_the_pair_of_spoken_digits_differs_on_several_percent_of_recordings():
    assert 0.02 <= audit.disagreement(*map(store.load, SPEECH.pair), SPEECH.data.shipped().pictures) <= 0.2


@needs_mnist
@pytest.mark.filterwarnings("ignore")
def test_torchvision_reads_the_same_test_digits(tmp_path):
    import gzip

    from torchvision.datasets import MNIST as Reference

    assert MNIST is not None
    all_digits = all_real(DIGITS)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in MNIST.glob("*ubyte*"):
        content = path.read_bytes()
        (raw / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    reference = Reference(str(tmp_path), train=False)
    assert torch.equal(reference.data, (all_digits.pictures[:, 0] * 255).round().byte())
    assert torch.equal(reference.targets, all_digits.labels)
