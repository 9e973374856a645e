"""What reports claim of pairs whose truth is known: which is better, by how much, and whether the generator is sound."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import gevaldi
from conftest import MNIST, called, needs_mnist
from gevaldi.classifiers import load_classifier
from gevaldi.measures.evaluation import Evaluation, generator_fails
from gevaldi.pictures import sources
from gevaldi.reports.answer import answer
from gevaldi.reports.page import render

WORLDS = """
import torch, gevaldi
from torch import nn
from gevaldi.generators import load_generator

class Inverted(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, z, condition):
        return 1 - self.inner(z, condition)

def inverted():
    \"\"\"The bundled generator with black and white exchanged, as where an activation was chosen wrongly.\"\"\"
    sound = load_generator("bundled:mnist-vae")
    return gevaldi.generator(Inverted(sound), latent=sound.prior, conditions=sound.conditions).eval()

def linear():
    \"\"\"A generator whose pictures are noise.\"\"\"
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
    return gevaldi.generator(net, latent=16).eval()
"""


@dataclass(frozen=True)
class Pair:
    """Two classifiers, and what real pictures show of them."""

    first: str
    second: str
    better: str | None
    differ: int
    generator: str = "bundled:mnist-vae"
    sound: bool = True


STRIDED, POOLED = "bundled:mnist-strided", "bundled:mnist-pooled"
PAIRS = {
    "of equal accuracy": Pair(STRIDED, POOLED, None, 8),
    "of unlike capacity": Pair("bundled:mnist-strided-1k", "bundled:mnist-strided-61k", "second", 43),
    "of unlike capacity, the other way round": Pair("bundled:mnist-pooled-89k", "bundled:mnist-pooled-1k", "first", 51),
    "of which one is tempered": Pair(POOLED, f"tempered:{POOLED},temperature=3", None, 0),
    "of equal accuracy, one tempered": Pair(STRIDED, f"tempered:{POOLED},temperature=0.5", None, 8),
    "of which one is the other in 8 bits": Pair(STRIDED, f"quantised:{STRIDED}", None, 0),
    "of which one is the other in 3 bits": Pair(STRIDED, f"quantised:{STRIDED},bits=3", "first", 15),
    "of which one is the other pruned by 30 %": Pair(POOLED, f"pruned:{POOLED},amount=0.3", None, 3),
    "of which one is the other at another temperature": Pair(POOLED, f"tempered:{POOLED},temperature=2", None, 0),
    "with a generator loaded wrongly": Pair("bundled:mnist-strided-1k", POOLED, "second", 45, "python:worlds.py:inverted", False),
    "with a generator that nothing is asked for": Pair(STRIDED, POOLED, None, 8, "python:worlds.py:linear"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    (folder / "worlds.py").write_text(WORLDS)
    return folder


def compared(folder: Path, pair: Pair, name: str = "run", **settings: Any) -> gevaldi.Comparison:
    generator = pair.generator.replace("worlds.py", f"{folder}/worlds.py")
    given = {"samples": 1, "steps": 1, "audited": 100, "taxonomy": "none", "device": "cpu"} | settings
    return gevaldi.compare(pair.first, pair.second, generator, real="bundled:mnist-digits", out=folder / name, **given)


@cache
def right(name: str) -> torch.Tensor:
    """On which of the 10,000 test digits a classifier is right."""
    digits = sources.load(f"mnist:test,folder={MNIST}")
    with torch.no_grad():
        top = load_classifier(name)(torch.stack(digits.pictures)).argmax(1).tolist()
    return torch.tensor([str(label) == digit for label, digit in zip(top, digits.classes, strict=True)])


@needs_mnist
@pytest.mark.slow
@pytest.mark.parametrize("what", PAIRS)
def test_no_report_contradicts_ten_thousand_digits(what: str, folder: Path) -> None:
    pair = PAIRS[what]
    run = compared(folder, pair, "".join(letter for letter in what if letter.isalnum())).run
    found = Evaluation.of(run.record)
    assert found
    first, second = right(pair.first), right(pair.second)
    truth = (first.double() - second.double()).mean().item()
    around = found.paired.difference()
    assert around.low <= truth <= around.high
    assert found.better == pair.better
    if found.better:
        assert (truth > 0) == (found.better == "first")
    assert abs(found.differ - pair.differ) <= 2  # rounding on another machine may turn one near a border
    assert (generator_fails(run.record["audit"]) is None) == pair.sound
    said = answer(run.record, {"first": "A", "second": "B"})
    sides = [side for side in "AB" if f"{side} is right more often than" in said.verdict]
    assert sides == {"first": ["A"], "second": ["B"], None: []}[pair.better]
    page = render(run)
    assert ("The generator fails its audit." in page) != pair.sound
    assert "leaves the class asked for" not in page


@pytest.mark.slow
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("temperature", [0.5, 2, 3])
def test_tempering_either_side_changes_no_claim(side: int, temperature: float, folder: Path) -> None:
    names = ["bundled:mnist-strided-1k", "bundled:mnist-pooled"]
    hot = [f"tempered:{name},temperature={temperature}" if i == side else name for i, name in enumerate(names)]
    said = [
        answer(compared(folder, Pair(*pair, None, 0), name).run.record, {"first": "A", "second": "B"})
        for name, pair in (("as they are", names), (f"{side}-{temperature}", hot))
    ]
    assert said[0] == said[1]
    assert said[0].verdict.startswith("B is right more often than A")


@pytest.mark.slow
def test_generators_stand_side_by_side_on_the_page_of_an_experiment(folder: Path) -> None:
    runs = {"sound": {"generator": "bundled:mnist-vae"}, "wrong": {"generator": "python:worlds.py:inverted"}}
    settings = {"first": STRIDED, "second": POOLED, "samples": 1, "search": {"steps": 1}, "audited": 100, "taxonomy": "none"}
    experiment = {"title": "Generators", "settings": settings | {"real": "bundled:mnist-digits"}, "runs": runs}
    (folder / "generators.yaml").write_text(yaml.safe_dump(experiment))
    done = called(folder, "experiment", "generators.yaml", "--out", "generators")
    assert done.returncode == 0, done.stderr
    page = (folder / "generators" / "index.html").read_text()
    assert page.count("8 of 1,000") == 2  # real pictures are the same whatever the generator
    assert page.count("fails its audit.") == 1
    assert "The generator of <bdi>wrong</bdi> fails" in page
