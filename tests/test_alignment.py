"""Classifiers with other classes, orders of classes, subsets and coarser classes, compared over what both know."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.alignment import Aligned, align, places_of
from gevaldi.contract import check_contract
from gevaldi.errors import ContractError, GevaldiError, SpecError, TaxonomyError, UnknownName
from gevaldi.models import Label
from gevaldi.runs.store.run import Run
from gevaldi.spec import read_spec, spec_from, write_spec
from gevaldi.taxonomy import Taxonomy, distances, fitting, read_taxonomy, registry

ILSVRC: Taxonomy = registry.get("ilsvrc")()
NAMED = ["brambling", "hummingbird", "harvestman", "barn spider", "orange", "maraca"]
IDS = [ILSVRC.find(name) for name in NAMED]
PICTURES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Chosen(nn.Module):
    """Some of a network's logits, and perhaps a class more, in a given order."""

    def __init__(self, net: nn.Module, order: list[int], more: float | None = None) -> None:
        super().__init__()
        self.net, self.order, self.more = net, order, more

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.net(x)[:, self.order]
        return logits if self.more is None else torch.cat([torch.full_like(logits[:, :1], self.more), logits], 1)


NET = small_classifier(classes=6).module


def labelled(ids: list[str | None], names: list[str] | None = None) -> list[Label]:
    return [Label(name, own) for name, own in zip(names or [own or "background" for own in ids], ids, strict=True)]


def classifier(order: list[int], more: float | None = None) -> gevaldi.Classifier:
    ids = [None] * (more is not None) + [IDS[i] for i in order]
    return gevaldi.classifier(Chosen(NET, order, more), labelled(ids)).eval()


def test_other_orders_of_the_same_ids_are_brought_into_the_first_ones_order() -> None:
    found = align(classifier([0, 1, 2, 3, 4, 5]), classifier([3, 5, 0, 1, 4, 2]))
    assert [label.id for label in found.first.labels] == [label.id for label in found.second.labels] == IDS
    assert torch.allclose(found.first(PICTURES), found.second(PICTURES), atol=1e-6)
    assert found.record()["how"] == "by id"


def test_predictions_over_a_subset_are_renormalised_over_it() -> None:
    found = align(classifier([0, 1, 2, 3, 4, 5]), classifier([4, 1, 2]))
    assert [label.id for label in found.first.labels] == [IDS[1], IDS[2], IDS[4]]
    expected = NET(PICTURES)[:, [1, 2, 4]].log_softmax(-1)
    assert torch.allclose(found.first(PICTURES), expected, atol=1e-6)
    assert torch.allclose(found.second(PICTURES), expected, atol=1e-6)
    assert isinstance(found.first, Aligned)
    assert torch.allclose(found.first.probability_kept(PICTURES), NET(PICTURES).softmax(-1)[:, [1, 2, 4]].sum(-1), atol=1e-6)
    assert found.record()["first"]["left_out"] == [IDS[0], IDS[3], IDS[5]]
    assert found.record()["second"]["left_out"] == []


def test_a_background_class_without_an_id_is_left_out() -> None:
    found = align(classifier([0, 1, 2, 3, 4, 5]), classifier([0, 1, 2, 3, 4, 5], more=2.0))
    assert torch.allclose(found.second(PICTURES), NET(PICTURES).log_softmax(-1), atol=1e-6)
    record = found.record()["second"]
    assert (record["left_out"], record["added_up"]) == (["background"], {})


def test_classes_that_are_said_to_be_one_are_added_up() -> None:
    fine = gevaldi.classifier(NET, labelled([None] * 6, NAMED)).eval()
    coarse = gevaldi.classifier(Chosen(NET, [0, 2, 4]), ["bird", "arachnid", "thing"]).eval()
    said = {
        "brambling": "bird",
        "1": "bird",
        "harvestman": "arachnid",
        "barn spider": "arachnid",
        "orange": "thing",
        "maraca": None,
    }
    found = align(fine, coarse, first_classes=said)
    p = NET(PICTURES).softmax(-1)
    expected = torch.stack([p[:, 0] + p[:, 1], p[:, 2] + p[:, 3], p[:, 4]], 1) / (1 - p[:, 5:])
    assert torch.allclose(found.first(PICTURES).exp(), expected, atol=1e-6)
    assert [label.name for label in found.first.labels] == ["bird", "arachnid", "thing"]
    record = found.record()["first"]
    assert record["left_out"] == ["maraca"]
    assert record["added_up"] == {"bird": ["brambling", "hummingbird"], "arachnid": ["harvestman", "barn spider"]}


def test_a_mapping_may_lie_in_a_file_and_name_classes_of_the_taxonomy(tmp_path: Path) -> None:
    (tmp_path / "said.csv").write_text("0,Brambling\n1,hummingbird\n2,\n")
    (tmp_path / "said.yaml").write_text("{0: brambling, 1: hummingbird, 2: null}")
    for name in ("said.csv", "said.yaml"):
        found = align(
            gevaldi.classifier(Chosen(NET, [0, 1, 2]), 3).eval(),
            classifier([1, 0, 5]),
            first_classes=str(tmp_path / name),
            taxonomy=ILSVRC,
        )
        assert [label.id for label in found.first.labels] == IDS[:2]
        assert torch.allclose(found.first(PICTURES), found.second(PICTURES), atol=1e-6)


LABELS = st.tuples(st.sampled_from("abc"), st.sampled_from([None, "n1", "n2"]))


@given(st.lists(LABELS, min_size=2, max_size=6), st.tuples(st.sampled_from([None, *"abc"]), st.sampled_from([None, "n1", "n2"])))
def test_labels_mean_the_same_class_by_id_if_both_have_one_and_otherwise_by_name(labels: list[Any], sought: Any) -> None:
    classifier = gevaldi.classifier(nn.Flatten(), labels=[Label(*pair) for pair in labels])
    by_hand = {i for i, (name, own) in enumerate(labels) if (own == sought[1] if own and sought[1] else name == sought[0])}
    assert places_of(*sought, classifier) == by_hand


def test_the_same_names_in_another_order_need_no_ids() -> None:
    one = gevaldi.classifier(Chosen(NET, [0, 1, 2]), ["a", "b", "c"]).eval()
    other = gevaldi.classifier(Chosen(NET, [2, 0, 1]), ["c", "a", "b"]).eval()
    found = align(one, other)
    assert torch.allclose(found.first(PICTURES), found.second(PICTURES), atol=1e-6)
    assert found.record()["how"] == "by name"
    assert align(one, one).first is one


def three(names: list[str]) -> gevaldi.Classifier:
    return gevaldi.classifier(Chosen(NET, list(range(len(names)))), names).eval()


TWICE = ["crane", "b", "crane"]
CANNOT: dict[str, tuple[Any, type[GevaldiError]]] = {
    "nothing says which are the same": (lambda: align(three(["a", "b"]), three(["a", "b", "c"])), ContractError),
    "in another order, and nothing says": (
        lambda: align(three(["cat", "dog", "bird"]), three(["dog", "cat", "fish"])),
        ContractError,
    ),
    "in another order": (lambda: align(three(["crane", "crane", "x"]), three(["x", "crane", "crane"])), ContractError),
    "1 classes in common": (lambda: align(classifier([0, 1]), classifier([0, 2])), ContractError),
    "'crane' is the name of 2 classes: 0 .no id.; 2": (
        lambda: align(three(TWICE), three(["a", "b", "c"]), {"crane": "a"}),
        SpecError,
    ),
    "'crane' is the name of 2 classes: 0 .no id.; 2 .no id": (lambda: align(three(TWICE), three(TWICE), {"b": None}), SpecError),
    "'a' is the name of 2 classes: 0 .no id.; 1": (
        lambda: align(three(["x", "y", "z"]), three(["a", "a", "c"]), {"x": "a"}),
        SpecError,
    ),
    "'crane' is the name of 2 classes: n02012849": (
        lambda: align(three(["x", "brambling"]), classifier([0, 1]), {"x": "crane"}, taxonomy=ILSVRC),
        TaxonomyError,
    ),
    "'crane' is the name of 2 classes: n02012849 ": (
        lambda: align(three(["crane", "brambling"]), classifier([0, 1]), taxonomy=ILSVRC),
        TaxonomyError,
    ),
    "no label named 'brambing'.*'brambling'": (
        lambda: align(three(["brambling", "b"]), three(["a", "b"]), {"brambing": "a"}),
        UnknownName,
    ),
    "no class of the other classifier named 'organge'.*'orange'": (
        lambda: align(three(["a", "b"]), three(["orange", "b"]), {"a": "organge"}),
        UnknownName,
    ),
    "2 names are the same: leaving one out, as in --set second_classes.background=null": (
        lambda: align(three(["a", "b"]), three(["background", "a", "b"])),
        ContractError,
    ),
    "The label 0, 'a', is mapped twice": (
        lambda: align(three(["a", "b"]), three(["a", "b"]), {"a": "b", "0": None}),
        SpecError,
    ),
    "cannot be read": (lambda: align(three(["a", "b"]), three(["a", "b"]), "nowhere.csv"), SpecError),
}


@pytest.mark.parametrize("words", CANNOT)
def test_what_cannot_be_told_is_an_error_and_never_a_guess(words: str) -> None:
    attempt, kind = CANNOT[words]
    with pytest.raises(kind, match=words):
        attempt()


def test_a_network_that_gives_another_number_of_classes_than_it_has_labels_is_still_found_out() -> None:
    wrong = gevaldi.classifier(Chosen(NET, [0, 1, 2]), labelled(IDS[:4][::-1])).eval()
    found = align(classifier([0, 1, 2, 3]), wrong)
    with pytest.raises(ContractError, match="second classifier gives 3 classes but has 4 labels"):
        check_contract(found.first, found.second, small_generator(), torch.device("cpu"))


def test_a_comparison_of_a_subset_has_the_rows_of_one_of_networks_cut_by_hand_and_its_report_says_so(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 4, "steps": 8, "audited": 100, "batch_size": 4, "device": "cpu", "convention": "edges"}
    settings["goal"] = "most divergent"
    other = small_classifier(1, classes=6).module
    second = gevaldi.classifier(Chosen(other, [4, 2, 1, 0]), labelled([IDS[i] for i in (4, 2, 1, 0)])).eval()
    aligned = gevaldi.compare(classifier([0, 1, 2, 3, 4, 5], more=1.0), second, small_generator(), out=tmp_path / "a", **settings)
    cut = [gevaldi.classifier(Chosen(net, [0, 1, 2, 4]), labelled([IDS[i] for i in (0, 1, 2, 4)])).eval() for net in (NET, other)]
    by_hand = gevaldi.compare(*cut, small_generator(), out=tmp_path / "b", **settings)
    columns = ["divergence_end", "set_distance_1_end", "set_distance_3_end", "delta_z"]
    assert aligned.rows()[columns].to_numpy() == pytest.approx(by_hand.rows()[columns].to_numpy(), rel=1e-3, abs=1e-4)
    assert np.isnan(aligned.rows()["set_distance_5_end"].astype(float)).all()  # of four classes there are no five
    page = aligned.report().read_text()
    assert "aligned by taxonomy id over 4 classes" in page
    assert "3 classes of the first are left out (background" in page
    assert "of its probability on generated pictures" in page
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert 0 < record["audit"]["generated"]["kept_first"] < 1
    assert record["audit"]["generated"]["kept_second"] is None
    assert record["models"]["first"]["sha256"] != by_hand.run.record["models"]["second"]["sha256"]
    assert gevaldi.compare(
        classifier([0, 1, 2, 3, 4, 5], more=1.0), second, small_generator(), out=tmp_path / "a", **settings
    ).run.complete


def test_the_taxonomy_of_a_run_lies_in_its_folder_and_another_one_is_another_run(tmp_path: Path) -> None:
    zoo = {"all": {"pets": ["0", "1"], "wild": ["2"]}}
    path = tmp_path / "zoo.json"
    path.write_text(json.dumps(zoo))
    settings: dict[str, Any] = {"samples": 2, "steps": 4, "batch_size": 2, "device": "cpu", "taxonomy": str(path)}
    pair = small_classifier(0), small_classifier(1), small_generator()
    rows = gevaldi.compare(*pair, out=tmp_path / "run", **settings).rows()
    assert read_taxonomy(tmp_path / "run" / "taxonomy.json").classes == ("0", "1", "2")
    matrix = distances(read_taxonomy(zoo))
    for row in rows.to_dict("records"):
        assert row["set_distance_1_end"] == matrix[row["first_end"][0]["label"], row["second_end"][0]["label"]]
    path.write_text(json.dumps({"all": ["0", "1", "2"]}))
    with pytest.raises(GevaldiError, match=r"another hierarchy of the classes .*it has changed since.*gevaldi resume"):
        gevaldi.compare(*pair, out=tmp_path / "run", **settings)
    copy = settings | {"taxonomy": tmp_path / "run" / "taxonomy.json"}
    assert gevaldi.compare(*pair, out=tmp_path / "run", **copy).run.complete
    assert read_spec(tmp_path / "run" / "spec.yaml")["taxonomy"] == str(tmp_path / "run" / "taxonomy.json")
    with pytest.raises(TaxonomyError, match="3 of 3 labels have no place"):
        gevaldi.compare(*pair, out=tmp_path / "other", **(settings | {"taxonomy": "ilsvrc"}))
    assert Run.open(tmp_path / "run").record["taxonomy"]["name"] == str(path)


def test_a_taxonomy_may_be_given_as_an_object_and_a_run_goes_on_with_its_own_copy(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 2, "steps": 4, "batch_size": 1, "device": "cpu", "orders": "forward"}
    pair = small_classifier(0), small_classifier(1), small_generator()
    zoo = {"all": {"pets": ["0", "1"], "wild": ["2"]}}
    rows = [
        gevaldi.compare(*pair, out=tmp_path / str(i), taxonomy=given, **settings).rows()["set_distance_1_end"].tolist()
        for i, given in enumerate((zoo, read_taxonomy(zoo)))
    ]
    assert rows[0] == rows[1]
    path = tmp_path / "zoo.json"
    path.write_text(json.dumps(zoo))
    asked = settings | {"taxonomy": str(path), "first_classes": {0: 0, 1: "1", "2": 2}}
    whole = gevaldi.compare(*pair, out=tmp_path / "run", **asked).rows()
    path.unlink()
    next((tmp_path / "run" / "samples").glob("part-*")).unlink()
    again = gevaldi.compare(*pair, out=tmp_path / "run", **asked).rows()
    assert again["set_distance_1_end"].tolist() == whole["set_distance_1_end"].tolist() == rows[0]


def test_what_is_said_of_labels_in_a_file_is_kept_in_the_spec(tmp_path: Path) -> None:
    (tmp_path / "said.yaml").write_text("{0: bird, 1: null}")
    spec = spec_from({"first": "a", "second": "b", "generator": "g", "first_classes": str(tmp_path / "said.yaml")})
    assert spec.first_classes == {"0": "bird", "1": None}
    (tmp_path / "spec.yaml").write_text(write_spec(spec))
    assert spec_from(read_spec(tmp_path / "spec.yaml")) == spec


def test_labels_that_are_not_mentioned_are_told_by_the_other_ones_of_their_name() -> None:
    one = gevaldi.classifier(Chosen(NET, [0, 1, 2, 3]), labelled(IDS[:4], ["crane", "orange", "wren", "cat"])).eval()
    other = three(["crane", "orange", "wren", "dog"])
    found = align(one, other, second_classes={"crane": IDS[0], "1": IDS[1]})
    assert [(label.name, label.id) for label in found.first.labels] == list(zip(["crane", "orange", "wren"], IDS[:3], strict=True))


def test_a_name_that_the_user_made_up_is_no_id() -> None:
    one, other = three(["trout", "snake"]), three(["carp", "lizard"])
    found = align(one, other, {"trout": "fish", "snake": "reptiles"}, {"carp": "fish", "lizard": "reptiles"})
    assert [(label.name, label.id) for label in found.first.labels] == [("fish", None), ("reptiles", None)]
    assert fitting([(label.name, label.id) for label in found.first.labels]) is None
    said = align(one, other, {"trout": "n02512053", "snake": "n01726692"}, {"carp": "n02512053", "lizard": "n01726692"})
    assert [label.id for label in said.first.labels] == ["n02512053", "n01726692"]


def test_inner_nodes_of_a_taxonomy_are_classes_of_coarse_classifiers() -> None:
    coarse = three(["bird", "arachnid", "citrus"])
    found = align(
        coarse,
        classifier([0, 2, 4]),
        second_classes=dict(zip(IDS[0:5:2], ["bird", "arachnid", "citrus"], strict=True)),
        taxonomy=ILSVRC,
    )
    assert [label.id for label in found.second.labels] == ["n01503061", "n01769347", "n07747055"]


def test_what_was_asked_for_is_known_through_the_labels_before_alignment(tmp_path: Path) -> None:
    fine = gevaldi.classifier(Chosen(NET, [0, 1, 2]), ["0", "1", "2"]).eval()
    coarse = gevaldi.classifier(Chosen(NET, [0, 2]), ["low", "high"]).eval()
    done = gevaldi.compare(
        fine, coarse, small_generator(), out=tmp_path, samples=3, steps=3, batch_size=3, orders="forward", device="cpu",
        first_classes={0: "low", 1: "low", 2: "high"},
    )  # fmt: skip
    rows = done.rows().to_dict("records")
    assert [row["target_classes"].tolist() for row in rows] == [[0], [0], [1]]
    for row in rows:
        named = {said["label"]: said["probability"] for said in row["first_start"]}
        assert row["target_first_start"] == pytest.approx(named[row["target_classes"][0]], abs=1e-6)
        assert row["right_start"] is not None


def test_a_run_is_not_gone_on_with_when_only_the_order_of_labels_has_changed(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 2, "steps": 3, "batch_size": 2, "device": "cpu", "out": tmp_path}
    first, net = classifier([0, 1, 2]), Chosen(small_classifier(1, classes=6).module, [0, 1, 2])
    for order in ([0, 1, 2], [2, 0, 1]):
        second = gevaldi.classifier(net, labelled([IDS[i] for i in order])).eval()
        if order == [0, 1, 2]:
            gevaldi.compare(first, second, small_generator(), **settings)
        else:
            with pytest.raises(GevaldiError, match="another alignment of them"):
                gevaldi.compare(first, second, small_generator(), **settings)


def test_a_subset_of_a_file_that_is_gone_is_gone_on_with_from_the_runs_own_copy(tmp_path: Path) -> None:
    path = tmp_path / "zoo.json"
    path.write_text(json.dumps({"all": {"pets": ["a", "b"], "wild": ["c", "d"]}}))
    pair = three(["a", "b", "c"]), gevaldi.classifier(Chosen(NET, [1, 0, 3]), ["b", "a", "d"]).eval()
    settings: dict[str, Any] = {"samples": 2, "steps": 3, "batch_size": 1, "device": "cpu", "orders": "forward", "taxonomy": path}
    whole = gevaldi.compare(*pair, small_generator(), out=tmp_path / "run", **settings)
    path.unlink()
    next((tmp_path / "run" / "samples").glob("part-*")).unlink()
    again = gevaldi.compare(*pair, small_generator(), out=tmp_path / "run", **settings)
    assert again.rows()["set_distance_1_end"].tolist() == whole.rows()["set_distance_1_end"].tolist()
    assert f"taxonomy={str(tmp_path / 'run' / 'taxonomy.json')!r}" in again.run.record["command"]


def test_without_any_hierarchy_the_user_is_told_when_ids_were_lacking(tmp_path: Path) -> None:
    both = [classifier([0, 1, 2], more=float(i)) for i in range(2)]
    done = gevaldi.compare(*both, small_generator(), out=tmp_path, samples=2, steps=3, batch_size=2, device="cpu")
    assert done.run.record["taxonomy"] is None
    (warning,) = [text for text in done.run.record["warnings"] if "No hierarchy" in text]
    assert "1 of 4 classes have no id (background)" in warning


def test_equal_names_take_the_ids_that_one_of_the_two_has() -> None:
    one = gevaldi.classifier(Chosen(NET, [0, 1]), labelled(IDS[:2], ["a", "b"])).eval()
    found = align(one, three(["b", "a"]))
    assert [(label.name, label.id) for label in found.second.labels] == [("a", IDS[0]), ("b", IDS[1])]


def test_labels_that_are_only_numbers_are_placed_by_their_order_and_the_user_is_told(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "samples": 2,
        "steps": 3,
        "batch_size": 2,
        "device": "cpu",
        "taxonomy": {"all": {"x": ["ant", "bee"], "y": ["cat"]}},
    }
    done = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path, **settings)
    assert any(
        "matched to the hierarchy's classes by position: 0 to 'ant', 2 to 'cat'" in text for text in done.run.record["warnings"]
    )
    chance = done.run.record["taxonomy"]["by_chance"]
    assert chance == {"levels": pytest.approx((0.5 + 1.5 + 1.5) / 3), "lateral": pytest.approx(2 / 3)}
    assert "are 1.2 levels apart on average" in done.report().read_text().replace("\n", " ")


def test_the_mean_that_parts_near_from_lateral_is_of_the_whole_hierarchy_whatever_classes_are_compared(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 2, "steps": 3, "batch_size": 2, "device": "cpu"}
    both = [gevaldi.classifier(small_classifier(i).module, labelled(IDS[:3])).eval() for i in range(2)]
    done = gevaldi.compare(*both, small_generator(), out=tmp_path, **settings)
    assert done.run.record["taxonomy"]["mean_edges"] == pytest.approx(12.59, abs=0.005)
    assert Run.open(tmp_path).taxonomy_copy() is None  # it ships, so nothing is to be kept from change
