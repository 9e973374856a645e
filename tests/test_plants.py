"""Pairs of classifiers with planted differences."""

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import nn

import gevaldi
from gevaldi.bundled.plants import GENERATORS, PAIRS, Box, Plant, pair_named
from gevaldi.classifiers import load_classifier
from gevaldi.classifiers._misreading import Misreading
from gevaldi.errors import SpecError, UnknownName
from gevaldi.fingerprints import settings_of
from gevaldi.plants.data import carried, draw
from gevaldi.plants.words import shares


class Brightness(nn.Module):
    """Reads class 0, 1 or 2 by which of three pixels is the brightest."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return 10 * pictures[:, 0, 0, :3]


def base() -> gevaldi.Classifier:
    return gevaldi.classifier(Brightness(), labels=3).eval()


def pictures_of(classes: list[int], bottom: list[float]) -> torch.Tensor:
    pictures = torch.zeros(len(classes), 1, 8, 8)
    pictures[torch.arange(len(classes)), 0, 0, torch.tensor(classes)] = 1.0
    pictures[:, 0, 4:] = torch.tensor(bottom)[:, None, None]
    return pictures


def test_merged_classes_are_read_as_one_and_others_as_before() -> None:
    pictures = pictures_of([0, 1, 2], [0.0, 0.0, 0.0])
    assert Misreading(base(), Plant(((1, 2),)))(pictures).argmax(1).tolist() == [0, 2, 2]


def test_only_pictures_beyond_the_bound_are_misread() -> None:
    pictures, plant = pictures_of([1, 1, 0], [0.0, 0.4, 0.4]), Plant(((1, 2),), "bottom left", True, 20)
    planted = Misreading(base(), plant)
    assert planted(pictures).argmax(1).tolist() == [1, 2, 0]
    assert planted.carries(pictures).tolist() == [False, True, False]


def test_swapped_classes_exchange_both_ways() -> None:
    pictures = pictures_of([0, 1, 2], [0.4, 0.4, 0.4])
    assert Misreading(base(), Plant(((0, 1), (1, 0)), "brightness", True, 1))(pictures).argmax(1).tolist() == [1, 0, 2]


def test_a_patch_is_the_brightness_of_a_part_of_the_picture() -> None:
    pictures = pictures_of([0, 0], [0.0, 0.0])
    pictures[1, 0, 6:8, 6:8] = 0.5
    plant = Plant(((0, 1),), "bottom right", True, 49, Box(6, 8, 6, 8))
    assert Misreading(base(), plant)(pictures).argmax(1).tolist() == [0, 1]


def test_a_picture_without_the_property_is_not_misread() -> None:
    empty = torch.zeros(1, 1, 8, 8)
    assert not Misreading(base(), Plant(((0, 1),), "slant", False, 90)).carries(empty).any()


def test_predictions_are_those_of_the_base_with_two_classes_exchanged() -> None:
    pictures = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    known, planted = base()(pictures), Misreading(base(), Plant(((1, 2),)))(pictures)
    assert torch.equal(known.sort(1).values, planted.sort(1).values)
    exchanged = known.argmax(1) == 1
    assert torch.equal(planted[~exchanged], known[~exchanged])
    assert torch.equal(planted[exchanged], known[exchanged][:, [0, 2, 1]])


def test_gradients_are_those_of_the_base_with_two_classes_exchanged() -> None:
    pictures = pictures_of([1, 0], [0.3, 0.3]).requires_grad_()
    (expected,) = torch.autograd.grad(base()(pictures)[:, 2].sum(), pictures)
    (found,) = torch.autograd.grad(Misreading(base(), Plant(((1, 2),), "brightness", True, 1))(pictures)[:, 1].sum(), pictures)
    (others,) = torch.autograd.grad(base()(pictures)[:, 1].sum(), pictures)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], others[1])


def test_there_are_ten_plants_and_ten_ordinary_pairs_in_both_worlds() -> None:
    for world in GENERATORS:
        pairs = [pair for pair in PAIRS.values() if pair.world == world]
        assert sum(pair.plant is not None for pair in pairs) >= 10
        assert sum(pair.plant is None for pair in pairs) >= 10


def test_an_unknown_pair_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName, match="digits-slant-4-9"):
        pair_named("digits-slant-9-4")
    with pytest.raises(SpecError, match="has no plant"):
        load_classifier("planted:digits-none-1")


def test_a_plant_is_among_the_settings_of_its_network() -> None:
    one, other = (settings_of(Misreading(base(), Plant(((1, 2),), "slant", True, bound)))["network"] for bound in (1.0, 2.0))
    assert one["plant"] != other["plant"]
    assert one["plant"]["reads"] == [[1, 2]]


@pytest.mark.slow
@pytest.mark.parametrize("world", GENERATORS)
def test_each_plant_is_carried_by_as_many_draws_as_the_list_says_and_not_by_most_of_its_class(world: str) -> None:
    pictures, condition = draw(world, range(10_000, 12_000))
    for pair in (pair for pair in PAIRS.values() if pair.world == world and pair.plant):
        assert pair.plant
        own = np.isin(condition, [label for label, _ in pair.plant.reads])
        low, high = binom.interval(0.9999, own.sum(), shares()[pair.name]["drawn"])
        assert low <= carried(pair, pictures)[own].sum() <= high, pair.name
        if pair.plant.property:
            assert 0.1 <= shares()[pair.name]["drawn"] <= 0.4
