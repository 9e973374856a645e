"""The measures of the bundled models, on cases with known answers."""

import pytest
import torch
from torch import nn

from gevaldi.bundled import audit
from gevaldi.bundled.examples import Examples


class Brightness(nn.Module):
    """Reads the digit n off a picture of the uniform grey n / 10, plus a constant error."""

    def __init__(self, error: int = 0) -> None:
        super().__init__()
        self.error = error

    def forward(self, x):
        return nn.functional.one_hot((x.mean((1, 2, 3)) * 10).round().long() + self.error, 12).float()


def greys(labels: torch.Tensor) -> Examples:
    return Examples((labels / 10).view(-1, 1, 1, 1).expand(-1, 1, 28, 28).contiguous(), labels)


def test_accuracy_and_disagreement_of_known_readers():
    digits = greys(torch.arange(1200) % 10)
    assert audit.accuracy(Brightness(), digits) == 1
    assert audit.accuracy(Brightness(1), digits) == 0
    assert audit.disagreement(Brightness(), Brightness(), digits.pictures) == 0
    assert audit.disagreement(Brightness(), Brightness(1), digits.pictures) == 1


def test_two_samples_of_one_law_cover_each_other_as_the_formula_says():
    torch.manual_seed(0)
    for k in (1, 3, 5):
        assert audit.coverage(torch.randn(2000, 3), torch.randn(2000, 3), k) == pytest.approx(1 - 0.5**k, abs=0.04)


def test_a_sample_that_misses_one_of_two_clusters_covers_half():
    torch.manual_seed(0)
    real = torch.cat([torch.randn(300, 2), torch.randn(300, 2) + 50])
    assert audit.coverage(real, torch.randn(3000, 2)) == pytest.approx(0.5, abs=0.03)


def test_in_batches_equals_all_at_once():
    values = torch.arange(1201.0)
    assert torch.equal(audit.in_batches(lambda v: v * 2, values), values * 2)


def test_a_generator_is_compared_with_a_pair_that_never_parts_on_real_digits():
    measured = audit.Audit(10, disagreement=0.1, real_disagreement=0.0, read_as_meant=1.0, coverage=0.9, real_coverage=0.97)
    assert measured.ratio == float("inf")
