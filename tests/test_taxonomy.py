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
from sklearn.cluster import AgglomerativeClustering

from gevaldi.bundled.worlds import GARMENTS, SPEECH
from gevaldi.errors import TaxonomyError, UnknownName
from gevaldi.taxonomy import (
    Taxonomy,
    contracted,
    distances,
    edge_counts,
    fitting,
    in_words,
    most_probable,
    over,
    read_taxonomy,
    registry,
    restricted,
    set_distance,
    taxonomy_from_confusions,
    taxonomy_from_embeddings,
    taxonomy_of,
    way,
    write_taxonomy,
)
from gevaldi.taxonomy.shipped import spoken_digits

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


def test_edges_are_counted_once_and_kept_from_harm() -> None:
    assert registry.get("ilsvrc")() is ILSVRC
    assert edge_counts(ILSVRC) is edge_counts(ILSVRC)
    with pytest.raises(ValueError, match="read-only"):
        edge_counts(ILSVRC)[0, 0] = 1


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


def test_an_inner_node_is_found_where_no_class_is_called_so() -> None:
    assert ILSVRC.name(ILSVRC.find("bird")) == "bird"
    assert way(ILSVRC, ILSVRC.find("brambling"), ILSVRC.find("bird")).edges == 4
    with pytest.raises(UnknownName, match=r"and 2,\d+ more"):
        ILSVRC.find("²")
    with pytest.raises(TaxonomyError, match="indices go from 0 to 999"):
        ILSVRC.find("5000")


def test_a_way_turns_at_the_deepest_of_the_hypernyms_that_are_equally_near() -> None:
    """`low` is three levels below the root, `many` two, though there are more nodes above it."""
    edges = [("a", "low"), ("b", "low"), ("low", "x"), ("x", "y"), ("y", "root"), ("a", "many"), ("b", "many")]
    above = [("many", "p"), ("many", "q"), ("many", "r"), ("many", "s"), ("p", "root"), ("q", "root"), ("r", "root"), ("s", "root")]
    assert way(taxonomy_of(["a", "b"], edges + above), "a", "b").top == "low"


def test_cifar_10_keeps_animals_near_and_vehicles_far() -> None:
    cifar = registry.get("cifar-10")()
    matrix = distances(cifar)
    assert [cifar.name(c) for c in cifar.classes][:2] == ["airplane", "automobile"]
    animals, vehicles = [2, 3, 4, 5, 6, 7], [0, 1, 8, 9]
    assert matrix[np.ix_(animals, animals)].max() < matrix[np.ix_(animals, vehicles)].min()


@pytest.mark.parametrize(
    ("classes", "edges", "words"),
    [
        (["a", "a"], [("a", "top")], "'a' occur more than once"),
        (["a", "lost"], [("a", "top")], "'lost' have no node"),
        (["a"], [("a", "b"), ("b", "c"), ("c", "a")], "form a cycle: .*a"),
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
        ("a.csv", "robin,bird,animal", "is not a pair"),
        ("a.json", "{", "not valid JSON"),
        ("a.yaml", "a: [", "not valid YAML"),
        ("a.json", "3", "is of type int"),
        ("a.json", "{}", "holds no edges"),
        ("a.tsv", "robin\tbird", "has an unknown suffix"),
        ("a.json", '["robin"]', "is not a pair"),
        ("a.json", '{"animal": 3}', "Below 'animal' is 3"),
        ("a.yaml", "animal: [[cat, dog]]", "without a name"),
    ],
)
def test_a_file_that_holds_no_taxonomy_is_answered(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TaxonomyError, match=words):
        read_taxonomy(tmp_path / name)
    with pytest.raises(TaxonomyError, match="cannot be read"):
        read_taxonomy(tmp_path / "nowhere.csv")


# The data set's own coarse label of every fine label, in alphabetical order [Krizhevsky 2009], as torch users copy it around.
COARSE = (
    "4 1 14 8 0 6 7 7 18 3 3 14 9 18 7 11 3 9 7 11 6 11 5 10 7 6 13 15 3 15 0 11 1 10 12 14 16 9 11 5 5 19 8 8 15 13 14 17 18 10 "
    "16 4 17 4 2 0 17 4 18 17 10 3 2 12 12 16 12 1 9 19 2 10 0 1 16 12 9 13 15 13 16 19 2 4 6 19 5 5 8 19 18 1 2 15 6 0 17 8 14 13"
)


def test_the_garments_are_those_of_the_bundled_classifiers_and_shoes_are_near_shoes() -> None:
    garments = registry.get("fashion-garments")()
    assert [(c, garments.name(c)) for c in garments.classes] == list(GARMENTS.data.classes)
    apart = {
        (a, b): e
        for a, row in zip(garments.classes, edge_counts(garments), strict=True)
        for b, e in zip(garments.classes, row, strict=True)
    }
    shirt, t_shirt, coat, sandal, sneaker, boot, bag = map(
        garments.find, ("Shirt", "T-shirt/top", "Coat", "Sandal", "Sneaker", "Ankle boot", "Bag")
    )
    assert [apart[sandal, sneaker], apart[sandal, boot], apart[shirt, t_shirt], apart[shirt, coat]] == [2, 3, 1, 3]
    assert all(apart[bag, other] >= 6 for other in garments.classes if other != bag)


def phone_distance(one: str, other: str) -> float:
    """The edit distance of two words as a shortest path: right leaves a phone out, down puts one in, and aslant replaces one."""
    grid = nx.DiGraph()
    for i, j in itertools.product(range(len(one) + 1), range(len(other) + 1)):
        grid.add_edge((i, j), (i + 1, j), weight=1)
        grid.add_edge((i, j), (i, j + 1), weight=1)
        if i < len(one) and j < len(other):
            grid.add_edge((i, j), (i + 1, j + 1), weight=spoken_digits.unlikeness(one[i], other[j]))
    return nx.shortest_path_length(grid, (0, 0), (len(one), len(other)), weight="weight") / max(len(one), len(other))


def test_spoken_digits_are_clustered_as_scikit_learn_does_it_by_shortest_paths_between_their_phones() -> None:
    words, spoken = spoken_digits.WORDS, registry.get("spoken-digits")()
    assert tuple(map(spoken.name, spoken.classes)) == tuple(words) == SPEECH.data.classes
    apart = np.array([[phone_distance(one, other) for other in words.values()] for one in words.values()])
    below = {frozenset(c for c in spoken.classes if node in spoken.levels_up(c)) for node in spoken.hypernyms}
    for count in range(1, 10):
        joined = AgglomerativeClustering(count, metric="precomputed", linkage="average").fit_predict(apart)
        clusters = {frozenset(np.array(spoken.classes)[joined == k]) for k in range(count)}
        assert clusters <= below


def test_phones_are_unlike_by_the_share_of_features_and_wholly_between_consonants_and_vowels() -> None:
    assert spoken_digits.unlikeness("s", "z") == pytest.approx(1 / 3)  # voice alone
    assert spoken_digits.unlikeness("t", "n") == pytest.approx(2 / 3)  # manner and voice
    assert spoken_digits.unlikeness("i", "s") == 1
    assert spoken_digits.unlikeness("k", "k") == 0
    assert spoken_digits.edit_distance("naɪn", "faɪv") == pytest.approx((1 + 2 / 3) / 4)


def test_cifar_100_has_the_superclasses_of_the_data_set() -> None:
    cifar = registry.get("cifar-100")()
    superclasses = sorted({cifar.hypernyms[c][0] for c in cifar.classes})
    assert len(superclasses) == 20
    assert [superclasses.index(cifar.hypernyms[c][0]) for c in cifar.classes] == [int(label) for label in COARSE.split()]
    assert set(distances(cifar)[np.triu_indices(100, 1)]) == {0.5, 1.5}
    assert cifar.find("sweet pepper") == cifar.find("sweet_pepper") == cifar.classes[83]


@given(drawn=hierarchies(), data=st.data())
def test_no_two_classes_are_farther_apart_in_a_coarser_taxonomy(
    drawn: tuple[list[str], list[tuple[str, str]]], data: st.DataObject
) -> None:
    taxonomy = taxonomy_of(*drawn)
    inner = [node for node, above in taxonomy.hypernyms.items() if above and node not in taxonomy.classes]
    coarser = contracted(taxonomy, data.draw(st.sets(st.sampled_from(inner))) if inner else ())
    assert (edge_counts(coarser) <= edge_counts(taxonomy)).all()


def test_only_inner_nodes_can_be_taken_out() -> None:
    for wrong, words in (("robin", "are classes"), ("animal", "are the root"), ("fish", "are no nodes")):
        with pytest.raises(TaxonomyError, match=f"'{wrong}' {words}"):
            contracted(read_taxonomy(ZOO), [wrong])


def test_labels_find_their_classes_by_id_by_name_and_by_place_and_never_by_a_guess() -> None:
    wren, crane = ILSVRC.find("brambling"), "n02012849"
    assert over(ILSVRC, [("what it is called here", wren), ("crane", crane)]).classes == (wren, crane)
    assert over(ILSVRC, [("Brambling", None), ("hummingbird", None)]).classes == (wren, ILSVRC.find("hummingbird"))
    assert over(ILSVRC, [(str(i), None) for i in range(1000)]).classes == ILSVRC.classes
    with pytest.raises(TaxonomyError, match=r"2 of 3 labels.*2 classes: n02012849 \(index 134.*no class named 'sesame'"):
        over(ILSVRC, [("crane", None), ("brambling", None), ("sesame", None)])
    shifted = restricted(read_taxonomy({"all": [str(i) for i in range(1, 4)]}), ["1", "2", "3"])
    with pytest.raises(TaxonomyError, match="no class named '0'"):
        over(shifted, [("0", None), ("1", None), ("2", None)])  # by order 0 would be taken for 1
    with pytest.raises(TaxonomyError, match="no class named '7'"):
        over(ILSVRC, [("7", None), ("brambling", None)])
    with pytest.raises(TaxonomyError, match="'tench' has the id 'n99', which is not a node"):
        over(ILSVRC, [("tench", "n99"), ("brambling", wren)])


def test_ids_tell_which_shipped_taxonomy_fits() -> None:
    dog = "n02084071"  # a class of CIFAR-10, and a node above many of ImageNet's
    for ids, expected in ((registry.get("cifar-10")().classes, "cifar-10"), (ILSVRC.classes[::-2], "ilsvrc")):
        found = fitting([("", own) for own in ids])
        assert found is not None
        assert found[0] == expected
        assert found[1].classes == tuple(ids)
    assert fitting([("dog", dog), ("cat", None)]) is None
    assert fitting([("dog", dog), ("hound", dog)]) is None
    assert fitting([("dog", dog), ("nothing", "n00000000")]) is None


def test_a_taxonomy_is_written_and_read_back(tmp_path: Path) -> None:
    some = restricted(ILSVRC, [ILSVRC.find("brambling"), ILSVRC.find("hummingbird")])
    write_taxonomy(some, tmp_path / "birds.json")
    again = read_taxonomy(tmp_path / "birds.json")
    assert (again.classes, again.hypernyms, again.names) == (some.classes, some.hypernyms, some.names)
    assert read_taxonomy(tmp_path / "birds.json", some.classes[::-1]).classes == some.classes[::-1]
    (tmp_path / "bad.json").write_text('{"classes": ["a"], "nodes": {"a": []}}')
    with pytest.raises(TaxonomyError, match="'hypernyms'"):
        read_taxonomy(tmp_path / "bad.json")


GROUPS = {"all": {"birds": ["robin", "wren"], "vehicles": {"cars": ["van", "taxi"], "boat": None}}}


def test_a_hierarchy_that_was_planted_is_learnt_from_confusions_and_embeddings_in_any_order_of_classes() -> None:
    planted = read_taxonomy(GROUPS)
    apart = edge_counts(planted)
    for order in itertools.permutations(range(5)):
        shuffled = apart[np.ix_(order, order)]
        names = [planted.classes[i] for i in order]
        expected = edge_counts(planted)[np.ix_(order, order)]
        assert np.array_equal(edge_counts(taxonomy_from_confusions(np.exp(-shuffled.astype(float)), names)), expected)
    clusters = taxonomy_from_confusions(np.ones((3, 3)) + np.eye(3), ["cluster:1", "cluster:2", "b"])
    assert clusters.classes == ("cluster:1", "cluster:2", "b")
    # One feature an edge, present in the classes below it: the more edges two classes share, the more alike their embeddings.
    nodes = list(planted.hypernyms)
    vectors = np.array([[node in planted.levels_up(c) for node in nodes] for c in planted.classes], dtype=float)
    learnt = taxonomy_from_embeddings(vectors, planted.classes)
    clusters = {frozenset(c for c in learnt.classes if node in learnt.levels_up(c)) for node in learnt.hypernyms}
    assert {frozenset({"robin", "wren"}), frozenset({"van", "taxi"}), frozenset({"van", "taxi", "boat"})} <= clusters


@pytest.mark.parametrize(
    ("learn", "words"),
    [
        (lambda: taxonomy_from_confusions(np.eye(3), ["a", "b"]), "have shape .3, 3. for 2 classes"),
        (lambda: taxonomy_from_confusions(-np.eye(2), ["a", "b"]), "none below zero"),
        (lambda: taxonomy_from_confusions(np.diag([1.0, 0.0]), ["a", "b"]), "no confusions of 'b'"),
        (lambda: taxonomy_from_confusions(np.eye(1), ["a"]), "two or more"),
        (lambda: taxonomy_from_embeddings(np.zeros((2, 3)), ["a", "b"]), "finite and not zero"),
        (lambda: taxonomy_from_embeddings(np.ones((3, 3)), ["a", "b"]), "one vector a class"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(learn: Any, words: str) -> None:
    with pytest.raises(TaxonomyError, match=words):
        learn()


def test_the_most_probable_classes_come_first_for_arrays_and_tensors() -> None:
    predictions = np.random.default_rng(0).random((6, 50))
    expected = np.argsort(-predictions, axis=-1)[:, :5]
    assert np.array_equal(most_probable(predictions, 5), expected)
    assert np.array_equal(most_probable(torch.from_numpy(predictions), 5).numpy(), expected)
    assert most_probable(predictions[:, :3], 5).shape == (6, 3)
