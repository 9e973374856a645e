"""Distances between classes, against the paper's numbers, networkx and WordNet itself; and taxonomies that are none."""

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gevaldi.errors import TaxonomyError, UnknownName
from gevaldi.taxonomy import Taxonomy, distances, edge_counts, in_words, read_taxonomy, registry, set_distance, taxonomy_of, way

ILSVRC: Taxonomy = registry.get("ilsvrc")()
PAIRS = np.triu_indices(1000, 1)

# What the paper prints, and what the edges of WordNet 3.0 give in both conventions.
PAPER = [
    ("harvestman", "barn spider", 3, 1.0, 1.5),
    ("orange", "Granny Smith", 5, 2.0, 2.5),
    ("maraca", "Granny Smith", 15, 7.0, 7.5),
    ("brambling", "hummingbird", 6, 2.5, 3.0),
    ("racket", "vine snake", 15, 7.0, 7.5),  # printed as 9.5: racket was looked up by name, where its first sense is a noise
]


@pytest.mark.parametrize(("first", "second", "edges", "published", "half"), PAPER)
def test_the_papers_pairs_are_as_far_apart_as_it_says(first: str, second: str, edges: int, published: float, half: float) -> None:
    one, other = ILSVRC.find(first), ILSVRC.find(second)
    assert way(ILSVRC, one, other).edges == edges
    place = ILSVRC.classes.index(one), ILSVRC.classes.index(other)
    assert edge_counts(ILSVRC)[place] == edges
    assert distances(ILSVRC)[place] == published
    assert distances(ILSVRC, "edges")[place] == half


def test_the_classes_of_imagenet_are_2_to_26_edges_apart_12_59_in_the_mean() -> None:
    counts = edge_counts(ILSVRC)[PAIRS]
    assert (counts.min(), counts.max()) == (2, 26)
    assert counts.mean() == pytest.approx(12.59, abs=0.005)
    assert (counts != edge_counts(ILSVRC, "undirected")[PAIRS]).mean() == pytest.approx(0.145, abs=0.0005)


@st.composite
def hierarchies(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Classes and edges of random hierarchies: node i hangs under one to three earlier ones; the last nodes are the classes."""
    size = draw(st.integers(3, 14))
    edges = [
        (str(i), str(above))
        for i in range(1, size)
        for above in draw(st.lists(st.integers(0, i - 1), min_size=1, max_size=3, unique=True))
    ]
    return [str(i) for i in range(size - draw(st.integers(2, size - 1)), size)], edges


def by_brute_force(taxonomy: Taxonomy) -> np.ndarray:
    """The least sum of ways up to a common hypernym, as networkx finds the ways."""
    graph = nx.DiGraph([(node, above) for node, uppers in taxonomy.hypernyms.items() for above in uppers])
    graph.add_nodes_from(taxonomy.classes)
    up = dict(nx.all_pairs_shortest_path_length(graph))
    return np.array(
        [[min(up[a][c] + up[b][c] for c in up[a].keys() & up[b].keys()) for b in taxonomy.classes] for a in taxonomy.classes]
    )


@given(drawn=hierarchies())
def test_edge_counts_are_those_of_networkx_on_random_hierarchies(drawn: tuple[list[str], list[tuple[str, str]]]) -> None:
    taxonomy = taxonomy_of(*drawn)
    counts = edge_counts(taxonomy)
    assert np.array_equal(counts, by_brute_force(taxonomy))
    assert np.array_equal(counts, counts.T)
    assert not counts.diagonal().any()
    assert (edge_counts(taxonomy, "undirected") <= counts).all()


@given(drawn=hierarchies())
def test_a_way_is_as_long_as_it_says_and_climbs_before_it_descends(drawn: tuple[list[str], list[tuple[str, str]]]) -> None:
    taxonomy = taxonomy_of(*drawn)
    counts = edge_counts(taxonomy)
    for (i, one), (j, other) in itertools.product(enumerate(taxonomy.classes), repeat=2):
        found = way(taxonomy, one, other)
        assert (found.nodes[0], found.nodes[-1]) == (one, other)
        assert len(found.nodes) - 1 == found.edges == counts[i, j]
        climbs = list(itertools.pairwise(found.nodes[: found.up + 1]))
        descends = [pair[::-1] for pair in itertools.pairwise(found.nodes[found.up :])]
        assert all(above in taxonomy.hypernyms[below] for below, above in climbs + descends)
        assert found.nodes[found.up] == found.top


@given(drawn=hierarchies(), data=st.data())
def test_distances_do_not_depend_on_the_order_of_classes(
    drawn: tuple[list[str], list[tuple[str, str]]], data: st.DataObject
) -> None:
    classes, edges = drawn
    order = data.draw(st.permutations(range(len(classes))))
    taxonomy, shuffled = taxonomy_of(classes, edges), taxonomy_of([classes[i] for i in order], edges)
    assert np.array_equal(distances(shuffled), distances(taxonomy)[np.ix_(order, order)])


def test_distances_are_those_of_nltk_on_wordnet_itself() -> None:
    """10,000 pairs as NLTK's `shortest_path_distance` found them through WordNet 3.0's hypernyms; see the file's first line."""
    path = Path(__file__).parent / "data" / "wordnet_pairs.json.gz"
    table = json.loads(gzip.decompress(path.read_bytes()))
    first, second, edges = np.array(table["pairs"]).T
    assert len(edges) == 10_000
    assert np.array_equal(edge_counts(ILSVRC)[first, second], edges)


@pytest.mark.parametrize("n", [1, 3, 5])
def test_the_set_distance_is_the_double_sum_of_equation_4_for_arrays_and_tensors(n: int) -> None:
    matrix, chance = distances(ILSVRC), np.random.default_rng(n)
    first, second = chance.integers(0, 1000, (2, 7, n))
    expected = [np.mean([[matrix[a, b] for b in two] for a in one]) for one, two in zip(first, second, strict=True)]
    assert set_distance(first, second, matrix) == pytest.approx(np.array(expected), rel=1e-6)
    tensors = set_distance(torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(matrix))
    assert tensors.numpy() == pytest.approx(np.array(expected), rel=1e-6)


def test_a_way_is_told_in_words() -> None:
    found = way(ILSVRC, ILSVRC.find("brambling"), ILSVRC.find("hummingbird"))
    assert in_words(ILSVRC, found) == "brambling - finch - oscine - passerine - bird - apodiform bird - hummingbird"
    assert ILSVRC.name(found.top) == "bird"


def test_a_class_is_found_by_id_index_and_name_and_an_ambiguous_name_is_answered_with_its_candidates() -> None:
    assert ILSVRC.find("n02012849") == ILSVRC.find(134) == ILSVRC.find("134") == ILSVRC.find("Crane Bird")
    with pytest.raises(TaxonomyError, match=r"name of 2 classes: n02012849 \(index 134.*n03126707 \(index 517"):
        ILSVRC.find("crane")
    with pytest.raises(UnknownName, match="hummingbird"):
        ILSVRC.find("humingbird")


def test_cifar_10_keeps_animals_near_and_vehicles_far() -> None:
    cifar = registry.get("cifar-10")()
    matrix = distances(cifar)
    assert [cifar.name(c) for c in cifar.classes][:2] == ["airplane", "automobile"]
    animals, vehicles = [2, 3, 4, 5, 6, 7], [0, 1, 8, 9]
    assert matrix[np.ix_(animals, animals)].max() < matrix[np.ix_(animals, vehicles)].min()


@pytest.mark.parametrize(
    ("classes", "edges", "words"),
    [
        (["a", "a"], [("a", "top")], "'a' stand more than once"),
        (["a", "lost"], [("a", "top")], "'lost' have no node"),
        (["a"], [("a", "b"), ("b", "c"), ("c", "a")], "run in a circle: .*a"),
        (["a", "b"], [("a", "north"), ("b", "south")], "2 roots, 'north', 'south'"),
    ],
)
def test_what_is_no_taxonomy_is_refused_with_the_offending_names(
    classes: list[str], edges: list[tuple[str, str]], words: str
) -> None:
    with pytest.raises(TaxonomyError, match=words):
        taxonomy_of(classes, edges)


def test_what_is_above_no_class_is_left_out() -> None:
    assert set(taxonomy_of(["a"], [("a", "top"), ("b", "top"), ("top", "world")]).hypernyms) == {"a", "top", "world"}


ZOO = {"animal": {"bird": ["robin", "wren"], "mammal": {"cat": None, "dog": ["beagle"]}}}
PAIRS_OF_ZOO = ["robin,bird", "wren,bird", "bird,animal", "cat,mammal", "beagle,dog", "dog,mammal", "mammal,animal"]


def written(folder: Path, kind: str) -> Any:
    if kind == "mapping":
        return ZOO
    if kind == "networkx":
        return nx.DiGraph([tuple(pair.split(",")[::-1]) for pair in PAIRS_OF_ZOO])
    path = folder / f"zoo.{kind.split()[0]}"
    pairs = [pair.split(",") for pair in PAIRS_OF_ZOO]
    text = {
        "csv": "\n".join(PAIRS_OF_ZOO),
        "json": json.dumps(ZOO),
        "json pairs": json.dumps(pairs),
        "yaml": "animal:\n  bird: [robin, wren]\n  mammal:\n    cat:\n    dog: beagle\n",
    }
    path.write_text(text[kind])
    return path


@pytest.mark.parametrize("kind", ["csv", "json", "json pairs", "yaml", "mapping", "networkx"])
def test_the_same_zoo_is_read_from_everything_that_can_hold_it(tmp_path: Path, kind: str) -> None:
    zoo = read_taxonomy(written(tmp_path, kind), classes=["robin", "wren", "cat", "beagle"])
    assert distances(zoo, "edges").tolist() == [[0, 1, 2, 2.5], [1, 0, 2, 2.5], [2, 2, 0, 1.5], [2.5, 2.5, 1.5, 0]]
    assert sorted(read_taxonomy(written(tmp_path, kind)).classes) == ["beagle", "cat", "robin", "wren"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "robin,bird,animal", "where a pair"),
        ("a.json", "{", "not valid JSON"),
        ("a.yaml", "a: [", "not valid YAML"),
        ("a.json", "3", "A int was given"),
        ("a.json", "{}", "holds no edges"),
        ("a.json", '["robin"]', "where a pair"),
    ],
)
def test_a_file_that_holds_no_taxonomy_is_answered(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TaxonomyError, match=words):
        read_taxonomy(tmp_path / name)
    with pytest.raises(TaxonomyError, match="cannot be read"):
        read_taxonomy(tmp_path / "nowhere.csv")
