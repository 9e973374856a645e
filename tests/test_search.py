"""Searches in a world whose answer is known, and what every algorithm must do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import small_classifier, small_generator
from gevaldi.divergences import divergence
from gevaldi.noise import Noise
from gevaldi.objective import Objective, within
from gevaldi.search import registry
from gevaldi.search.algorithms.hybrid import Hybrid
from gevaldi.search.loop import NewSamples, Step, at_once, search
from gevaldi.search.stopping import Stopping
from gevaldi.testing.worlds import linear_world

ALGORITHMS = [*registry, "hybrid,ascent=5"]  # the second within a few steps in its second half
SLOPE = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def run(
    algorithm: str, objective: Objective, z: torch.Tensor, stopping: Stopping, seeds: range | None = None, mass: float | None = None
) -> list[Step]:
    seeds = seeds or range(len(z))
    supply = at_once(NewSamples.forward(z, torch.zeros(len(z), dtype=torch.long), seeds))
    evaluate = within(objective, objective.generator.prior, mass)
    return list(search(evaluate, supply, registry.build(algorithm), stopping))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in registry if registry.get(name).converges])
def test_ascent_ends_at_slope_over_prior_weight(name: str) -> None:
    z = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    last = run(name, linear_world(SLOPE, prior_weight=0.5), z, Stopping(steps=600, window=500))[-1]
    assert torch.allclose(last.evaluation.z, (SLOPE / 0.5).expand(len(last.batch.ids), 3), atol=1e-3)


@pytest.mark.slow
def test_langevin_dynamics_ends_in_the_gaussian_that_theory_gives() -> None:
    weight, temperature, step = 1.0, 0.5, 0.05
    origin, chain = torch.zeros(1000, 3, dtype=torch.float64), f"langevin,step_size={step},temperature={temperature}"
    end = run(chain, linear_world(SLOPE, weight), origin, Stopping(steps=150))[-1].evaluation.z
    variance = temperature / weight / (1 - step * weight / 2)  # of the discretised chain, exactly
    assert torch.allclose(end.mean(0), SLOPE / weight, atol=4 * (variance / 1000) ** 0.5)
    assert torch.allclose(end.var(0), torch.full((3,), variance, dtype=torch.float64), rtol=0.15)  # 3.4 standard errors


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    objective = Objective(small_classifier(0), small_classifier(1), small_generator(), divergence("kl"), 0.1)
    z, condition = objective.generator.prior.sample(range(7)), torch.arange(7) % 3
    algorithm, stopping = registry.build(name), Stopping(steps=12, window=5)

    def ends(places: list[int]) -> dict[int, torch.Tensor]:
        found = {}
        for step in search(objective, at_once(NewSamples.forward(z[places], condition[places], places)), algorithm, stopping):
            found |= {places[p]: latent for p, latent in zip(step.batch.ids.tolist(), step.evaluation.z, strict=True)}
        return found

    together = ends(list(range(7)))
    for place in range(7):
        assert torch.allclose(ends([place])[place], together[place], atol=1e-4)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_evaluation_belongs_to_the_latent_it_is_stored_with(name: str) -> None:
    objective = linear_world(SLOPE, 0.5)
    for step in run(name, objective, torch.randn(3, 3, dtype=torch.float64), Stopping(steps=5), mass=0.5):
        again = objective(step.evaluation.z, torch.zeros(3, dtype=torch.long))
        assert torch.allclose(again.value, step.evaluation.value)
        assert torch.allclose(again.gradient, step.evaluation.gradient)


def test_the_gradient_is_that_of_finite_differences() -> None:
    objective = Objective(
        small_classifier(0).double(), small_classifier(1).double(), small_generator().double(), divergence("kl"), 0.3
    )
    z, condition = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3)), torch.tensor([0, 2])
    gradient = objective(z, condition).gradient
    for i in range(5):
        nudge = torch.zeros_like(z)
        nudge[:, i] = 1e-5
        slope = (objective(z + nudge, condition).value - objective(z - nudge, condition).value) / 2e-5
        assert torch.allclose(gradient[:, i], slope, rtol=1e-5, atol=1e-6)


def test_projection_keeps_the_search_inside_the_region_asked_for() -> None:
    objective = linear_world(100 * SLOPE, 0.0)
    for step in run("adam", objective, torch.zeros(2, 3, dtype=torch.float64), Stopping(steps=200), mass=0.9):
        assert (objective.generator.prior.typicality(step.evaluation.z) <= 0.9 + 1e-6).all()


def test_a_sample_that_gains_nothing_stops_and_the_others_go_on() -> None:
    z = torch.stack([SLOPE / 0.5, torch.full((3,), -20.0, dtype=torch.float64)])  # one at the maximum, one far away
    steps = run("adam", linear_world(SLOPE, 0.5), z, Stopping(steps=100, window=5, gain=0.01))
    assert steps[10].leaving == {0: "converged"}
    assert steps[11].batch.ids.tolist() == [1]
    assert steps[-1].batch.steps.tolist() == [100]


def test_a_search_of_no_steps_is_its_start() -> None:
    z = torch.randn(2, 3, dtype=torch.float64)
    (only,) = run("adam", linear_world(SLOPE, 0.5), z, Stopping(steps=0))
    assert torch.equal(only.evaluation.z, z)
    assert only.leaving == {0: "out of steps", 1: "out of steps"}


@pytest.mark.parametrize("dimensions", [20, 120])
def test_evolution_climbs_in_few_and_in_many_dimensions_whatever_numpy_draws(dimensions: int) -> None:
    slope = torch.linspace(-1, 1, dimensions, dtype=torch.float64)
    z = torch.zeros(2, dimensions, dtype=torch.float64)
    values = []
    for seed in (1, 2):
        np.random.seed(seed)
        last = run("cma-es", linear_world(slope, prior_weight=0.5), z, Stopping(steps=300))[-1]
        assert (last.batch.steps == 300).all()
        values.append(last.batch.best_value - linear_world(slope, 0.5)(z, torch.zeros(2, dtype=torch.long)).value)
    assert torch.equal(*values)
    assert (values[0] > 1).all()


@pytest.mark.parametrize("side", ["first", "second", "both"])
def test_secants_supply_the_part_of_the_gradient_that_a_black_box_lacks(side: str) -> None:
    """In the linear world the missing part is constant, so steps in all directions determine it."""
    objective = linear_world(SLOPE, prior_weight=0.0)
    hidden = {"first": SLOPE, "second": torch.zeros(3, dtype=torch.float64), "both": SLOPE}[side]
    algorithm = Hybrid(ascent=1000, learning_rate=0.1, decay=1, noise=1)
    memory = algorithm.start(torch.zeros(1, 3, dtype=torch.float64))
    z = torch.zeros(1, 3, dtype=torch.float64)
    for taken in range(1, 100):
        now = objective(z, torch.zeros(1, dtype=torch.long))
        now = replace(now, gradient=now.gradient - hidden)
        z, memory = algorithm.step(now, memory, Noise([0], [taken]))
    assert torch.allclose(memory.rest, hidden[None], atol=1e-3)
