"""Two classifiers on the same pictures: against other libraries, exact enumeration, and simulated coverage."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from gevaldi.statistics.calibration import expected_calibration_error, fitted_temperature, log_of_truth, reliability
from gevaldi.statistics.paired import Paired, anytime_share, exact_share

COUNT = st.integers(0, 60)


def frequency(pictures: int, shares: tuple[float, ...], holds: Callable[[Paired], bool]) -> float:
    """How often something holds of 2,000 sets of pictures."""
    drawn, counts = np.unique(multinomial(pictures, shares).rvs(2_000, random_state=0), axis=0, return_counts=True)
    return float(np.average([holds(Paired(*row)) for row in drawn.tolist()], weights=counts))


@given(COUNT, COUNT, COUNT, COUNT)
def test_the_exact_test_is_that_of_statsmodels(a: int, b: int, c: int, d: int) -> None:
    expected = mcnemar([[a, b], [c, d]], exact=True).pvalue if b + c else 1.0
    assert Paired(a, b, c, d).chance() == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_uncorrelated_answers_have_newcombes_interval_of_two_independent_samples(first: int, second: int, n: int) -> None:
    # Right in shares r and s of n^2 pictures, independently: ad = bc, and method 10 is method 10 of unpaired shares.
    r, s = min(first, n), min(second, n)
    found = Paired(r * s, r * (n - s), (n - r) * s, (n - r) * (n - s)).difference()
    low, high = confint_proportions_2indep(r * n, n * n, s * n, n * n, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@given(COUNT, COUNT, COUNT, COUNT)
def test_exchanging_the_two_turns_the_answer_round(a: int, b: int, c: int, d: int) -> None:
    one, other = Paired(a, b, c, d), Paired(a, c, b, d)
    assert {"first": "second", "second": "first", None: None}[one.better()] == other.better()
    if one.total:
        here, there = one.difference(), other.difference()
        assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-12)
        assert here.low - 1e-12 <= here.value <= here.high + 1e-12


def test_no_pictures_decide_nothing() -> None:
    none = Paired(0, 0, 0, 0)
    assert none.better() is None
    assert none.pictures_needed() is None
    assert none.difference().value != none.difference().value
    assert exact_share(0, 0).value != exact_share(0, 0).value


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(0.9, 0.02, 0.02, 0.06), (0.7, 0.15, 0.05, 0.1), (0.97, 0.02, 0.0, 0.01), (0.3, 0.3, 0.3, 0.1)])
def test_the_interval_of_a_difference_covers(shares: tuple[float, ...]) -> None:
    truth = shares[1] - shares[2]
    assert frequency(300, shares, lambda paired: (e := paired.difference()).low <= truth <= e.high) >= 0.94


def test_equal_classifiers_are_called_unequal_on_at_most_one_of_twenty_sets() -> None:
    assert frequency(400, (0.9, 0.03, 0.03, 0.04), lambda paired: paired.better() is not None) <= 0.05


@pytest.mark.slow
def test_as_many_pictures_as_are_said_to_be_needed_decide_in_four_of_five_cases() -> None:
    seen = Paired(900, 40, 20, 40)
    needed = seen.pictures_needed()
    assert needed
    assert 0.72 <= frequency(needed, (0.9, 0.04, 0.02, 0.04), lambda paired: paired.better() == "first") <= 0.88


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_exact_interval_is_that_of_statsmodels_and_the_anytime_one_is_wider(successes: int, failures: int) -> None:
    trials = successes + failures
    if not trials:
        return
    exact, anytime = exact_share(successes, trials), anytime_share(successes, trials)
    assert (exact.low, exact.high) == pytest.approx(proportion_confint(successes, trials, method="beta"), abs=1e-9)
    assert anytime.low <= exact.low + 1e-3
    assert anytime.high >= exact.high - 1e-3
    assert anytime.low <= anytime.value <= anytime.high


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.05])
def test_the_anytime_interval_covers_at_every_look(share: float) -> None:
    paths, length = 1_000, 80
    drawn = np.random.default_rng(3).random((paths, length)) < share
    sums = drawn.cumsum(1)
    bounds = {(int(s), t + 1) for t in range(length) for s in np.unique(sums[:, t])}
    inside = {key: (e := anytime_share(*key)).low <= share <= e.high for key in bounds}
    missed = sum(not all(inside[int(s), t + 1] for t, s in enumerate(path)) for path in sums)
    assert missed / paths <= 0.05
    exact = {key: (e := exact_share(*key)).low <= share <= e.high for key in bounds}
    assert sum(not all(exact[int(s), t + 1] for t, s in enumerate(path)) for path in sums) / paths > 0.05  # so one is needed


def test_shares_agree_with_scipy() -> None:
    found = exact_share(7, 20)
    expected = binomtest(7, 20).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.low == pytest.approx(beta(7, 14).ppf(0.025))


def answers(n: int = 3_000, classes: int = 10, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities at a temperature, and classes drawn from the probabilities at temperature 1."""
    generator = np.random.default_rng(4)
    log_p = torch.tensor(generator.normal(size=(n, classes)) * 2).log_softmax(1)
    truth = torch.multinomial(log_p.exp(), 1, generator=torch.Generator().manual_seed(0)).squeeze(1)
    return (log_p / temperature).log_softmax(1).numpy(), np.eye(classes, dtype=bool)[truth.numpy()]


@pytest.mark.slow  # because torchmetrics is imported
@pytest.mark.parametrize("bins", [5, 15])
def test_the_calibration_error_is_that_of_torchmetrics(bins: int) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    log_p, truth = answers(temperature=0.5)
    confidence, right = np.exp(log_p).max(1), truth[np.arange(len(truth)), log_p.argmax(1)]
    expected = multiclass_calibration_error(
        torch.tensor(np.exp(log_p)), torch.tensor(truth.argmax(1)), num_classes=10, n_bins=bins, norm="l1"
    )
    assert expected_calibration_error(reliability(confidence, right, bins)) == pytest.approx(float(expected), abs=1e-6)


def test_the_log_likelihood_is_that_of_torch() -> None:
    log_p, truth = answers()
    expected = torch.nn.functional.nll_loss(torch.tensor(log_p), torch.tensor(truth.argmax(1)))
    assert -log_of_truth(log_p, truth).mean() == pytest.approx(float(expected))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 3.0])
def test_a_fitted_temperature_takes_another_back(temperature: float) -> None:
    at_one = fitted_temperature(*answers())
    found = fitted_temperature(*answers(temperature=temperature))
    assert at_one == pytest.approx(1.0, abs=0.05)  # the classes were drawn from the predictions
    assert found
    assert found * temperature == pytest.approx(at_one, rel=1e-3)


def test_a_temperature_that_nothing_bounds_is_none() -> None:
    log_p, _ = answers(50)
    assert fitted_temperature(log_p, np.eye(10, dtype=bool)[log_p.argmax(1)]) is None  # all right: ever colder is ever better
    assert fitted_temperature(log_p, np.eye(10, dtype=bool)[log_p.argmin(1)]) is None
    assert fitted_temperature(log_p[:0], np.zeros((0, 10), dtype=bool)) is None
