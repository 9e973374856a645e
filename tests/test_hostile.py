"""Some hostile inputs of every kind, held to the laws of `hostile.harness`; `make hostile` tries many more."""

import random
from pathlib import Path

import pytest

from hostile import harness
from hostile.case import Case
from hostile.harness import kinds
from started import STARTED, run_hostile

EACH = 2


@pytest.mark.slow
def test_hostile_inputs_are_answered_and_do_nothing_that_nobody_asked_for(tmp_path: Path) -> None:
    """All kinds in one process, since importing everything takes longer than they do."""
    process = STARTED.Process(target=run_hostile, args=(EACH, tmp_path))
    process.start()
    process.join()
    said = (tmp_path / "output").read_text(encoding="utf-8")
    assert process.exitcode == 0, said[-12000:]
    assert f"{EACH * len(kinds())} inputs" in said


def test_the_harness_notices_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that breaks laws on purpose is found to break them."""

    def make(chance: random.Random, folder: Path) -> Case:
        (folder / "untouched").mkdir()
        (folder / "untouched" / "precious").write_text("mine")
        (folder / "bad.py").write_text("open('canary', 'w'); open('untouched/precious', 'w'); raise SystemExit(77)")
        return Case(("compare", "python:bad.py:x", "b", "-g", "c"))

    monkeypatch.setattr(harness, "IMPORTED", ())  # one child may import what it needs
    monkeypatch.setattr(harness, "maker", lambda kind: make)
    (outcome,) = harness.outcomes([("made", 0)])
    for law in ("exit code 77", "hostile code ran", "none of its business"):
        assert law in str(outcome.broken)
