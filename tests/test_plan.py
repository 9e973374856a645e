"""Rows of small networks are a function of the spec: one precision, one block shape, nothing that is measured."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
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
from gevaldi.batches import in_blocks
from gevaldi.divergences import divergence
from gevaldi.errors import SpecError
from gevaldi.execution import autotune
from gevaldi.execution.autotune import plan_of
from gevaldi.execution.plan import BLOCK, ExecutionPlan, are_small
from gevaldi.execution.threads import in_threads
from gevaldi.objective import Objective
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec

CPU = torch.device("cpu")
PAIR = "bundled:mnist-strided", "bundled:mnist-pooled"


def objective_of(first: gevaldi.Classifier, second: gevaldi.Classifier, generator: gevaldi.Generator) -> Objective:
    return Objective(first, second, generator, divergence("kl"), 0.1)


def small() -> Objective:
    return objective_of(small_classifier(0), small_classifier(1), small_generator())


def plan(**settings: Any) -> ExecutionPlan:
    return plan_of(Spec(**({"first": "a", "second": "b", "generator": "g"} | settings)), small(), CPU)[0]


@pytest.mark.parametrize("size", [1, 5, 8, 13])
def test_blocks_change_neither_the_samples_nor_their_number(size: int) -> None:
    objective = small()
    samples = objective.generator.prior.sample(range(size)), torch.arange(size) % 3, torch.arange(size) % 2 == 0
    alone, in_block = objective(*samples), in_blocks([objective], 8)(*samples)
    for name in ("z", "pictures", "log_p", "log_q", "divergence", "value", "gradient"):
        assert torch.allclose(getattr(in_block, name), getattr(alone, name), atol=1e-5), name


def test_networks_see_one_shape_in_a_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shapes: set[int] = set()

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_classifier(1).module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shapes.add(len(x))
            return self.net(x)

    monkeypatch.setattr("gevaldi.execution.autotune.are_small", lambda *networks: True)
    monkeypatch.setattr("gevaldi.execution.autotune.computes_in_float64", lambda *networks: True)
    monkeypatch.setattr("gevaldi.runs.session.check_contract", lambda *models: [])
    monkeypatch.setattr("gevaldi.runs.session._run_audit", lambda *args: (None, []))
    second = gevaldi.classifier(Watching(), labels=3).eval()
    gevaldi.compare(small_classifier(0), second, small_generator(), out=tmp_path, samples=9, steps=30, batch_size=7, device="cpu")
    assert shapes == {BLOCK}


def test_nothing_is_measured_for_small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> Any:
        raise AssertionError("it was measured")

    monkeypatch.setattr(autotune, "time_evaluation", refused)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("gevaldi.execution.plan.usable_cores", lambda: 2)
    assert plan(samples=1000) == ExecutionPlan(torch.float64, True, BLOCK, 128, threads=2)
    assert plan(samples=3).batch_size == 6


def bundled_rows(pair: Sequence[str], batch_size: int, threads: int, **settings: Any) -> pd.DataFrame:
    speed = {"threads": threads, "batch_size": batch_size}
    return gevaldi.compare(*pair, "bundled:mnist-vae", speed=speed, audited=4, device="cpu", **settings).rows()


def test_rows_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("gevaldi.execution.threads.usable_cores", lambda: 2)
    settings = {"samples": 17, "steps": 3, "goal": "most divergent"}  # in both orders more than a block, for either thread
    one, two = (bundled_rows(PAIR, 64, threads, **settings) for threads in (1, 2))
    assert np.array_equal(one["divergence_end"], two["divergence_end"])


@pytest.mark.parametrize(
    ("pair", "batch_size", "settings"),
    [
        (PAIR, 3, {"samples": 2, "steps": 6, "goal": "most divergent"}),
        pytest.param(
            ("bundled:mnist-strided-61k", "bundled:mnist-errs-far"),
            1,
            {"samples": 1, "steps": 40, "goal": "most divergent"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_rows_do_not_depend_on_the_batch_size(pair: tuple[str, str], batch_size: int, settings: dict[str, Any]) -> None:
    reference, others = (bundled_rows(pair, size, 1, **settings) for size in (64, batch_size))
    for side in ("first", "second"):
        tops = [[row[0]["label"] for row in found[f"{side}_end"]] for found in (reference, others)]
        assert tops[0] == tops[1]
    assert np.allclose(others["divergence_end"], reference["divergence_end"], rtol=1e-4)


def test_networks_of_large_pictures_are_large() -> None:
    assert are_small(small(), CPU)
    decoder = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid(), nn.Unflatten(1, (1, 1, 1)), nn.Upsample(size=(128, 128))).eval()
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(8), small_classifier(1).module).eval()
    wide = gevaldi.classifier(pooled, labels=3)
    assert not are_small(objective_of(wide, wide, gevaldi.generator(decoder, latent=5)), CPU)


def test_networks_that_compute_much_on_small_pictures_are_large() -> None:
    """A convolution of 64 to 64 channels over 8 x 8 pixels takes 64² x 9 x 64 multiplications, and as many additions."""
    for count, expected in ((60, True), (70, False)):
        layers = [nn.Conv2d(64 if i else 1, 64, 3, padding=1) for i in range(count)]
        costly = gevaldi.classifier(nn.Sequential(*layers, small_classifier(1, 3).module[0], nn.Linear(4096, 3)).eval(), labels=3)  # type: ignore[index]
        assert are_small(objective_of(small_classifier(0), costly, small_generator()), CPU) == expected


@pytest.mark.parametrize(("precision", "dtype"), [("auto", torch.float64), ("float64", torch.float64), ("float32", torch.float32)])
def test_small_networks_are_computed_in_float64_unless_the_user_says_otherwise(precision: str, dtype: torch.dtype) -> None:
    assert plan(precision=precision).dtype == dtype


def test_networks_that_know_only_single_precision_are_computed_in_it() -> None:
    class Single(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :3] @ torch.eye(3)

    second = gevaldi.classifier(Single().eval(), labels=3)
    found, _ = plan_of(Spec(first="a", second="b", generator="g"), replace(small(), second=second), CPU)
    assert (found.dtype, found.small) == (torch.float32, True)


def test_the_threads_of_an_engine_are_those_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found, _ = plan_of(Spec(first="a", second="b", generator="g"), small(), CPU, threads=3)
    assert found.threads == 3


def test_float64_is_refused_on_a_device_that_has_none() -> None:
    with pytest.raises(SpecError, match="MPS"):
        plan_of(Spec(first="a", second="b", generator="g", precision="float64"), small(), torch.device("mps"))


def test_a_run_goes_on_in_the_precision_that_it_was_begun_in(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 4, "steps": 20, "device": "cpu", "batch_size": 2, "precision": "float32"}
    gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path, **settings)
    recorded = ExecutionPlan.recorded_plan(Run.open(tmp_path).record["execution"], CPU)
    assert recorded == replace(plan(precision="float32"), batch_size=2)


def test_copies_of_an_objective_share_the_blocks_and_give_the_same_bits() -> None:
    copies = [small(), small(), small()]
    samples = copies[0].generator.prior.sample(range(50)), torch.arange(50) % 3, torch.arange(50) % 2 == 0
    with ThreadPoolExecutor(3) as pool:
        shared, alone = in_blocks(copies, 8, pool)(*samples), in_blocks(copies, 8)(*samples)
    for name in ("z", "pictures", "log_p", "log_q", "divergence", "value", "gradient"):
        assert torch.equal(getattr(shared, name), getattr(alone, name)), name


def test_threads_of_the_environment_are_used_and_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert plan(speed={"threads": 2}).threads == 1
    before = torch.get_num_threads()
    with in_threads(2):
        assert torch.get_num_threads() == before


def test_requested_threads_are_at_most_the_usable_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for module in ("threads", "autotune", "plan"):
        monkeypatch.setattr(f"gevaldi.execution.{module}.usable_cores", lambda: 2)
    assert plan(speed={"threads": 16}).threads == 2


@given(
    plan=st.builds(
        ExecutionPlan,
        dtype=st.sampled_from([torch.float32, torch.float64]),
        small=st.booleans(),
        block=st.none() | st.integers(1, 64),
        batch_size=st.integers(1, 64),
        channels_last=st.booleans(),
        threads=st.none() | st.integers(1, 64),
        compiled=st.booleans(),
    )
)
def test_a_record_says_what_the_plan_was(plan: ExecutionPlan) -> None:
    assert ExecutionPlan.recorded_plan(plan.record(), CPU) == plan
    mixed = replace(plan, dtype=torch.float32, mixed=torch.bfloat16)
    assert ExecutionPlan.recorded_plan(mixed.record(), CPU) == mixed
