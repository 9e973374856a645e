"""Searches with confidences matched: what temperature one side had before changes nothing of what they say."""

from pathlib import Path

import pytest

import gevaldi
from conftest import called
from gevaldi.classifiers import load_classifier
from gevaldi.errors import SpecError

PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled")
DIGITS = "bundled:mnist-digits"


def calibrated(name: str) -> str:
    return f"calibrated:({name}),pictures={DIGITS}"


@pytest.mark.parametrize("temperature", [0.5, 2, 3])
def test_calibrating_takes_a_temperature_back(temperature: float) -> None:
    plain = load_classifier(calibrated(PAIR[1]))
    turned = load_classifier(calibrated(f"tempered:{PAIR[1]},temperature={temperature}"))
    assert float(turned.temperature) * temperature == pytest.approx(float(plain.temperature), rel=1e-3)  # type: ignore[attr-defined]
    assert turned.note
    assert "fitted on 1,000 pictures of bundled:mnist-digits" in turned.note


def right_at_the_end(out: Path, first: str, second: str) -> list[str]:
    """Who is right after each search; the same again where it is known."""
    settings = {"samples": 8, "steps": 60, "goal": "most divergent", "audited": 20, "orders": "forward", "device": "cpu"}
    return gevaldi.compare(first, second, "bundled:mnist-vae", out=out, **settings).rows()["right_end"].tolist()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibrated")


@pytest.mark.slow
@pytest.mark.parametrize("side", [0, 1])
def test_a_calibrated_search_finds_the_same_sides_whatever_temperature_one_had(side: int, folder: Path) -> None:
    hot = [f"tempered:{name},temperature=3" if i == side else name for i, name in enumerate(PAIR)]
    plain = right_at_the_end(folder / "calibrated", *map(calibrated, PAIR))
    turned = right_at_the_end(folder / f"calibrated-{side}", *map(calibrated, hot))
    assert sum(a == b for a, b in zip(plain, turned, strict=True)) >= 6
    without = [right_at_the_end(folder / "as-they-are", *PAIR), right_at_the_end(folder / f"as-they-are-{side}", *hot)]
    assert sum(a != b for a, b in zip(*without, strict=True)) >= 4  # which is what calibrating is for


def test_what_no_temperature_fits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(
        "import gevaldi, torch\n"
        "from torch import nn\n"
        "def net():\n"
        "    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), labels=['a', 'b', 'c']).eval()\n"
    )
    with pytest.raises(SpecError, match="0 of the pictures of bundled:mnist-digits have a class that"):
        load_classifier(f"calibrated:python:{tmp_path}/nets.py:net,pictures={DIGITS}")


@pytest.mark.slow
def test_the_flag_matches_the_confidences_on_the_real_pictures(tmp_path: Path) -> None:
    words = [*PAIR, "-g", "bundled:mnist-vae", "-n", "2", "--steps", "2", "--set", "audited=20", "--calibrate"]
    done = called(tmp_path, "compare", *words, "--real", DIGITS, "--out", "run")
    assert done.returncode == 0, done.stderr
    spec = gevaldi.Comparison.open(tmp_path / "run").run.spec
    assert spec.first == f"calibrated:({PAIR[0]}),pictures=({DIGITS})"
    refused = called(tmp_path, "compare", *words)
    assert refused.returncode == 2
    assert "--calibrate was given without --real" in refused.stderr
