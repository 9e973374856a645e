"""Classifiers that are shown pictures otherwise than they were trained on are found out by what they know."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import gevaldi
from conftest import IMAGENET, needs_imagenet
from gevaldi.classifiers import load_classifier
from gevaldi.errors import ContractError
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.generators import load_generator
from gevaldi.generators._around import AroundPictures
from gevaldi.runs.checks.audit import audit_warnings
from gevaldi.runs.checks.preprocessing import range_warnings
from gevaldi.runs.session import models_of
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.spec import Spec

DIGITS = "bundled:mnist-digits"
SPEED: Any = {"batch_size": 8, "memory_format": "channels_last"}  # so that little is measured


class Expecting(nn.Module):
    """A network that was trained on pictures of another range: it brings what it gets back from there to [0, 1]."""

    def __init__(self, inner: nn.Module, back: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.inner, self.back = inner, back

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(self.back(x))


def warned(second: gevaldi.Classifier, real: str | None = DIGITS) -> list[str]:
    spec = Spec(first="bundled:mnist-strided", second="object:b", generator="bundled:mnist-vae", real=real, samples=1)
    generator = load_generator(spec.generator)
    models = models_of(spec, load_classifier(spec.first), second, generator, torch.device("cpu"))
    with prepare_torch(models):
        return range_warnings(models, list(range(10)), spec)


def trained_on(back: Callable[[torch.Tensor], torch.Tensor], **how: list[float]) -> gevaldi.Classifier:
    return gevaldi.classifier(
        Expecting(load_classifier("bundled:mnist-pooled"), back).eval(), 10, output="log-probabilities", **how
    )


@pytest.mark.parametrize("real", [DIGITS, None])
def test_a_network_that_expects_another_range_is_named_with_that_range(real: str | None) -> None:
    (warning,) = warned(trained_on(lambda x: (x + 1) / 2), real)
    assert warning.startswith("The second classifier classifies")
    assert "in [-1, 1]" in warning
    assert "mean=[0.5], std=[0.5]" in warning
    (warning,) = warned(trained_on(lambda x: x / 255), real)
    assert "in [0, 255]" in warning


def test_a_network_whose_pictures_are_normalised_twice_is_named() -> None:
    (warning,) = warned(trained_on(lambda x: x, mean=[0.9], std=[0.2]))
    assert "without its mean and std" in warning


@pytest.mark.parametrize("real", [DIGITS, None])
def test_networks_that_see_their_own_range_are_not_warned_of(real: str | None) -> None:
    assert warned(load_classifier("bundled:mnist-pooled"), real) == []
    assert warned(trained_on(lambda x: (x + 1) / 2, mean=[0.5], std=[0.5]), real) == []


def test_nothing_is_said_where_no_class_is_known() -> None:
    pooled = load_classifier("bundled:mnist-pooled")
    one, other = (
        gevaldi.classifier(Expecting(pooled, range_of).eval(), list("abcdefghij"), output="log-probabilities")
        for range_of in (lambda x: (x + 1) / 2, lambda x: (x + 2) / 3)
    )
    spec = Spec(first="object:a", second="object:b", generator="bundled:mnist-vae", samples=1)
    models = models_of(spec, one, other, load_generator(spec.generator), torch.device("cpu"))
    with prepare_torch(models):
        assert range_warnings(models, list(range(10)), spec) == []


def test_the_warning_is_in_the_record_of_a_run(tmp_path: Path) -> None:
    mistaken = trained_on(lambda x: (x + 1) / 2)
    settings: dict[str, Any] = {"samples": 1, "steps": 1, "audited": 10, "goal": "most divergent", "orders": "forward"}
    done = gevaldi.compare("bundled:mnist-strided", mistaken, "bundled:mnist-vae", out=tmp_path, **settings)
    assert any("in [-1, 1]" in warning for warning in done.run.record["warnings"])


def test_a_classifier_that_reads_hardly_anything_is_named_with_what_it_reads(tmp_path: Path) -> None:
    class Inverted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = load_classifier("bundled:mnist-pooled")

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return self.inner(1 - pictures)

    wrong = gevaldi.classifier(Inverted().eval(), labels=10, output="log-probabilities").eval()
    names = "bundled:mnist-vae"
    settings: dict[str, Any] = {
        "samples": 1,
        "steps": 1,
        "audited": 100,
        "real": DIGITS,
        "goal": "most divergent",
        "orders": "forward",
    }
    with pytest.warns(
        UserWarning, match=r"second classifier classifies \d+\.\d % of the real pictures correctly, the first 99.0 %"
    ):
        done = gevaldi.compare("bundled:mnist-strided", wrong, names, out=tmp_path / "wrong", **settings)
    assert any("inversion" in warning for warning in done.warnings)
    right = gevaldi.compare("bundled:mnist-strided", "bundled:mnist-pooled", names, out=tmp_path / "right", **settings)
    assert right.warnings == ()


def test_a_generator_on_whose_pictures_the_two_differ_far_more_often_than_on_real_ones_is_named() -> None:
    def counted(drawn: int, real: int) -> list[str]:
        read = {"known_first": 0, "known_second": 0, "read_first": 0, "read_second": 0}
        kinds = {"generated": drawn, "real": real}
        return audit_warnings({kind: {"pictures": 1000, "disagreements": count, **read} for kind, count in kinds.items()})

    assert "10.4 % of drawn pictures and on 4.9 % of real ones" in counted(104, 49)[0]
    assert counted(60, 49) == counted(20, 104) == []


def test_a_classifier_that_refuses_pictures_of_other_ranges_is_audited_all_the_same(tmp_path: Path) -> None:
    class Strict(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = load_classifier("bundled:mnist-pooled")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.min() < -1e-3 or x.max() > 1 + 1e-3:
                raise ContractError("pictures outside [0, 1]")
            return self.inner(x).flip(-1)  # knows nothing, so that other ways of showing it pictures are tried

    strict = gevaldi.classifier(Strict().eval(), 10, output="log-probabilities")
    names: dict[str, Any] = {"out": tmp_path, "real": DIGITS, "samples": 1, "steps": 1, "audited": 10, "goal": "most divergent"}
    record = gevaldi.compare("bundled:mnist-strided", strict, "bundled:mnist-vae", **names).run.record
    assert record["audit"]["real"]["pictures"] == 1000
    (said,) = record["warnings"]  # and not of a range
    assert "are its labels in the right order?" in said


@needs_imagenet
@pytest.mark.slow
def test_weights_from_elsewhere_that_are_shown_pictures_wrongly_are_named_and_those_shown_rightly_are_not() -> None:
    from imagenet_world import labels, pictures

    assert IMAGENET
    weights = IMAGENET / "imagenet" / "weights" / "squeezenet1_1_caffe_fp16.safetensors"
    shown, classes = pictures(IMAGENET, every=20)
    conditions = [labels()[c] for c in classes]
    generator = AroundPictures(nn.Identity(), lambda x: x, lambda z: z, shown, conditions, 0.1)
    right, wrong = (
        load_classifier(f"torchvision:squeezenet1_1,weights={weights}{more}").to(memory_format=torch.channels_last)  # the fastest
        for more in ("", ",mean=0,std=1")
    )
    assert isinstance(right, gevaldi.Classifier)
    spec = Spec(first="object:a", second="object:b", generator="object:g", samples=1, speed=SPEED)
    models = models_of(spec, right, wrong, generator, torch.device("cpu"))
    (warning,) = range_warnings(replace(models, plan=ExecutionPlan(batch_size=25)), list(range(len(conditions))), spec)
    assert warning.startswith("The second classifier")
    assert "ImageNet's mean and standard deviation" in warning
    assert wrong.module.preprocessing.mean.flatten().tolist() == [0.0] * 3  # as it was


@needs_imagenet
@pytest.mark.slow
def test_a_real_network_that_lacks_its_normalisation_is_named_and_the_other_is_not() -> None:
    from imagenet_world import labels, pictures, squeezenets

    assert IMAGENET
    shown, classes = pictures(IMAGENET, 160, every=12)
    conditions = [labels()[c] for c in classes]
    generator = AroundPictures(nn.Identity(), lambda x: x, lambda z: z, shown, conditions, 0.1)
    first, second = (net.to(memory_format=torch.channels_last) for net in squeezenets(IMAGENET))
    module = second.module
    assert isinstance(module, nn.Module)
    spec = Spec(first="object:a", second="object:b", generator="object:g", samples=1, speed=SPEED)
    models = models_of(spec, first, gevaldi.classifier(module, second.labels), generator, torch.device("cpu"))
    with prepare_torch(models):
        (warning,) = range_warnings(models, list(range(len(conditions))), spec)
    assert warning.startswith("The second classifier")
    assert "with ImageNet's mean and standard deviation" in warning
