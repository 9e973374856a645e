"""The level function of disagreements."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from gevaldi.disagreement import disagreement_level, lead


def predictions(seed: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.randn(2, 50, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return tuple((3 * drawn).log_softmax(-1))


@given(st.integers(0, 1000), st.integers(2, 8))
def test_the_level_is_positive_exactly_where_the_top_classes_differ(seed: int, classes: int) -> None:
    log_p, log_q = predictions(seed, classes)
    assert ((disagreement_level(log_p, log_q) > 0) == (log_p.argmax(1) != log_q.argmax(1))).all()


@given(st.integers(0, 1000), st.integers(2, 8))
def test_the_level_does_not_depend_on_the_order_of_classifiers_or_classes(seed: int, classes: int) -> None:
    log_p, log_q = predictions(seed, classes)
    shuffled = torch.randperm(classes, generator=torch.Generator().manual_seed(seed))
    level = disagreement_level(log_p, log_q)
    assert torch.equal(level, disagreement_level(log_q, log_p))
    assert torch.equal(level, disagreement_level(log_p[:, shuffled], log_q[:, shuffled]))


def test_of_two_classes_the_level_is_that_of_the_one_nearer_to_its_border() -> None:
    def pair(*odds: float) -> torch.Tensor:
        return torch.tensor([[x, 0.0] for x in odds]).log_softmax(-1)

    first, second = pair(2.0, 2.0, -3.0, 0.5), pair(-1.0, 0.5, -1.0, -4.0)
    torch.testing.assert_close(disagreement_level(first, second), torch.tensor([1.0, -0.5, -1.0, 0.5]))


def test_the_level_is_continuous_where_one_classifier_changes_its_mind() -> None:
    sure = torch.tensor([[2.0, 0.0, -1.0]]).log_softmax(-1)
    levels = [disagreement_level(sure, torch.tensor([[0.0, shift, -5.0]]).log_softmax(-1)).item() for shift in (-1e-9, 0.0, 1e-9)]
    assert max(map(abs, levels)) < 1e-6


def test_the_lead_is_a_difference_of_log_probabilities() -> None:
    torch.testing.assert_close(lead(torch.tensor([[0.7, 0.1, 0.2]]).log()), torch.tensor([0.7 / 0.2]).log())
