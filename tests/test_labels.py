"""Labels in every form that people have them in, held against ImageFolder's own list of classes."""

from collections import OrderedDict
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.alignment import align
from gevaldi.classifiers import load_classifier
from gevaldi.contract import check_contract
from gevaldi.errors import ContractError, SpecError
from gevaldi.labels import Label, labels_of

PETS = ["cat", "dog", "eel"]
TWELVE = sorted(map(str, range(12)))  # as a folder of digits has them: 0, 1, 10, 11, 2

FORMS: dict[str, tuple[Any, list[str]]] = {
    "a number": (3, ["0", "1", "2"]),
    "NumPy's number": (np.int64(3), ["0", "1", "2"]),
    "NumPy's short number": (np.uint8(3), ["0", "1", "2"]),
    "an array of no dimension": (np.array(3), ["0", "1", "2"]),
    "torch's number": (torch.tensor(3), ["0", "1", "2"]),
    "a list": (PETS, PETS),
    "a tuple": (tuple(PETS), PETS),
    "an array of names": (np.array(PETS), PETS),
    "an array of objects": (np.array(PETS, dtype=object), PETS),
    "a pandas index": (pd.Index(PETS), PETS),
    "NumPy's text": ([np.str_(name) for name in PETS], PETS),
    "a range": (range(3, 6), ["3", "4", "5"]),
    "numbers as names": ([7, 1, 3], ["7", "1", "3"]),
    "NumPy's numbers as names": (np.array([7, 1, 3]), ["7", "1", "3"]),
    "class_to_idx": ({"cat": 0, "dog": 1, "eel": 2}, PETS),
    "class_to_idx in another order": ({"eel": 2, "cat": 0, "dog": 1}, PETS),
    "class_to_idx of digits": ({name: i for i, name in enumerate(TWELVE)}, TWELVE),
    "class_to_idx with NumPy's numbers": ({name: np.int64(i) for i, name in enumerate(PETS)}, PETS),
    "class_to_idx that cannot be changed": (MappingProxyType({"dog": 1, "cat": 0, "eel": 2}), PETS),
    "id2label": ({0: "cat", 1: "dog", 2: "eel"}, PETS),
    "id2label in another order": ({2: "eel", 0: "cat", 1: "dog"}, PETS),
    "id2label of digits": (dict(enumerate(TWELVE)), TWELVE),
    "id2label in JSON": ({"0": "cat", "1": "dog", "2": "eel"}, PETS),
    "id2label in JSON, of more than ten": (
        {str(i): f"class {i}" for i in sorted(range(12), key=str)},
        [f"class {i}" for i in range(12)],
    ),
    "id2label of JSON's digits": ({"0": "7", "1": "1", "2": "3"}, ["7", "1", "3"]),
    "label2id with text": ({"dog": "1", "cat": "0", "eel": "2"}, PETS),
    "an ordered mapping": (OrderedDict([(1, "dog"), (0, "cat"), (2, "eel")]), PETS),
    "numbers that are names both ways": ({0: 0, 1: 1, 2: 2}, ["0", "1", "2"]),
    "synonyms": ([("tench", "Tinca tinca"), ("goldfish",)], ["tench, Tinca tinca", "goldfish"]),
    "Keras's class index": ({"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}, ["tench", "goldfish"]),
    "Labels": ([Label("cat", "n1"), Label("dog")], ["cat", "dog"]),
    "Labels by index": ({1: Label("dog"), 0: Label("cat", "n1")}, ["cat", "dog"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_in_the_order_of_the_outputs(form: str) -> None:
    labels, names = FORMS[form]
    assert [label.name for label in labels_of(labels)] == names
    assert all(type(label.name) is str for label in labels_of(labels))


def test_ids_come_along() -> None:
    assert labels_of({1: Label("dog"), 0: Label("cat", "n1")})[0] == Label("cat", "n1")
    assert labels_of({"0": ["n01440764", "tench"]}) == (Label("tench", "n01440764"),)


class Pets(Enum):
    CAT = 0


class Frame:
    """Something of another package, with names in it."""

    names = PETS


REFUSED: dict[str, tuple[Any, str]] = {
    "true": (True, "type bool"),
    "NumPy's true": (np.bool_(True), "type bool"),
    "none": (None, "type NoneType"),
    "text": ("cat", "type str"),
    "bytes": (b"cat", "type bytes"),
    "a fraction": (3.0, "type float"),
    "NumPy's fraction": (np.float32(3), "type float"),
    "a negative number": (-1, "a number of classes was expected"),
    "a set": ({"cat", "dog"}, "type set, which has no order"),
    "a frozen set": (frozenset(PETS), "type frozenset, which has no order"),
    "a generator": ((name for name in PETS), "type generator"),
    "keys of a mapping": ({"cat": 0}.keys(), "type dict_keys"),
    "a pandas series": (pd.Series({"cat": 0, "dog": 1}), "type Series"),
    "an enumeration": (Pets, "type EnumType|type EnumMeta"),
    "an object": (Frame(), "type Frame"),
    "a name that is none": (["cat", None], "A class is called None"),
    "a name that is true": (["cat", True], "A class is called True"),
    "a name that is a fraction": (["cat", 1.5], "A class is called 1.5"),
    "a missing index": ({"cat": 0, "eel": 2}, "index 1 is missing"),
    "indices from 1": ({1: "cat", 2: "dog"}, "index 0 is missing"),
    "an index that stands twice": ({"cat": 0, "dog": 0, "eel": 1}, "index 0 stands there twice"),
    "a negative index": ({"cat": 0, "dog": -1}, "does not give every output"),
    "names on both sides": ({"cat": "kitten", "dog": "pup"}, "does not give every output"),
    "an index that is true": ({"cat": True, "dog": 0}, "does not give every output"),
    "nothing": ({}, "does not give every output"),
    "numbers on both sides": ({0: 1, 1: 2, 2: 0}, "either side could be the index"),
    "digits on both sides": ({str(i): name for i, name in enumerate(TWELVE)}, "either side could be the index"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_has_no_order_or_no_names_is_refused_with_what_is_expected(form: str) -> None:
    labels, message = REFUSED[form]
    with pytest.raises(SpecError, match=message) as refused:
        labels_of(labels)
    assert any(word in str(refused.value) for word in ("class_to_idx", "in the order of the outputs", "number of classes"))


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=30, unique=True), seed=st.randoms())
def test_a_mapping_in_any_order_is_the_list(names: list[str], seed: Any) -> None:
    pairs = list(enumerate(names))
    seed.shuffle(pairs)
    assert [label.name for label in labels_of(dict(pairs))] == names
    assert [label.name for label in labels_of({name: i for i, name in pairs})] == names


def test_labels_are_those_of_torchvisions_image_folder(tmp_path: Path) -> None:
    from PIL import Image
    from torchvision.datasets import ImageFolder

    for name in map(str, range(12)):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "a.png")
    folder = ImageFolder(str(tmp_path))
    assert (
        [label.name for label in labels_of(folder.class_to_idx)]
        == [label.name for label in labels_of(folder.classes)]
        == folder.classes
    )
    assert folder.classes != [str(i) for i in range(12)]


def test_numbers_beside_the_same_numbers_in_another_order_are_refused() -> None:
    """The first network's label 2 may be a name, or nothing but the place of its third output."""
    net = small_classifier(classes=12).module
    numbers, folder = (gevaldi.classifier(net, labels=labels).eval() for labels in (12, {name: i for i, name in enumerate(TWELVE)}))
    for pair in ((numbers, folder), (folder, numbers)):
        with pytest.raises(ContractError, match="nothing says whether '2' is a name or only the class's place"):
            align(*pair)
    said = align(numbers, folder, first_classes={str(i): name for i, name in enumerate(TWELVE)})
    assert torch.allclose(said.first(X), said.second(X), atol=1e-6)


X = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", [form for form, (_, names) in FORMS.items() if len(names) == 3])
def test_a_classifier_under_the_same_names_in_any_form_does_not_differ_from_itself(form: str) -> None:
    labels, names = FORMS[form]
    net = small_classifier().module
    found = align(gevaldi.classifier(net, labels=names).eval(), gevaldi.classifier(net, labels=labels).eval())
    assert torch.equal(found.first(X), found.second(X))
    assert check_contract(found.first, found.second, small_generator(), torch.device("cpu")) == []


class Own(gevaldi.Classifier):
    """A class of somebody's own, with labels as they have them."""

    def __init__(self, labels: Any) -> None:
        super().__init__()
        self.net = small_classifier().module
        if labels != "none":
            self.labels = labels

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.net(pictures).log_softmax(-1)


def test_a_class_of_ones_own_may_have_labels_in_any_form() -> None:
    assert [label.name for label in load_classifier(Own({"dog": 1, "cat": 0, "eel": 2}).eval()).labels] == PETS
    with pytest.raises(SpecError, match="Own has no labels; set them in __init__"):
        load_classifier(Own("none").eval())
    with pytest.raises(SpecError, match="type set, which has no order"):
        load_classifier(Own({"a", "b"}).eval())


def test_conditions_of_a_generator_take_the_same_forms() -> None:
    made = gevaldi.generator(nn.Linear(2, 2), latent=2, conditions={"dog": 1, "cat": 0})
    assert [label.name for label in made.conditions] == ["cat", "dog"]
