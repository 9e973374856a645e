"""Rows do not depend on the batch size: lanes, and float64 where lanes are not enough."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.divergences import divergence
from gevaldi.errors import SpecError
from gevaldi.objective import Objective
from gevaldi.runs.rounding import LANES, Rounding, are_small, chosen_rounding, rounds_alike
from gevaldi.runs.store import Run

CPU = torch.device("cpu")


class Crowded(nn.Module):
    """Rounds otherwise in every batch, as a kernel chosen by the batch size would."""

    def __init__(self, only_single: bool = False) -> None:
        super().__init__()
        self.net, self.only_single = small_classifier(1).module, only_single

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.only_single and x.dtype != torch.float32:
            raise TypeError("float32 and nothing else")
        return self.net(x) * (1 + len(x) * torch.finfo(x.dtype).eps)


def asked_of(first: gevaldi.Classifier, second: gevaldi.Classifier, generator: gevaldi.Generator) -> Objective:
    return Objective(first, second, generator, divergence("kl"), 0.0)


def chosen(second: gevaldi.Classifier | None = None, generator: gevaldi.Generator | None = None, asked: str = "auto") -> Rounding:
    return chosen_rounding(asked, asked_of(small_classifier(0), second or small_classifier(1), generator or small_generator()), CPU)


@pytest.mark.parametrize("size", [1, 5, 8, 13])
def test_padding_to_lanes_changes_neither_the_samples_nor_their_number(size: int) -> None:
    objective = Objective(small_classifier(0), small_classifier(1), small_generator(), divergence("kl"), 0.1)
    z, condition = objective.generator.prior.sample(range(size)), torch.arange(size) % 3
    bare, padded = objective(z, condition), objective.given(condition, LANES)(z)
    for name in ("z", "pictures", "log_p", "log_q", "divergence", "value", "gradient"):
        assert torch.allclose(getattr(padded, name), getattr(bare, name), atol=1e-5), name


def test_networks_see_full_lanes_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: set[int] = set()

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_classifier(1).module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.add(len(x))
            return self.net(x)

    monkeypatch.setattr("gevaldi.runs.session.check_contract", lambda *models: [])
    monkeypatch.setattr("gevaldi.runs.session._audited", lambda *args: (None, []))
    monkeypatch.setattr("gevaldi.runs.session.range_warnings", lambda *args: [])
    second = gevaldi.classifier(Watching(), labels=3).eval()
    gevaldi.compare(small_classifier(0), second, small_generator(), out=tmp_path, samples=9, steps=30, batch_size=7, device="cpu")
    assert {size % LANES for size in seen} == {0}


def test_small_networks_get_lanes_and_large_pictures_do_not() -> None:
    assert chosen().lanes == LANES
    decoder = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid(), nn.Unflatten(1, (1, 1, 1)), nn.Upsample(size=(128, 128))).eval()
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(8), small_classifier(1).module).eval()
    wide = gevaldi.classifier(pooled, labels=3)
    assert chosen_rounding("auto", asked_of(wide, wide, gevaldi.generator(decoder, latent=5)), CPU) == Rounding(
        torch.float32, 1, alike=False
    )


def test_small_pictures_that_take_much_to_compute_are_searched_as_they_come() -> None:
    """A convolution of 64 to 64 channels over 8 x 8 pixels takes 64² x 9 x 64 multiplications, and as many additions."""
    assert chosen().lanes == LANES
    for count, lanes in ((60, LANES), (70, 1)):
        layers = [nn.Conv2d(64 if i else 1, 64, 3, padding=1) for i in range(count)]
        costly = gevaldi.classifier(nn.Sequential(*layers, small_classifier(1, 3).module[0], nn.Linear(4096, 3)).eval(), labels=3)  # type: ignore[index]
        assert are_small(asked_of(small_classifier(0), costly, small_generator()), CPU) == (lanes == LANES)


def test_a_probe_ends_where_few_samples_already_differ() -> None:
    """Of 64 samples, networks like these see 16 and no more, in each of the two precisions."""
    seen: list[int] = []

    class Watching(Crowded):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            return super().forward(x)

    assert (
        rounds_alike(
            asked_of(small_classifier(0), gevaldi.classifier(Watching().eval(), labels=3), small_generator()), CPU, torch.float32
        )
        is False
    )
    assert max(seen) == 16
    assert sum(seen) == 16 + 8 + 8 + 8  # sizes 1 and 7 are padded to 8


def test_networks_that_round_by_the_batch_size_are_searched_in_float64_if_they_run_in_it() -> None:
    found = chosen(gevaldi.classifier(Crowded().eval(), labels=3))
    assert found == Rounding(torch.float64, LANES, alike=False)  # better, but not the same, and it is said
    assert chosen(gevaldi.classifier(Crowded(only_single=True).eval(), labels=3)).dtype == torch.float32


def test_what_is_asked_for_is_what_is_used_where_there_is_such_a_thing() -> None:
    assert chosen(asked="float64").dtype == torch.float64
    with pytest.raises(SpecError, match="MPS"):
        chosen_rounding("float64", asked_of(small_classifier(0), small_classifier(1), small_generator()), torch.device("mps"))


def test_a_run_goes_on_in_the_numbers_that_it_was_begun_in(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 4, "steps": 20, "device": "cpu", "batch_size": 2, "precision": "float64"}
    models = small_classifier(0), small_classifier(1), small_generator()
    gevaldi.compare(*models, out=tmp_path, **settings)
    execution = Run.open(tmp_path).record["execution"]
    assert replace(Rounding.recorded(execution, CPU), threads=None) == chosen(asked="float64")
    assert chosen(asked="float64").dtype == torch.float64
    with pytest.raises(SpecError, match="MPS"):
        Rounding.recorded(execution, torch.device("mps"))


@given(
    rounding=st.builds(
        Rounding,
        dtype=st.sampled_from([torch.float32, torch.float64]),
        lanes=st.integers(1, 16),
        alike=st.booleans(),
        channels_last=st.booleans(),
        threads=st.none() | st.integers(1, 64),
        compiled=st.booleans(),
        graphs=st.booleans(),
    )
)
def test_what_a_record_says_is_what_was_chosen(rounding: Rounding) -> None:
    assert Rounding.recorded(rounding.record(), CPU) == rounding
    mixed = replace(rounding, dtype=torch.float32, mixed=torch.bfloat16)
    assert Rounding.recorded(mixed.record(), CPU) == mixed


def test_a_record_from_before_there_were_threads_in_it_is_read() -> None:
    old = {"precision": "float64", "lanes": 8, "any_batch_size": True}
    assert Rounding.recorded(old, CPU) == Rounding(torch.float64, 8, True)
