"""Most probable disagreements in worlds whose design point is known, and what must hold of every search for one."""

from functools import partial

import pytest
import torch

from conftest import STEPS_FOR_USERS, small_classifier, small_generator
from gevaldi.batches import select
from gevaldi.divergences import divergence
from gevaldi.divergences.log_odds import log_odds
from gevaldi.objective import NOT_FEASIBLE, MostProbable, Objective, within
from gevaldi.priors.uniform import Uniform
from gevaldi.runs.worker.search import _still_differing
from gevaldi.search.probable import differs, most_probable
from gevaldi.testing.worlds import LinearClassifier, LinearGenerator

MARGIN = 1.0


@pytest.fixture(autouse=True)
def whole_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.search.probable.STEPS", STEPS_FOR_USERS)


def wedge(angle: float, scale: float = 1.0) -> MostProbable:
    """Two linear classifiers whose borders meet at an angle, in degrees: they differ in a wedge and in the opposite one.

    The second has slopes `scale` times as steep as the first.
    """
    radians = torch.deg2rad(torch.tensor(angle, dtype=torch.float64))
    first, second = torch.zeros(2, 5, dtype=torch.float64)
    first[0], second[0], second[1] = 1.0, scale * radians.cos(), scale * radians.sin()
    pair = LinearClassifier(first), LinearClassifier(second)
    return MostProbable(Objective(*pair, LinearGenerator(5).double(), partial(log_odds, this=0, that=1), 0.0), MARGIN)


def networks() -> MostProbable:
    pair = small_classifier(0).double(), small_classifier(1).double()
    return MostProbable(Objective(*pair, small_generator().double(), divergence("kl"), 0.0), 0.02)


def draws(count: int, size: int) -> torch.Tensor:
    return 2 * torch.randn(count, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def zeros(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.long)


@pytest.mark.parametrize("angle", [90, 120, 150, 180])
def test_between_two_linear_classifiers_it_is_the_point_nearest_to_the_edge_of_the_wedge(angle: float) -> None:
    end = most_probable(wedge(angle), draws(16, 5), zeros(16))
    # a·z = m and b·z = -m for unit vectors a and b: |z| = m / cos(φ/2), with φ the angle from a to -b.
    nearest = MARGIN / torch.cos(torch.deg2rad(torch.tensor((180 - angle) / 2, dtype=torch.float64)))
    assert differs(end).all()
    assert ((end.z.norm(dim=1) - nearest).abs() < 0.05 * nearest).all()


def test_a_border_that_the_other_classifier_does_not_reach_has_its_design_point_at_the_foot_of_the_perpendicular() -> None:
    # b is ten times as steep and 135 degrees away from a, so that at the foot z = m a it says -7 m by itself.
    end = most_probable(wedge(135, scale=10), draws(16, 5), zeros(16))
    foot = torch.tensor([MARGIN, 0, 0, 0, 0], dtype=torch.float64)
    assert torch.allclose(end.z.abs(), foot.expand_as(end.z), atol=0.2)
    assert torch.allclose(end.z.norm(dim=1), foot.norm(), rtol=0.02)


def test_a_start_that_differs_by_the_margin_ends_so_and_is_no_less_probable() -> None:
    for goal, start, condition in (
        (wedge(60), draws(300, 5), zeros(300)),
        (networks(), draws(300, 5), torch.arange(300) % 3),
    ):
        before, after = goal(start, condition), most_probable(goal, start, condition)
        good = before.value > NOT_FEASIBLE / 2
        assert good.sum() > 3
        assert differs(after)[good].all()
        assert (after.value >= before.value)[good].all()


def test_it_does_not_depend_on_its_batch() -> None:
    goal, z, condition = networks(), draws(7, 5), torch.arange(7) % 3
    swapped = condition == 1
    together = most_probable(goal, z, condition, swapped)
    alone = torch.cat([most_probable(goal, z[[i]], condition[[i]], swapped[[i]]).z for i in range(7)])
    assert torch.allclose(alone, together.z, atol=1e-6)


def test_the_order_of_the_classifiers_only_swaps_their_predictions() -> None:
    goal, z, condition = networks(), draws(5, 5), torch.arange(5) % 3
    one, other = (most_probable(goal, z, condition, torch.full((5,), swapped)) for swapped in (False, True))
    torch.testing.assert_close(one.z, other.z)
    torch.testing.assert_close(one.log_p, other.log_q)


def test_projection_holds_during_the_whole_search() -> None:
    goal = wedge(90)
    prior = goal.objective.generator.prior
    end = most_probable(within(goal, prior, 0.9), draws(16, 5), zeros(16))
    assert (prior.typicality(end.z) <= 0.9 + 1e-6).all()


def test_under_a_uniform_prior_a_disagreement_stays_where_it_is() -> None:
    goal = wedge(90)
    goal.objective.generator.prior = Uniform(5, low=-9.0, high=9.0)
    start = torch.tensor([[5.0, -5.0, 0, 0, 0]], dtype=torch.float64)
    assert torch.equal(most_probable(goal, start, zeros(1)).z, start)


def test_a_search_in_mixed_precision_returns_to_its_start_if_the_two_differ_only_there() -> None:
    objective, condition = networks().objective, zeros(50)
    evaluated = objective(draws(50, 5), condition)
    apart, alike = (select(evaluated, differs(evaluated) == wanted) for wanted in (True, False))
    count = min(len(apart.z), len(alike.z))
    first, second = select(apart, slice(count)), select(alike, slice(count))
    assert count > 0
    assert torch.equal(_still_differing(second, first).z, first.z)
    assert torch.equal(_still_differing(first, second).z, first.z)
    assert torch.equal(_still_differing(second, second).z, second.z)


def test_a_prediction_that_is_not_a_number_is_never_the_most_probable_disagreement() -> None:
    class Silent(LinearClassifier):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            near = pictures.flatten(1).norm(dim=1) < 0.5
            return super().forward(pictures).masked_fill(near[:, None], torch.nan)

    slope = torch.tensor([1.0, 0.0])
    objective = Objective(Silent(slope), LinearClassifier(-slope), LinearGenerator(2), partial(log_odds, this=0, that=1), 0.0)
    evaluation = MostProbable(objective, 0.2)(torch.tensor([[0.1, 0.0], [1.0, 0.0]]), torch.zeros(2, dtype=torch.long))
    assert not evaluation.value[0] > NOT_FEASIBLE / 2
    assert evaluation.value[1] > NOT_FEASIBLE / 2
