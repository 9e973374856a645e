"""The mass of an event, in worlds in which it is known."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.special import ndtr

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.disagreement import disagreement_level
from gevaldi.errors import SpecError
from gevaldi.mass.draws import Drawing
from gevaldi.mass.event import Event
from gevaldi.mass.mass import Mass, counted, level_of, simulated
from gevaldi.mass.strata import strata
from gevaldi.mass.subset_simulation import Rare, interval_of, joined, simulate
from gevaldi.models import Classifier, Generator, labels_of
from gevaldi.priors.standard_normal import standard_normal
from gevaldi.runs.session import models_of
from gevaldi.spec import Spec
from gevaldi.testing.worlds import LinearClassifier, LinearGenerator, wedge

ALONE = np.zeros(1, np.int64)


def level(first: Classifier, second: Classifier, u: Tensor, condition: Tensor) -> Tensor:
    return disagreement_level(first(u[:, None, None]), second(u[:, None, None]))


def level_of_wedge(size: int, share: float) -> partial[Tensor]:
    return partial(level, *wedge(size, math.pi * share))


def drawing_of(first: Classifier, second: Classifier, generator: Generator, **settings: int) -> Drawing:
    spec = Spec(first="a", second="b", generator="g", **settings)
    networks = (network.eval().double() for network in (first, second, generator))
    return Drawing(models_of(spec, *networks, torch.device("cpu")), spec)


def draws_of(drawing: Drawing, count: int) -> pa.Table:
    with torch.inference_mode():
        draw = drawing.draw(range(count))
    columns = {
        "index": np.arange(count),
        "condition": draw.condition.numpy() if len(drawing.conditions) else np.full(count, -1),
        "first": draw.log_p.argmax(1).numpy(),
        "second": draw.log_q.argmax(1).numpy(),
        "divergence": drawing.models.divergence(draw.log_p, draw.log_q).numpy(),
        "level": disagreement_level(draw.log_p, draw.log_q).numpy(),
    }
    return pa.table(columns)


def both(event: Event, drawing: Drawing, count: int) -> tuple[Mass, Mass, Rare]:
    """The mass by counting, and by subset simulation from the same draws."""
    draws = draws_of(drawing, count)
    mass = counted(event, draws, drawing)
    return mass, *simulated(event, drawing, draws, mass)


@given(st.floats(0.02, 0.5), st.integers(2, 40), st.integers(0, 100))
def test_two_linear_classifiers_differ_by_their_angle(share: float, size: int, seed: int) -> None:
    first, second = wedge(size, math.pi * share, seed)
    pictures = torch.randn(4_000, 1, 1, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    differ = first(pictures).argmax(1) != second(pictures).argmax(1)
    assert float(differ.double().mean()) == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 4_000))


@pytest.mark.parametrize("size", [2, 20, 128])
@pytest.mark.parametrize("share", [1e-2, 1e-4, 1e-6])
def test_subset_simulation_finds_the_mass_of_a_wedge(size: int, share: float) -> None:
    found = simulate(level_of_wedge(size, share), size, ALONE, 5)
    assert 0.6 < found.probability.value / share < 1.6
    assert found.probability.low < found.probability.value < found.probability.high
    assert found.evaluations < 60_000


def test_the_interval_covers_as_often_as_it_says() -> None:
    found = [simulate(level_of_wedge(3, 1e-3), 3, ALONE, seed, population=200).probability for seed in range(100)]
    assert sum(one.low <= 1e-3 <= one.high for one in found) >= 88
    assert np.mean([one.value for one in found]) == pytest.approx(1e-3, rel=0.1)


def test_an_estimate_is_its_seed() -> None:
    one, again, other = (simulate(level_of_wedge(4, 1e-3), 4, ALONE, seed, population=200) for seed in (1, 1, 2))
    assert one.logs == again.logs
    assert torch.equal(one.u, again.u)
    assert one.logs != other.logs


def test_final_latents_are_in_the_event_and_follow_the_prior_given_it() -> None:
    """Beyond a plane at distance 4, the component across the plane has the tail's mean, and the others are standard normal."""
    found = simulate(lambda u, condition: u[:, 0] - 4, 6, ALONE, 0)
    assert (found.u[:, 0] > 4).all()
    density, tail = math.exp(-8) / math.sqrt(2 * math.pi), float(ndtr(torch.tensor(-4.0, dtype=torch.float64)))
    assert found.probability.value == pytest.approx(tail, rel=0.5)
    assert float(found.u[:, 0].mean()) == pytest.approx(density / tail, abs=0.05)
    assert float(found.u[:, 1:].std()) == pytest.approx(1, abs=0.1)


def test_conditions_without_the_event_have_no_latents_in_it() -> None:
    found = simulate(lambda u, condition: torch.where(condition == 3, u[:, 0] - 2.5, -1.0), 4, np.arange(4), 0)
    assert set(found.condition.tolist()) == {3}
    assert found.probability.value == pytest.approx(0.25 * float(ndtr(torch.tensor(-2.5))), rel=0.4)


def test_an_event_that_never_happens_is_given_up() -> None:
    found = simulate(lambda u, condition: -u.square().sum(1) - 1, 3, ALONE, 0, population=100)
    assert (found.probability.value, found.probability.high, len(found.u)) == (0, 1, 0)


def test_a_level_of_infinity_or_not_a_number_is_outside() -> None:
    found = simulate(lambda u, condition: torch.where(u[:, 1] > 0, torch.nan, u[:, 0] - 3), 2, ALONE, 0)
    assert found.probability.value == pytest.approx(0.5 * float(ndtr(torch.tensor(-3.0))), rel=0.4)
    assert (found.u[:, 1] <= 0).all()


def test_equal_estimates_leave_no_doubt_and_an_estimate_of_zero_is_one_of_them() -> None:
    sure = interval_of(np.log(np.full(8, 1e-4)))
    assert sure.low == sure.value == sure.high == pytest.approx(1e-4)
    with np.errstate(divide="ignore"):
        half = interval_of(np.log(np.array([2e-4, 0.0] * 4)))
    assert half.value == pytest.approx(1e-4)
    assert half.low < 4e-5 < 2.5e-4 < half.high


def test_strata_are_joined_by_their_probabilities() -> None:
    """Conditions of 1e-1 and 1e-3: a joined draw shows the second once in a hundred times."""
    own = [simulate(lambda u, c, b=bound: u[:, 0] - b, 2, np.array([n]), n) for n, bound in enumerate((1.2815516, 3.0902323))]
    whole = joined(own, 0)
    assert whole.probability.value == pytest.approx((0.1 + 0.001) / 2, rel=0.1)
    assert len(whole.u) > 300
    assert float((whole.condition == 1).double().mean()) == pytest.approx(1 / 101, abs=0.01)


@pytest.mark.parametrize(
    "words", ["top classes differ", " Top  classes DIFFER ", "divergence > 3", "divergence>0.5", "divergence > 1e-3"]
)
def test_an_event_is_read_in_words_and_written_back(words: str) -> None:
    event = Event.parse(words)
    assert Event.parse(str(event)) == event


@pytest.mark.parametrize(
    "words", ["", "differ", "divergence < 3", "divergence > x", "divergence > nan", "divergence > inf", "level > 1"]
)
def test_another_event_is_answered_with_the_known_ones(words: str) -> None:
    with pytest.raises(SpecError, match=r"top classes differ.*divergence > NUMBER"):
        Event.parse(words)


def test_counting_gives_the_exact_interval_in_total_by_condition_and_by_pair() -> None:
    drawing = drawing_of(small_classifier(0), small_classifier(1), small_generator())
    draws = draws_of(drawing, 3_000)
    first, second, condition = (draws[name].to_numpy() for name in ("first", "second", "condition"))
    mass = counted(Event(), draws, drawing)
    assert mass.hits == (first != second).sum() > 100
    assert mass.probability.value == (first != second).mean()
    assert sum(pair.value for pair in mass.by_pair.values()) == pytest.approx(mass.probability.value)
    assert np.mean([own.value for own in mass.by_condition.values()]) == pytest.approx(mass.probability.value)  # equally frequent
    assert [own.value for own in mass.by_condition.values()] == [(first != second)[condition == c].mean() for c in range(3)]
    divergence = counted(Event(0.5), draws, drawing)
    assert divergence.probability.value == (draws["divergence"].to_numpy() > 0.5).mean()


class TwoSlopes(Classifier):
    """Two classes with logits (a·x, 0), where the last number of a picture, its condition, chooses the slope a."""

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.labels = labels_of(2)
        self.register_buffer("slopes", slopes)

    def forward(self, pictures: Tensor) -> Tensor:
        row = pictures.flatten(1)
        logit = (row[:, :-1] * self.slopes.to(row)[row[:, -1].long()]).sum(1)
        return torch.stack([logit, torch.zeros_like(logit)], 1).log_softmax(-1)


class WithCondition(Generator):
    """The latent and its condition, as a picture of one row."""

    def __init__(self, size: int, conditions: int) -> None:
        super().__init__()
        self.prior, self.conditions = standard_normal(size), labels_of(conditions)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        return torch.cat([z, condition[:, None].to(z)], 1)[:, None, None]


def by_condition(*shares: float) -> Drawing:
    pairs = [wedge(4, math.pi * share, number) for number, share in enumerate(shares)]
    first, second = (TwoSlopes(torch.stack([pair[side].slope for pair in pairs])) for side in (0, 1))
    return drawing_of(first, second, WithCondition(4, len(shares)))


def test_rare_conditions_are_not_crowded_out_by_those_that_only_come_near() -> None:
    """The second has the event in one of 2,000 draws; the others are as often near a border, which they hardly cross."""
    shares = (1e-7, 5e-4, 1e-7, 1e-7)
    plain, rare, draws = both(Event(), by_condition(*shares), 16_000)
    assert plain.hits < 10
    assert rare.method == "subset simulation"
    assert rare.probability.low <= np.mean(shares) <= rare.probability.high
    assert rare.probability.high - rare.probability.low < plain.probability.high - plain.probability.low
    assert rare.by_condition["1"].value == pytest.approx(5e-4, rel=0.5)
    assert set(draws.condition.tolist()) == {1}
    assert set(rare.by_pair) == {("0", "1"), ("1", "0")}
    assert sum(pair.value for pair in rare.by_pair.values()) == pytest.approx(rare.probability.value)
    assert all(pair.low <= 5e-4 / 8 <= pair.high for pair in rare.by_pair.values())  # by symmetry


def test_few_draws_and_many_conditions_are_one_stratum() -> None:
    drawing = by_condition(1e-3, 1e-3)
    assert len(strata(Event(), drawing, draws_of(drawing, 6_400))) == 2
    (few,) = strata(Event(), drawing, draws_of(drawing, 1_000))
    assert (few.population, few.start is None) == (125, False)
    (fewest,) = strata(Event(), drawing, draws_of(drawing, 40))
    assert (fewest.population, fewest.start) == (100, None)
    many = by_condition(*[1e-3] * 30)
    assert len(strata(Event(), many, draws_of(many, 3_000))) == 1


def test_the_draws_to_begin_with_are_those_that_were_counted() -> None:
    drawing = by_condition(1e-2, 1e-2)
    draws = draws_of(drawing, 8_000)
    for stratum in strata(Event(), drawing, draws):
        assert stratum.start is not None
        members = torch.arange(stratum.start.level.numel())
        levels = level_of(Event(), drawing)(stratum.start.latents(members), stratum.start.condition.flatten())
        torch.testing.assert_close(levels, stratum.start.level.flatten(), rtol=1e-4, atol=1e-6)


def test_a_threshold_of_the_divergence_is_an_event_too() -> None:
    """KL between a fair coin and one with log-odds z is a function of |z|, so that its mass is two tails of a normal."""
    drawing = drawing_of(LinearClassifier(torch.zeros(5)), LinearClassifier(torch.eye(5)[0]), LinearGenerator(5))
    odds = torch.tensor(3.9, dtype=torch.float64)
    threshold = float(math.log(0.5) - 0.5 * (torch.sigmoid(odds).log() + torch.sigmoid(-odds).log()))
    truth = 2 * float(ndtr(-odds))
    plain, rare, draws = both(Event(threshold), drawing, 8_000)
    assert plain.hits < 10
    assert rare.probability.low / 1.2 <= truth <= rare.probability.high * 1.2
    assert (draws.u[:, 0].abs() > 3.9 - 1e-6).all()


def test_classifiers_that_never_differ_have_the_upper_bound_of_the_draws() -> None:
    slope = torch.eye(3)[0]
    plain, rare, draws = both(Event(), drawing_of(LinearClassifier(slope), LinearClassifier(2 * slope), LinearGenerator(3)), 2_000)
    assert rare.probability == plain.probability
    assert rare.probability.high == pytest.approx(1 - 0.025 ** (1 / 2_000))
    assert "did not reach the event" in rare.note
    assert len(draws.u) == 0


class Failing(LinearClassifier):
    """Raises an error if a picture is bright."""

    def forward(self, pictures: Tensor) -> Tensor:
        if (pictures.flatten(1)[:, 1] > 2.5).any():
            raise ValueError("too bright")
        return super().forward(pictures)


def test_a_network_that_fails_on_a_picture_does_not_see_it_as_the_event() -> None:
    drawing = drawing_of(LinearClassifier(torch.eye(3)[0]), LinearClassifier(torch.eye(3)[1]), LinearGenerator(3))
    broken = Failing(torch.eye(3)[0]).double()
    failing = Drawing(drawing.models.__class__(**{**vars(drawing.models), "first": broken}), drawing.spec)
    u = torch.randn(2_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    levels = level_of(Event(), failing)(u, torch.zeros(len(u), dtype=torch.long))
    assert torch.equal(levels.isinf(), u[:, 1].float() > 2.5)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_level_does_not_depend_on_the_number_of_threads(workers: int) -> None:
    drawing = drawing_of(small_classifier(0), small_classifier(1), small_generator())
    u = torch.randn(1_000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    condition = torch.arange(1_000) % 3

    def levels(count: int) -> Tensor:
        plan = drawing.models.plan.__class__(**{**vars(drawing.models.plan), "threads": count})
        threaded = Drawing(drawing.models.__class__(**{**vars(drawing.models), "plan": plan}), drawing.spec)
        return level_of(Event(), threaded)(u, condition)

    assert levels(3).isfinite().all()
    assert torch.equal(levels(workers), levels(3))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_draw_does_not_depend_on_the_others(size: int) -> None:
    drawing = drawing_of(small_classifier(0), small_classifier(1), small_generator())
    whole = drawing.draw(range(100))
    parts = [drawing.draw(range(begin, min(begin + size, 100))) for begin in range(0, 100, size)]
    assert torch.equal(torch.cat([part.log_p for part in parts]), whole.log_p)
    assert torch.equal(torch.cat([part.pictures for part in parts]), whole.pictures)


def test_conditions_are_equally_frequent_and_draws_are_no_starts_of_searches() -> None:
    drawing = drawing_of(small_classifier(0), small_classifier(1), small_generator())
    z, condition = drawing.inputs(range(300))
    assert condition.bincount().tolist() == [100, 100, 100]
    assert not (z[:, None] == drawing.models.draw_latents(range(300))[None]).all(2).any()


def test_a_comparison_says_the_mass_and_asks_for_no_more_draws_than_it_needs(tmp_path: Path) -> None:
    pair = gevaldi.compare(
        small_classifier(0), small_classifier(1), small_generator(), out=tmp_path / "run", samples=1, steps=1, progress=False
    )
    mass = pair.mass(draws=2_000, progress=False)
    assert (mass.method, mass.evaluations) == ("Monte Carlo", 2_000)
    assert repr(pair.mass(draws=2_000, progress=False)) == repr(mass)
    rare = pair.mass("divergence > 40", draws=2_000, progress=False)
    assert rare.method == "Monte Carlo"  # of which the upper bound is
    assert rare.probability.value < 0.01
    with pytest.raises(SpecError):
        pair.mass("they differ", progress=False)
