"""The suite notices wrong shapes and types in calls of the package."""

import jaxtyping
import pytest
import torch

from gevaldi.divergences.kl import kl
from gevaldi.noise import Noise
from typechecking import EVERY, FIRST


def test_another_number_of_rows_is_noticed() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        kl(torch.zeros(2, 3), torch.zeros(4, 3))


def test_fields_of_another_type_are_noticed() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        Noise(3, [0])  # type: ignore[arg-type]


def test_the_first_calls_of_a_test_are_checked_and_some_of_the_later_ones() -> None:
    refused = []
    for count in range(1, 2 * EVERY + 1):
        try:
            Noise(3, [0])  # type: ignore[arg-type]
        except jaxtyping.TypeCheckError:
            refused.append(count)
    assert refused == [*range(1, FIRST + 1), EVERY, 2 * EVERY]
