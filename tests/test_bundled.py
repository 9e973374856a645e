"""A comparison of the bundled models reaches what it should, at default settings."""

from pathlib import Path

import pytest

import gevaldi
from gevaldi.bundled import store
from gevaldi.bundled.audit import draw
from gevaldi.bundled.digits import real_digits
from gevaldi.bundled.worlds import WORLDS
from gevaldi.measures.summary import TYPICAL


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_the_demo_of_a_world_is_a_comparison_over_its_hierarchy_without_a_warning(world: str, tmp_path: Path) -> None:
    record = gevaldi.compare(**WORLDS[world].comparison, samples=2, steps=2, out=tmp_path, device="cpu").run.record
    assert record["warnings"] == []
    assert record["taxonomy"]["name"] == WORLDS[world].hierarchy


PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled")


@pytest.mark.slow
def test_the_generator_draws_what_it_is_asked_for_and_little_that_is_disputed() -> None:
    generator, referee = store.load("mnist-vae"), store.load("mnist-referee")
    pictures, y = draw(generator, 3000, seed=123)
    first, second = store.load("mnist-strided"), store.load("mnist-pooled")
    rate = {
        kind: (first(x).argmax(1) != second(x).argmax(1)).float().mean().item()
        for kind, x in (("generated", pictures), ("real", real_digits()[0]))
    }
    assert rate["generated"] <= 1.5 * rate["real"]
    assert (referee(pictures).argmax(1) == y).float().mean().item() >= 0.97


@pytest.mark.slow
def test_default_settings_part_the_pair_inside_the_prior(tmp_path: Path) -> None:
    settings = {"samples": 12, "goal": "most divergent"}  # the most probable ones are not in question
    made = gevaldi.compare(*PAIR, "bundled:mnist-vae", out=tmp_path, device="cpu", **settings)
    inside = made.rows().groupby("order")["typicality_end"].agg(lambda values: (values <= TYPICAL + 1e-6).mean())
    assert (inside >= 0.98).all()
    for found in made.summary():
        assert found.differ_end.value >= 0.90
        assert found.failed == 0
