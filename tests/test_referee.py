"""A third classifier's opinion: counts that are known by construction, and its own accuracy beside them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import gevaldi
from conftest import called
from gevaldi.classifiers import load_classifier
from gevaldi.errors import RunFolderError, SpecError
from gevaldi.measures.referee import Opinion, Sides, sides
from gevaldi.reports.opinion import opinion_sentences
from gevaldi.reports.page import render
from gevaldi.runs.opinions import opinion_of

DIGITS = "bundled:mnist-digits"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.Comparison:
    """A run of a weak and a stronger network, of which some real pictures and samples are read differently."""
    out = tmp_path_factory.mktemp("referee") / "run"
    pair = ("bundled:mnist-strided-1k", "bundled:mnist-pooled")
    return gevaldi.compare(*pair, "bundled:mnist-vae", samples=6, steps=40, audited=20, real=DIGITS, out=out, device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("bundled:mnist-strided-1k", "first"), ("bundled:mnist-pooled", "second")])
def test_one_of_the_two_as_referee_is_always_on_its_own_side(run: gevaldi.Comparison, name: str, side: str) -> None:
    found = run.referee(name)
    assert run.evaluation
    assert found.real.total == run.evaluation.differ
    for there in (found.real, found.end):
        assert there.total > 0
        assert getattr(there, side) + there.unsure == there.total
    assert (found.right, found.known) == (run.evaluation.sides[side]["right"], 1000)
    assert opinion_of(run.run) == found


@pytest.mark.slow
def test_the_report_shows_the_opinion_and_one_of_another_run_is_refused(run: gevaldi.Comparison, tmp_path: Path) -> None:
    done = called(run.run.folder.parent, "referee", "run", "bundled:mnist-referee")
    assert done.returncode == 0, done.stderr
    right = sum(
        str(int(top)) == digit
        for top, digit in zip(_tops("bundled:mnist-referee"), [str(i // 100) for i in range(1000)], strict=True)
    )
    assert f"itself is right on {right:,} of 1,000 real pictures" in done.stdout
    assert "A third classifier's opinion, which may be wrong" in render(run.run)
    place = run.run.folder / "referee.json"
    whole = json.loads(place.read_text())
    for change, message in (
        ({"run": "0" * 64}, "belongs to another run"),
        ({"right": -1}, "does not hold a referee's opinion: -1 is not a count"),
        ({"real": {"first": True}}, "True is not a count"),
        ({"end": []}, "does not hold a referee's opinion"),
    ):
        place.write_text(json.dumps(whole | change))
        with pytest.raises(RunFolderError, match=message):
            opinion_of(run.run)
    place.unlink()
    assert opinion_of(run.run) is None


@torch.no_grad()
def _tops(name: str) -> list[int]:
    from gevaldi.bundled.digits import real_digits

    pictures, labels = real_digits()
    assert labels.tolist() == [i // 100 for i in range(1000)]
    return load_classifier(name)(pictures).argmax(1).tolist()


def test_a_referee_that_is_unsure_is_on_no_side() -> None:
    answers = [(True, False, 0.9), (True, False, 0.49), (False, True, 0.5), (False, False, 0.8), (False, True, 0.1)]
    assert sides(answers) == Sides(first=1, second=1, neither=1, unsure=2)


def test_an_opinion_is_read_as_it_was_written() -> None:
    opinion = Opinion("x", 3, 4, Sides(1, 2, 3, 4), Sides(), Sides(5, 6, 7, 8))
    assert Opinion.from_json(json.loads(opinion.as_json("abc"))) == opinion


def test_a_referee_without_real_pictures_says_that_its_worth_is_not_known() -> None:
    opinion = Opinion("x", 0, 0, Sides(), Sides(), Sides(1, 0, 0, 0))
    said = opinion_sentences(opinion, {"first": "A", "second": "B", "referee": "C"})
    assert said[0].startswith("The accuracy of C itself is not known")
    assert said[1] == (
        "Of 1 sample on which they differ after the search, it agrees with A on 1 and with B on 0, names another class on 0, and "
        "is unsure on 0."
    )
    assert "--calibrate" in said[2]


def test_a_referee_that_fails_on_the_pictures_is_named(tmp_path: Path) -> None:
    from conftest import small_classifier, small_generator

    settings: dict[str, Any] = {"samples": 4, "steps": 30, "audited": 4, "taxonomy": "none", "device": "cpu"}
    made = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path / "run", **settings)
    (tmp_path / "nets.py").write_text(
        "import gevaldi\nfrom torch import nn\n"
        "def net():\n    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(7, 3)), labels=['a', 'b', 'c']).eval()\n"
    )
    assert isinstance(small_generator(), nn.Module)
    with pytest.raises(SpecError, match="fails on pictures of"):
        made.referee(f"python:{tmp_path}/nets.py:net")
