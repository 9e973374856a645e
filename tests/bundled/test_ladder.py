"""The networks of graded capacity, and those whose knowledge of the hierarchy of digits is known."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from test_mnist import barred
from typer.testing import CliRunner

import gevaldi
from conftest import MNIST, needs_mnist
from gevaldi.bundled import audit, cards, digits, ladder, ladder_training, store, training
from gevaldi.bundled.examples import Examples
from gevaldi.bundled.worlds import DIGITS
from gevaldi.classifiers import load_classifier
from gevaldi.classifiers.bundled import NAMES
from gevaldi.cli.main import app
from gevaldi.errors import GevaldiError, SpecError, UnknownName, WeightsError
from gevaldi.taxonomy import distances, edge_counts, find_taxonomy, fitting, over

MEMBERS = [(name, seed) for name in ladder.FAMILIES for seed in ladder.SEEDS]
GRADED = {"mnist-strided-1k": 1.2e6, "mnist-pooled-1k": 1.2e6, "mnist-strided-61k": 61.1e6, "mnist-pooled-89k": 88.6e6}
TAUGHT = ("mnist-errs-near", "mnist-errs-evenly", "mnist-errs-far")
ACCURACY = cards.accuracy_question(DIGITS.data, 10_000)


def header(name: str, seed: int) -> dict[str, str]:
    return store.read_weights(ladder.SHIPPED / ladder.file_name(name, seed), ladder.COMMAND)[1]


def number(text: str) -> float:
    found = re.match(r"[\d.]+", text)
    assert found
    return float(found[0])


@pytest.fixture(scope="module")
def real() -> Examples:
    return Examples(*digits.real_digits())


@pytest.mark.parametrize("name", GRADED)
def test_a_graded_network_has_a_thousandth_of_the_parameters_of_the_papers(name):
    assert sum(p.numel() for p in ladder.load(name).parameters()) == pytest.approx(GRADED[name] / 1000, rel=0.04)


def test_the_weights_of_the_ladder_are_small_enough_to_ship():
    size = {name: sum(path.stat().st_size for path in ladder.SHIPPED.glob(f"{name}-seed-*")) for name in ladder.FAMILIES}
    assert sum(size[name] for name in GRADED) <= 1_000_000
    assert sum(size[name] for name in TAUGHT) <= 300_000


@pytest.mark.parametrize(("name", "seed"), MEMBERS)
def test_the_accuracy_on_the_shipped_digits_is_consistent_with_the_file(name, seed, real):
    right = round(audit.accuracy(ladder.load(name, seed), real) * len(real))
    assert binomtest(right, len(real), number(header(name, seed)[ACCURACY]) / 100).pvalue > 1e-3


def test_the_capacities_are_ordered_by_accuracy_and_the_taught_are_equal_to_a_percent():
    accuracies = {name: [number(header(name, seed)[ACCURACY]) for seed in ladder.SEEDS] for name in ladder.FAMILIES}
    small = accuracies["mnist-strided-1k"] + accuracies["mnist-pooled-1k"]
    large = accuracies["mnist-strided-61k"] + accuracies["mnist-pooled-89k"]
    assert min(small) > 94
    assert max(small) < 97.5
    assert min(large) > 98.3
    means = [np.mean(accuracies[name]) for name in TAUGHT]
    assert max(means) - min(means) < 1


@pytest.mark.parametrize("seed", ladder.SEEDS)
def test_the_order_of_the_taught_networks_shows_in_their_second_class_without_a_search(seed, real):
    near, evenly, far = (ladder_training.seriousness(ladder.load(name, seed), real)[1].mean() for name in TAUGHT)
    assert near < evenly - 0.5
    assert evenly < far - 0.5


def test_the_order_of_the_taught_networks_shows_in_their_errors():
    near, evenly, far = (
        np.mean([number(header(name, seed)[ladder_training.OF_ERRORS]) for seed in ladder.SEEDS]) for name in TAUGHT
    )
    assert near < evenly < far


@pytest.mark.parametrize("name", ladder.FAMILIES)
def test_a_card_states_what_the_files_of_its_seeds_do(name):
    card = (ladder.SHIPPED / f"{name}.md").read_text(encoding="utf-8")
    for seed in ladder.SEEDS:
        said = header(name, seed)
        assert all(said[key] in card for key in set(said) - {"parameters", "seed"})
        assert f"{int(said['parameters']):,}" in card


@needs_mnist
@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), MEMBERS)
def test_the_figures_on_all_test_digits_are_those_of_the_file(name, seed):
    test, network, said = DIGITS.data.read("test", MNIST), ladder.load(name, seed), header(name, seed)
    assert audit.accuracy(network, test) == pytest.approx(number(said[ACCURACY]) / 100, abs=2e-4)
    if name in TAUGHT:
        errors, second = ladder_training.seriousness(network, test)
        assert errors.mean().item() == pytest.approx(number(said[ladder_training.OF_ERRORS]), abs=0.02)
        assert second.mean().item() == pytest.approx(number(said[ladder_training.OF_SECOND]), abs=0.01)


@pytest.mark.parametrize("seed", ["3", "-1", str(10**30)])
def test_a_seed_that_does_not_ship_is_answered_with_those_that_do(seed):
    with pytest.raises(SpecError, match=r"networks of the seeds 0, 1, 2 ship, written bundled:mnist-errs-far,seed=2"):
        load_classifier(f"bundled:mnist-errs-far,seed={seed}")


def test_only_families_have_the_option_seed_and_no_other():
    with pytest.raises(SpecError, match=r"has no option seed\. It takes folder=None"):
        load_classifier("bundled:mnist-strided,seed=1")
    with pytest.raises(SpecError, match=r"has no option sed\. It takes seed=0, folder=None"):
        load_classifier("bundled:mnist-strided-1k,sed=1")
    with pytest.raises(UnknownName, match="mnist-strided-61k"):
        load_classifier("bundled:mnist-strided-60k")


def test_a_name_with_a_seed_is_the_network_of_that_seed(real):
    pictures = real.pictures[::100]
    named = load_classifier("bundled:mnist-pooled-1k,seed=2")(pictures)
    expected = [ladder.load("mnist-pooled-1k", seed)(pictures).log_softmax(1) for seed in ladder.SEEDS]
    assert torch.allclose(named, expected[2], atol=1e-5)
    assert not torch.allclose(expected[0], expected[2], atol=0.1)


def test_a_member_of_a_family_is_loaded_from_a_folder_by_any_seed(trained):
    out, _, _ = trained
    assert len(load_classifier(f"bundled:mnist-strided-1k,seed=1,folder={out}").labels) == 10
    with pytest.raises(WeightsError, match="no weights at"):
        load_classifier(f"bundled:mnist-strided-1k,seed=7,folder={out}")


def test_a_family_stands_once_in_the_list_after_the_well_known_names_and_has_a_card():
    listed = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["list", "classifiers"]).output
    lines = [line.split()[0] for line in listed.splitlines() if line.startswith("  bundled:")]
    assert lines == [f"bundled:{name}" for name in NAMES]
    assert listed.count("seed=0, 1 or 2") == len(ladder.FAMILIES)
    for name in ("mnist-strided-1k", "bundled:mnist-strided-1k", "bundled:mnist-strided-1k,seed=2"):
        assert CliRunner().invoke(app, ["show", name]).output.startswith("# mnist-strided-1k\n")


def test_evenly_smoothed_targets_are_those_of_torch():
    """Torch gives the true class its share of the smoothed mass, a tenth."""
    logits, y = torch.randn(20, 10, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 10
    ours = torch.nn.functional.cross_entropy(logits, training.targets(0.09, 0.0)[y])
    assert ours.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.1).item(), rel=1e-5)


@given(st.floats(0, 0.5), st.floats(0.1, 3))
def test_targets_are_distributions_that_fall_with_the_distance_or_rise_with_it(smoothed, pull):
    apart = training.levels_apart()
    for sign in (1, -1):
        wanted = training.targets(smoothed, sign * pull)
        assert torch.allclose(wanted.sum(1), torch.ones(10), atol=1e-5)
        assert torch.allclose(wanted.diagonal(), torch.full((10,), 1 - smoothed), atol=1e-5)
        for i in range(10):
            others = [j for j in torch.argsort(sign * apart[i]).tolist() if j != i]
            assert (wanted[i, others].diff() <= 1e-6).all()


# The hierarchy of digits


def test_what_looks_alike_is_near_in_the_hierarchy_of_digits():
    apart = distances(find_taxonomy("mnist-digits"))
    for one, other in ((4, 9), (3, 5), (3, 8), (5, 8), (1, 7)):
        assert apart[one, other] <= 1
    for one, other in ((0, 1), (4, 6), (1, 8)):
        assert apart[one, other] > apart[apart > 0].mean()


def test_labels_of_digits_find_their_place_by_name_and_only_when_it_is_asked_for():
    labels = [(label.name, label.id) for label in load_classifier("bundled:mnist-strided-1k").labels]
    taxonomy = find_taxonomy("mnist-digits")
    assert over(taxonomy, labels).classes == taxonomy.classes
    assert [taxonomy.name(node) for node in over(taxonomy, [("9", None), ("4", None)]).classes] == ["9", "4"]
    assert fitting(labels) is None
    assert fitting([("cat", "0"), ("dog", "1")]) is None  # ids of some other classifier


@pytest.mark.slow
def test_a_spec_can_name_the_hierarchy_of_digits(tmp_path):
    pair = ("bundled:mnist-strided-1k", "bundled:mnist-pooled-1k,seed=1", "bundled:mnist-vae")
    found = gevaldi.compare(*pair, taxonomy="mnist-digits", samples=2, steps=2, orders="forward", out=tmp_path, device="cpu")
    row = found.rows().iloc[0]
    assert [found.run.record["taxonomy"]["name"], len(row["first_start"])] == ["mnist-digits", 5]


@needs_mnist
@pytest.mark.slow
def test_the_hierarchy_of_digits_is_what_its_command_makes(tmp_path):
    out = tmp_path / "digits.json"
    words = ["cluster", "bundled:mnist-referee", "--pictures", f"mnist:train,folder={MNIST}", "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert np.array_equal(edge_counts(find_taxonomy(str(out))), edge_counts(find_taxonomy("mnist-digits")))


# Training


ONCE = {
    name: dataclasses.replace(ladder.FAMILIES[name], epochs=epochs)
    for name, epochs in (("mnist-strided-1k", 1), ("mnist-errs-near", 3))
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return barred(tmp_path_factory.mktemp("mnist"), 600)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out, told = tmp_path_factory.mktemp("ladder"), []
    outcome = ladder_training.train_ladder(data, out, 2, lambda name, share: told.append((name, share)), ONCE)
    return out, outcome, told


def test_every_network_is_written_and_every_family_has_a_card(trained):
    out, outcome, told = trained
    assert not any(model.skipped for model in outcome)
    weights = {ladder.file_name(name, seed) for name in ONCE for seed in (0, 1)}
    assert {path.name for path in out.iterdir()} == weights | {f"{name}.md" for name in ONCE}
    for model in outcome:
        shares = [share for name, share in told if name == model.name]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1)


def test_a_training_of_the_ladder_goes_on_where_it_was_killed_and_makes_the_same_networks(trained, data, tmp_path):
    out, _, _ = trained
    for name in list(ONCE)[:1]:
        (tmp_path / ladder.file_name(name, 0)).write_bytes((out / ladder.file_name(name, 0)).read_bytes())
    outcome = ladder_training.train_ladder(data, tmp_path, 2, lambda name, share: None, ONCE)
    assert [model.skipped for model in outcome] == [True, False, False, False]
    for path in out.iterdir():
        if path.suffix == ".md":
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()
        else:
            (ours, said), (whole, told) = (store.read_weights(folder / path.name, ladder.COMMAND) for folder in (tmp_path, out))
            assert said == told  # in any order, as the files have it
            assert all(torch.equal(ours[key], whole[key]) for key in whole)


def test_networks_of_other_settings_are_not_taken_for_these(trained, data):
    more = {name: dataclasses.replace(family, epochs=2) for name, family in ONCE.items()}
    with pytest.raises(WeightsError, match="has recipe '1 epochs"):
        ladder_training.train_ladder(data, trained[0], 2, lambda name, share: None, more)


def test_no_seed_is_too_few(data, tmp_path):
    with pytest.raises(SpecError, match="0 seeds were asked for"):
        ladder_training.train_ladder(data, tmp_path, 0)


def test_the_digits_of_a_folder_are_pictures_with_classes(data):
    from gevaldi.pictures import sources

    found, expected = sources.load(f"mnist:test,folder={data}"), DIGITS.data.read("test", data)
    assert found.classes == [str(label) for label in expected.labels.tolist()]
    assert torch.equal(torch.stack(found.pictures), expected.pictures)
    garments = sources.load(f"fashion:test,folder={data}")
    assert garments.classes[:2] == ["T-shirt/top", "Trouser"]
    assert torch.equal(torch.stack(garments.pictures), expected.pictures)
    with pytest.raises(UnknownName, match="part of Fashion-MNIST"):
        sources.load(f"fashion:tests,folder={data}")
    with pytest.raises(UnknownName, match="part of MNIST"):
        sources.load(f"mnist:tests,folder={data}")
    with pytest.raises(GevaldiError, match="No MNIST in"):
        sources.load("mnist:test,folder=/nowhere")


def test_the_digits_find_their_places_in_their_hierarchy_without_a_warning(tmp_path):
    names = "bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae"
    record = gevaldi.compare(*names, out=tmp_path, samples=1, steps=1, audited=2, taxonomy="mnist-digits").run.record
    assert record["warnings"] == []
    taxonomy = gevaldi.taxonomy.registry.build("mnist-digits")
    assert [taxonomy.name(node) for node in record["taxonomy"]["classes"]] == list("0123456789")
