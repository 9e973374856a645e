"""How far what a generator draws is from real pictures: the kernel distance, and what a classifier sees."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.classifiers import load_classifier
from gevaldi.runs.checks.features import Features, distance_record, last_layer
from gevaldi.statistics.kernel_distance import kernel_distance


def cubic(a: np.ndarray, b: np.ndarray) -> float:
    return float((a @ b / len(a) + 1) ** 3)


def test_of_two_points_the_distance_is_the_kernels_own_with_no_doubt_about_it() -> None:
    a, b = np.array([1.0, 0.0, 2.0]), np.array([0.5, -1.0, 0.0])
    found = kernel_distance(np.tile(a, (5, 1)), np.tile(b, (7, 1)))
    assert found.value == pytest.approx(cubic(a, a) + cubic(b, b) - 2 * cubic(a, b))
    assert found.high - found.low == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("weights", "covered"), [((0.5, 0.3, 0.2), 0.92), ((0.2, 0.3, 0.5), 0.85)])  # the second pair is one
def test_it_is_unbiased_and_its_interval_covers_as_often_as_it_says(weights: tuple[float, ...], covered: float) -> None:
    noise = np.random.default_rng(0)
    points, other = np.array([[0.0, 1.0], [1.0, -0.5], [-1.0, 0.3]]), np.array([0.2, 0.3, 0.5])
    gram = np.array([[cubic(a, b) for b in points] for a in points])
    apart = np.array(weights) - other
    true = apart @ gram @ apart  # of the distributions themselves
    found = [kernel_distance(points[noise.choice(3, 60, p=weights)], points[noise.choice(3, 80, p=other)]) for _ in range(400)]
    assert np.mean([f.value for f in found]) == pytest.approx(true, abs=3 * np.std([f.value for f in found]) / 20)
    assert np.mean([f.low <= true <= f.high for f in found]) > covered


def test_of_too_few_vectors_nothing_is_known() -> None:
    assert np.isnan(kernel_distance(np.zeros((1, 2)), np.zeros((5, 2))).value)
    found = kernel_distance(np.zeros((2, 2)), np.zeros((5, 2)))
    assert found.value == 0
    assert np.isnan(found.low)


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1,weights=random", "torchvision:resnet18,weights=random"])
def test_features_are_the_inputs_of_the_last_layer_averaged_over_places(name: str) -> None:
    classifier = load_classifier(name).eval()
    pictures = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), Features(classifier).gathering() as features:
        log_p = classifier(pictures)
        features.take(log_p)
    layer = last_layer(classifier)
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    vectors = torch.from_numpy(features.matrix()).float()
    assert features.kind == f"the {vectors.shape[1]:,} inputs of the last layer"
    if isinstance(layer, nn.Linear):  # from there the prediction follows
        assert torch.allclose(layer(vectors).log_softmax(1), log_p, atol=1e-4)
    assert not layer._forward_pre_hooks


def test_the_features_of_a_head_over_tokens_are_averaged_over_the_tokens() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(16, 4)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return self.head(pictures.flatten(1).unflatten(1, (9, 16))).mean(1)

    classifier = gevaldi.classifier(Tokens(), labels=4).eval()
    pictures = torch.rand(5, 1, 12, 12)
    with torch.no_grad(), Features(classifier).gathering() as features:
        features.take(classifier(pictures))
    assert features.kind == "the 16 inputs of the last layer"
    assert np.allclose(features.matrix(), pictures.flatten(1).unflatten(1, (9, 16)).mean(1))


def test_where_no_last_layer_can_be_seen_the_log_probabilities_stand_for_it() -> None:
    class Means(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures.flatten(1)[:, :4]

    classifier = gevaldi.classifier(Means(), labels=4).eval()
    with Features(classifier).gathering() as features:
        log_p = classifier(torch.rand(6, 1, 2, 2))
        features.take(log_p)
    assert features.kind == "the log-probabilities"
    assert np.allclose(features.matrix(), log_p)


def test_real_pictures_are_no_distance_from_themselves_and_a_shift_is_found_whatever_its_unit() -> None:
    noise = torch.Generator().manual_seed(0)
    real, same, other = (torch.randn(300, 8, generator=noise) for _ in range(3))
    real[:, 3] = same[:, 3] = other[:, 3] = 5.0  # a feature that never varies

    def gathered(vectors: torch.Tensor) -> Features:
        return Features(small_classifier(0), [vectors], "numbers")

    near = distance_record(gathered(same * 100), gathered(real * 100))
    far = distance_record(gathered((other + 1) * 100), gathered(real * 100))
    assert near
    assert far
    assert near["low"] < 0 < near["high"]
    assert near["among_real"]["low"] < 0 < near["among_real"]["high"]
    assert far["low"] > near["high"]
    assert distance_record(gathered(other[:3]), gathered(real)) is None
    assert distance_record(gathered(other * torch.nan), gathered(real)) is None


class Grey(nn.Module):
    """Pictures of one grey each."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.mean(1).sigmoid()[:, None, None, None].expand(-1, 1, 28, 28)


def test_a_run_with_real_pictures_records_the_distance_and_one_without_has_none(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 2, "steps": 2, "audited": 40, "device": "cpu"}
    pair = small_classifier(0), small_classifier(1), small_generator()
    without = gevaldi.compare(*pair, out=tmp_path / "a", **settings).run.record["audit"]
    assert without["kernel_distance"] is None
    trained = "bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae"
    found = gevaldi.compare(*trained, out=tmp_path / "b", real="bundled:mnist-digits", **settings).run.record["audit"]
    assert found["kernel_distance"]["features"] == "the 64 inputs of the last layer"
    assert (found["kernel_distance"]["generated"], found["kernel_distance"]["real"]) == (40, 1000)
    untrained = gevaldi.generator(Grey().eval(), latent=3)
    noise = gevaldi.compare(*trained[:2], untrained, out=tmp_path / "c", real="bundled:mnist-digits", **settings)
    assert noise.run.record["audit"]["kernel_distance"]["low"] > found["kernel_distance"]["high"]  # unlike any digit
