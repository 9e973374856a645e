"""What `gevaldi doctor MODEL` reports is what the model does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.models import get_model_weights

import gevaldi
from conftest import called
from gevaldi.classifiers import load_classifier
from gevaldi.errors import GevaldiError, SpecError
from gevaldi.inspection import as_picture, inspect
from gevaldi.pictures import load_pictures
from gevaldi.reports.page import render
from gevaldi.runs.store import Run

OWN = """
import torch, gevaldi
from torch import nn

def net():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 3))
    return gevaldi.classifier(layers, labels=["cat", "dog", "eel"], mean=[0.5], std=[0.25], name="mine")

def decoder():
    return gevaldi.generator(nn.Sequential(nn.Linear(4, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), latent=4)

def module():
    return nn.Linear(3, 3)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return "python:own.py"


@pytest.mark.parametrize(
    "name", ["resnet18", *(pytest.param(name, marks=pytest.mark.slow) for name in ("efficientnet_b1", "inception_v3", "swin_v2_t"))]
)
def test_the_steps_of_a_network_of_torchvision_are_those_of_its_weights(name: str) -> None:
    official = get_model_weights(name).DEFAULT.transforms()
    text = "\n".join(value for what, value in inspect(f"torchvision:{name},weights=random").lines if what.startswith("step"))
    assert f"shorter side to {official.resize_size[0]} pixels ({official.interpolation.value}" in text
    assert f"central {official.crop_size[0]} x {official.crop_size[0]}" in text
    assert ", ".join(f"{m:.4g}" for m in official.mean) in text
    assert ", ".join(f"{s:.4g}" for s in official.std) in text
    assert text.endswith("log-softmax")


def test_what_is_read_in_known_digits_is_what_the_network_answers() -> None:
    found = dict(inspect("bundled:mnist-strided").lines)
    digits = load_pictures("bundled:mnist-digits", (1, 28, 28), 4)
    with torch.no_grad():
        answers = load_classifier("bundled:mnist-strided")(torch.stack([*digits.pictures])).argmax(1)
    for i, (known, answer) in enumerate(zip(digits.classes, answers.tolist(), strict=True), 1):
        assert found[f"picture {i} ({known})"].startswith(f"{answer} ")


def test_the_picture_shows_what_enters_the_first_layer(own: str) -> None:
    found = inspect(f"{own}:net")
    assert dict(found.lines)["step 1"].startswith("subtract the mean 0.5 and divide")
    pictures, seen = (torch.stack(strip) for strip in found.strips.values())
    entered = (pictures - 0.5) / 0.25
    torch.testing.assert_close(seen, (entered - entered.min()) / (entered.max() - entered.min()))
    assert as_picture(found.strips).size == (4 * 136 + 8, 2 * 136 + 8)


def test_a_generator_is_described_by_its_prior_its_conditions_and_its_pictures(own: str) -> None:
    found = dict(inspect("bundled:mnist-vae").lines)
    assert found["conditions"].startswith("10, ")
    assert found["pictures"].startswith("grey, 28 x 28, values from ")
    assert dict(inspect(f"{own}:decoder").lines)["conditions"] == "none"


def test_a_folder_is_described_as_torchvision_reads_it(tmp_path: Path) -> None:
    for name in ("bee", "ant"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(np.full((20, 30, 3), 40 * i, np.uint8)).save(tmp_path / name / f"{i}.png")
    official, found = ImageFolder(str(tmp_path)), dict(inspect(f"folder:{tmp_path}").lines)
    assert found["classes"] == f"{len(official.classes)}: {', '.join(official.classes)}"
    assert found["pictures"].startswith(f"{len(official)} from")
    assert found["first picture"].startswith("20 x 30 pixels")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bundeld:mnist-vae", "bundled:mnist-vae"),
        ("mnist-vae", "model or set of pictures named"),
        ("PARTS:module", r"gave a Linear; .*gevaldi\.classifier\(module, labels=10\)"),
        ("PARTS:missing", "net"),
    ],
)
def test_what_cannot_be_described_is_answered_with_what_to_do(own: str, name: str, error: str) -> None:
    with pytest.raises(GevaldiError, match=error):
        inspect(name.replace("PARTS", own))


@pytest.mark.parametrize(
    ("path", "answers"),
    [
        ("models.py", ["python:models.py:FUNCTION"]),
        ("models.py:net", ["python:models.py:net"]),
        ("net.pth", ["torchvision:resnet50,weights=net.pth"]),
        ("net.onnx", ["onnx:net.onnx"]),
        ("photo.JPG", ["folder:."]),
        ("mine", ["folder:mine", "transformers:mine", "timm:local-dir:mine", "diffusers:mine"]),
        ('"a, b"', ['folder:"a, b"']),
    ],
)
def test_a_path_without_a_source_is_answered_with_how_to_name_it(
    path: str, answers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", "a, b"):
        (tmp_path / folder).mkdir()
    for file in ("models.py", "net.pth", "net.onnx", "photo.JPG"):
        (tmp_path / file).write_text("")
    with pytest.raises(SpecError) as refused:
        inspect(path)
    assert all(answer in str(refused.value) for answer in answers)


def test_the_report_says_the_same_steps(own: str, tmp_path: Path) -> None:
    net, other = (
        gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), labels=3, mean=[0.5], std=[0.25]).eval() for _ in "ab"
    )
    decoder = gevaldi.generator(nn.Sequential(nn.Linear(4, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))).eval(), latent=4)
    gevaldi.compare(net, other, decoder, out=tmp_path / "run", samples=1, steps=2)
    page = render(Run.open(tmp_path / "run"))
    assert page.count("subtract the mean 0.5 and divide by the standard deviation 0.25; logits become log-probabilities") == 2


@pytest.mark.slow
def test_the_command_writes_the_pictures(own: str, tmp_path: Path) -> None:
    done = called(tmp_path, "doctor", f"{own}:net", "--out", "seen.png", columns=200)
    assert done.returncode == 0
    assert "cat, dog, eel" in done.stdout
    with Image.open(tmp_path / "seen.png") as picture:
        assert picture.size == (552, 280)
    wrong = called(tmp_path, "doctor", f"{own}:nett")
    assert wrong.returncode == 2
    assert "net" in wrong.stderr


def test_a_network_that_no_run_would_take_is_described_and_then_refused(tmp_path: Path) -> None:
    (tmp_path / "soft.py").write_text(
        "import gevaldi, torch\n"
        "net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10), torch.nn.Softmax(1))\n"
        "soft = gevaldi.classifier(net, labels=10).eval()\n"
    )
    done = called(tmp_path, "doctor", "python:soft.py:soft")
    assert "7,850" in done.stdout
    assert "gives probabilities, but was declared to give logits" in done.stderr
    assert done.returncode == 2
