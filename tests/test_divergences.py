"""Laws for every divergence, and reference values from scipy and torch.distributions."""

import math
from collections.abc import Sequence

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from torch.distributions import Categorical, kl_divergence

from gevaldi.divergences import divergence, registry, traits
from gevaldi.divergences.base import Divergence
from gevaldi.divergences.jensen_shannon import jensen_shannon_of_set
from gevaldi.errors import SpecError, UnknownName
from gevaldi.taxonomy import Taxonomy, distances, edge_counts, restricted, taxonomy_of
from gevaldi.taxonomy import registry as taxonomies
from gevaldi.taxonomy.tree import as_tree

LEAVES = ["robin", "wren", "cat", "dog"]
ZOO = taxonomy_of(
    LEAVES, [("robin", "bird"), ("wren", "bird"), ("cat", "mammal"), ("dog", "mammal"), ("bird", "animal"), ("mammal", "animal")]
)


def bound(name: str, order: Sequence[int] = range(4)) -> Divergence:
    """A divergence of four classes, which may stand in another order."""
    return divergence(name, taxonomy=restricted(ZOO, [LEAVES[i] for i in order]))


NAMED = [*(n for n in registry if n != "log-odds"), "log-odds,this=0,that=1", "renyi,order=2", "renyi,order=1", "renyi,order=0.999"]
logits = st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=2, max_size=2)


def log_probabilities(values: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    p, q = torch.tensor(values, dtype=torch.float64).log_softmax(-1)
    return p[None], q[None]


@pytest.mark.parametrize("name", NAMED)
@given(values=logits)
@settings(max_examples=60, deadline=None)
def test_a_divergence_keeps_what_it_claims(name: str, values: list[list[float]]) -> None:
    function, claimed = bound(name), traits(bound(name))
    log_p, log_q = log_probabilities(values)
    value = function(log_p, log_q)
    assert value.shape == (1,)
    assert function(log_p, log_p).abs().item() < 1e-9
    assert value.item() <= claimed.bound + 1e-9
    if claimed.non_negative:
        assert value.item() >= -1e-9
    if claimed.symmetric:
        assert function(log_q, log_p).item() == pytest.approx(value.item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMED if "log-odds" not in n])
@given(values=logits, order=st.permutations(range(4)))
@settings(max_examples=30, deadline=None)
def test_a_divergence_does_not_depend_on_the_order_of_classes(name: str, values: list[list[float]], order: list[int]) -> None:
    log_p, log_q = log_probabilities(values)
    exchanged = bound(name, order)(log_p[:, order], log_q[:, order]).item()
    assert exchanged == pytest.approx(bound(name)(log_p, log_q).item(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [n for n in NAMED if "log-odds" not in n])
@pytest.mark.parametrize("zeros", [([0], []), ([], [0]), ([0], [0]), ([0, 1], [1, 2]), ([0, 1], [2, 3])])
def test_gradients_are_finite_where_a_class_has_probability_zero(name: str, zeros: tuple[list[int], list[int]]) -> None:
    logits = torch.tensor([[0.3, -0.2, 1.0, 0.4], [1.0, 0.1, -0.5, 0.2]], dtype=torch.float64)
    for row, classes in enumerate(zeros):
        logits[row, classes] = -math.inf
    log_p, log_q = (x.log_softmax(-1)[None].requires_grad_() for x in logits)
    value = bound(name)(log_p, log_q)
    assert not value.isnan().any()
    for gradient in torch.autograd.grad(value.sum(), (log_p, log_q)):
        assert gradient.isfinite().all()


@given(values=logits)
@settings(max_examples=100, deadline=None)
def test_values_are_those_of_scipy_and_torch(values: list[list[float]]) -> None:
    log_p, log_q = log_probabilities(values)
    p, q = log_p[0].exp().numpy(), log_q[0].exp().numpy()
    assert divergence("kl")(log_p, log_q).item() == pytest.approx(rel_entr(p, q).sum(), rel=1e-7, abs=1e-10)
    forward = kl_divergence(Categorical(logits=log_p), Categorical(logits=log_q)).item()
    backward = kl_divergence(Categorical(logits=log_q), Categorical(logits=log_p)).item()
    assert divergence("reverse-kl")(log_p, log_q).item() == pytest.approx(backward, rel=1e-7, abs=1e-10)
    assert divergence("jeffreys")(log_p, log_q).item() == pytest.approx(forward + backward, rel=1e-7, abs=1e-10)
    with np.errstate(invalid="ignore"):  # scipy takes the root of what rounding may have made negative
        reference = np.nan_to_num(jensenshannon(p, q)) ** 2
    assert divergence("jensen-shannon")(log_p, log_q).item() == pytest.approx(reference, rel=1e-5, abs=1e-9)
    assert divergence("total-variation")(log_p, log_q).item() == pytest.approx(0.5 * np.abs(p - q).sum(), abs=1e-10)
    assert divergence("squared-hellinger")(log_p, log_q).item() == pytest.approx(1 - np.sqrt(p * q).sum(), abs=1e-9)
    assert divergence("renyi,order=2")(log_p, log_q).item() == pytest.approx(np.log((p**2 / q).sum()), rel=1e-7, abs=1e-9)


def test_kl_of_two_sure_classifiers_is_above_a_hundred_nats_and_its_gradient_finite() -> None:
    logits = torch.tensor([[0.0, 150.0]], requires_grad=True)
    value = divergence("kl")(logits.log_softmax(-1), torch.tensor([[150.0, 0.0]]).log_softmax(-1))
    assert value.item() == pytest.approx(150.0)
    assert torch.autograd.grad(value.sum(), logits)[0].isfinite().all()


def test_kl_is_infinite_where_the_second_excludes_what_the_first_does_not() -> None:
    p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]).log()
    assert divergence("kl")(p, q).item() == math.inf
    assert divergence("reverse-kl")(p, q).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", NAMED)
def test_a_prediction_that_is_not_a_number_gives_a_divergence_that_is_not_a_number(name: str) -> None:
    good, bad = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[math.nan, math.nan]])
    two = divergence(name, taxonomy=restricted(ZOO, ["robin", "cat"]))
    assert two(good, bad).isnan().all()
    assert two(bad, good).isnan().all()


def test_jensen_shannon_of_classifiers_sure_of_different_classes_is_log_of_their_number() -> None:
    log_ps = torch.eye(5)[:, None, :].log()
    assert jensen_shannon_of_set(log_ps).item() == pytest.approx(math.log(5), rel=1e-6)
    assert jensen_shannon_of_set(log_ps[[3, 0, 4, 1, 2]]).item() == pytest.approx(math.log(5), rel=1e-6)


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Classes and edges of a random tree: node i hangs under an earlier one; some nodes, not only leaves, are the classes."""
    size = draw(st.integers(4, 16))
    edges = [(str(i), str(draw(st.integers(0, i - 1)))) for i in range(1, size)]
    return draw(st.lists(st.integers(1, size - 1), min_size=3, max_size=8, unique=True).map(lambda c: [str(i) for i in c])), edges


@given(drawn=trees(), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_wasserstein_is_what_an_exact_optimal_transport_solver_finds_on_random_trees(
    drawn: tuple[list[str], list[tuple[str, str]]], seed: int
) -> None:
    taxonomy = taxonomy_of(*drawn)
    p, q = np.random.default_rng(seed).dirichlet(np.full(len(drawn[0]), 0.3), 2)
    reference = ot.emd2(p, q, distances(taxonomy, "edges").astype(float))
    log_p, log_q = (torch.from_numpy(x)[None].log() for x in (p, q))
    assert divergence("wasserstein", taxonomy=taxonomy)(log_p, log_q).item() == pytest.approx(reference, rel=1e-6, abs=1e-7)


def test_wasserstein_over_imagenet_is_exact_transport_on_its_tree_and_never_below_it_in_the_taxonomy() -> None:
    ilsvrc: Taxonomy = taxonomies.get("ilsvrc")()
    p, q = np.random.default_rng(0).dirichlet(np.full(1000, 0.01), 2)
    log_p, log_q = (torch.from_numpy(x)[None].log() for x in (p, q))
    found = divergence("wasserstein", taxonomy=ilsvrc)(log_p, log_q).item()
    in_tree, in_taxonomy = (ot.emd2(p, q, distances(t, "edges").astype(float)) for t in (as_tree(ilsvrc), ilsvrc))
    assert found == pytest.approx(in_tree, rel=1e-6)
    assert in_taxonomy - 1e-9 <= found < 1.1 * in_taxonomy


def test_a_class_with_several_hypernyms_is_kept_under_the_one_nearest_the_root_as_93_percent_of_imagenets_pairs_do_not_feel() -> (
    None
):
    deep = [("a", "low"), ("low", "high"), ("high", "root"), ("a", "side"), ("side", "root"), ("b", "low")]
    assert as_tree(taxonomy_of(["a", "b"], deep)).hypernyms["a"] == ("side",)
    tied = [("a", "low"), ("a", "side"), ("low", "root"), ("side", "root")]
    assert as_tree(taxonomy_of(["a"], tied)).hypernyms == as_tree(taxonomy_of(["a"], [tied[1], tied[0], *tied[2:]])).hypernyms
    ilsvrc: Taxonomy = taxonomies.get("ilsvrc")()
    pairs = np.triu_indices(1000, 1)
    whole, tree = edge_counts(ilsvrc)[pairs], edge_counts(as_tree(ilsvrc))[pairs]
    assert (tree >= whole).all()
    assert (tree == whole).mean() == pytest.approx(0.927, abs=0.0005)
    assert (tree / whole).mean() == pytest.approx(1.022, abs=0.0005)


def test_wasserstein_of_two_sure_classifiers_is_half_the_edges_between_their_classes() -> None:
    ilsvrc: Taxonomy = taxonomies.get("ilsvrc")()
    sure = torch.full((1000, 1000), -torch.inf).fill_diagonal_(0.0)
    first, second = torch.arange(999), torch.arange(1, 1000)
    found = divergence("wasserstein", taxonomy=ilsvrc)(sure[first], sure[second])
    expected = edge_counts(as_tree(ilsvrc))[first.numpy(), second.numpy()] / 2
    assert found.numpy() == pytest.approx(expected)


def test_the_gradient_of_wasserstein_is_that_of_finite_differences() -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    other = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    assert torch.autograd.gradcheck(lambda x: bound("wasserstein")(x.log_softmax(-1), other), logits)


def test_wasserstein_without_a_taxonomy_is_answered_with_how_to_give_one() -> None:
    with pytest.raises(SpecError, match="--taxonomy ilsvrc"):
        divergence("wasserstein", classes=4)
    with pytest.raises(SpecError, match="no option taxonomy"):
        divergence("wasserstein,taxonomy=ilsvrc", classes=4)
    with pytest.raises(SpecError, match="there are 5 classes, but the hierarchy has 4"):
        divergence("wasserstein", classes=5, taxonomy=ZOO)


def test_an_unknown_divergence_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="jeffreys"):
        divergence("jefreys")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("renyi,order=-1", "positive"),
        ("log-odds,this=4,that=19", "indices 0 to 9"),
        ("log-odds,this=4,that=4", "two different classes"),
        ("log-odds,this=1", "needs that"),
        ("kl,order=2", "no option order"),
        ("renyi,order", "KEY=VALUE"),
    ],
)
def test_an_impossible_option_is_answered_with_what_is_expected(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        divergence(text, classes=10)
