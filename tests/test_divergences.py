"""Laws for every divergence, and reference values from scipy and torch.distributions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from torch.distributions import Categorical, kl_divergence

from gevaldi.divergences import divergence, registry, traits
from gevaldi.divergences.jensen_shannon import jensen_shannon_of_set
from gevaldi.errors import SpecError, UnknownName

NAMED = [*(n for n in registry if n != "log-odds"), "log-odds,this=0,that=1", "renyi,order=2", "renyi,order=1", "renyi,order=0.999"]
logits = st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=2, max_size=2)


def log_probabilities(values: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    p, q = torch.tensor(values, dtype=torch.float64).log_softmax(-1)
    return p[None], q[None]


@pytest.mark.parametrize("name", NAMED)
@given(values=logits)
@settings(max_examples=60, deadline=None)
def test_a_divergence_keeps_what_it_claims(name: str, values: list[list[float]]) -> None:
    function, claimed = divergence(name), traits(divergence(name))
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
    function = divergence(name)
    assert function(log_p[:, order], log_q[:, order]).item() == pytest.approx(function(log_p, log_q).item(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [n for n in NAMED if "log-odds" not in n])
@pytest.mark.parametrize("zeros", [([0], []), ([], [0]), ([0], [0]), ([0, 1], [1, 2]), ([0, 1], [2, 3])])
def test_gradients_are_finite_where_a_class_has_probability_zero(name: str, zeros: tuple[list[int], list[int]]) -> None:
    logits = torch.tensor([[0.3, -0.2, 1.0, 0.4], [1.0, 0.1, -0.5, 0.2]], dtype=torch.float64)
    for row, classes in enumerate(zeros):
        logits[row, classes] = -math.inf
    log_p, log_q = (x.log_softmax(-1)[None].requires_grad_() for x in logits)
    value = divergence(name)(log_p, log_q)
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
    assert divergence(name)(good, bad).isnan().all()
    assert divergence(name)(bad, good).isnan().all()


def test_jensen_shannon_of_classifiers_sure_of_different_classes_is_log_of_their_number() -> None:
    log_ps = torch.eye(5)[:, None, :].log()
    assert jensen_shannon_of_set(log_ps).item() == pytest.approx(math.log(5), rel=1e-6)
    assert jensen_shannon_of_set(log_ps[[3, 0, 4, 1, 2]]).item() == pytest.approx(math.log(5), rel=1e-6)


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
