"""The confidence sequence without replacement by exact enumeration, and intervals of a fixed size by the hypergeometric law."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, multivariate_hypergeom

from gevaldi.statistics.betting import STAKES, lower_total, total_interval, wealth
from gevaldi.statistics.paired import Paired, exact_share
from gevaldi.statistics.sampling import fewest, fixed_size_interval, population_interval

SMALL = [(0.0, 1.0, 1.0, 0.5), (1.0, 0.0, 0.0, 0.0, 1.0, 0.5), (0.25, 0.75, 1.0, 0.0, 0.5, 0.1), (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize("values", SMALL)
def test_over_all_orders_the_mean_wealth_against_the_truth_is_one(values: tuple[float, ...]) -> None:
    orders = np.array(list(permutations(values)))
    assert wealth(orders, len(values), sum(values)).mean(0) == pytest.approx(np.ones(len(values)))


@pytest.mark.parametrize("values", SMALL)
def test_over_all_orders_a_bound_of_any_level_is_ever_wrong_with_at_most_its_probability(values: tuple[float, ...]) -> None:
    orders = np.array(list(permutations(values)))
    most = wealth(orders, len(values), sum(values)).max(1)
    for miss in (0.5, 0.25, 0.1, 0.05):
        assert (most >= 1 / miss).mean() <= miss


def test_wealth_is_the_formula_in_exact_fractions() -> None:
    values, size, total = [Fraction(1), Fraction(1, 2), Fraction(0), Fraction(1)], 7, Fraction(4)
    products = [Fraction(1)] * len(STAKES)
    for seen, value in enumerate(values):
        mean = (total - sum(values[:seen])) / (size - seen)
        products = [won * (1 + Fraction(c) * (value / mean - 1)) for won, c in zip(products, STAKES.tolist(), strict=True)]
    found = wealth(np.array([float(value) for value in values]), size, float(total))
    assert found[-1] == pytest.approx(float(sum(products) / len(products)))


def test_a_total_that_leaves_nothing_is_not_refuted_and_one_that_was_exceeded_is() -> None:
    values = np.array([1.0, 1.0, 0.0, 0.0])
    assert np.isfinite(wealth(values, 4, 2.0)).all()
    assert wealth(values, 4, 1.5)[1:].tolist() == [np.inf] * 3


@pytest.mark.parametrize("size", [10, 30, 100, 500])
@pytest.mark.parametrize("neither", [0, 2])
def test_exact_ties_followed_to_exhaustion_give_false_verdicts_in_at_most_five_per_cent(size: int, neither: int) -> None:
    values = np.r_[np.ones((size - neither) // 2), np.zeros((size - neither) // 2), np.full(neither, 0.5)]
    orders = np.random.default_rng(size).permuted(np.tile(values, (1000, 1)), axis=1)
    worse = wealth(1 - orders, size, size / 2).max(1) >= 40
    wrong = int(((wealth(orders, size, size / 2).max(1) >= 40) | worse).sum())
    assert exact_share(wrong, 1000).high <= 0.065


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 0.3]), min_size=1, max_size=40), st.integers(0, 30), st.floats(0.01, 0.5))
def test_intervals_lie_within_what_is_certain_and_end_in_the_sum(values: list[float], unseen: int, miss: float) -> None:
    own = np.array(values)
    low, high = total_interval(own, own, len(own) + unseen, miss)
    assert own.sum() - 1e-9 <= low <= high <= own.sum() + unseen + 1e-9
    if unseen == 0:
        assert low == pytest.approx(high)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=40), st.integers(1, 60))
def test_a_bound_continued_from_fewer_values_is_the_bound_of_all(values: list[float], unseen: int) -> None:
    own, size = np.array(values), len(values) + unseen
    before = lower_total(own[:-1], size, 0.025)
    assert lower_total(own, size, 0.025, before) == pytest.approx(lower_total(own, size, 0.025), abs=size * 2**-16)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 40), st.data())
def test_unclear_values_widen_the_interval_over_every_way_to_settle_them(
    values: list[float], unseen: int, data: st.DataObject
) -> None:
    low = np.array(values)
    unclear = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    settled = np.where(unclear, data.draw(st.floats(0, 1)), low)
    wide = total_interval(np.where(unclear, 0.0, low), np.where(unclear, 1.0, low), len(low) + unseen, 0.05)
    narrow = total_interval(settled, settled, len(low) + unseen, 0.05)
    tolerance = 2**-15 * (len(low) + unseen)
    assert wide[0] <= narrow[0] + tolerance
    assert wide[1] >= narrow[1] - tolerance


def test_ten_thousand_labels_do_not_overflow() -> None:
    values = (np.random.default_rng(0).random(10_000) < 0.6).astype(float)
    low, high = total_interval(values[:9_000], values[:9_000], 10_000, 0.05)
    assert low < values.sum() < high
    assert high - low < 250


@pytest.mark.parametrize("size", [10, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("miss", [0.05, 0.05 / 28])
def test_an_interval_of_any_fixed_number_of_labels_covers_exact_ties_by_the_hypergeometric_law(size: int, miss: float) -> None:
    ones = size // 2
    for seen in range(1, size):
        counts = np.arange(max(0, seen - size + ones), min(seen, ones) + 1)
        wrong = []
        for count in counts:
            values = np.r_[np.ones(count), np.zeros(seen - count)]
            low, high = fixed_size_interval(values, values, size, miss)
            wrong.append(not low <= ones <= high)
        assert float(hypergeom.pmf(counts, size, ones, seen) @ np.array(wrong)) <= miss + 1e-12, seen


@given(st.integers(1, 60), st.data())
def test_the_fewest_successes_are_those_that_scipys_hypergeometric_tail_allows(size: int, data: st.DataObject) -> None:
    seen = data.draw(st.integers(1, size))
    successes = data.draw(st.integers(0, seen))
    miss = data.draw(st.sampled_from([0.3017, 0.05013, 0.01009]))
    expected = next(k for k in range(successes, size - seen + successes + 1) if hypergeom.sf(successes - 1, size, k, seen) > miss)
    assert fewest(successes, seen, size, miss) == expected


@pytest.mark.parametrize("miss", [0.05, 0.05 / 28])
@pytest.mark.parametrize("size", [6, 11, pytest.param(16, marks=pytest.mark.slow)])
def test_a_fixed_number_of_labels_covers_every_population_of_ones_halves_and_zeros(size: int, miss: float) -> None:
    for seen in range(1, size):
        counts = [(ones, halves) for ones in range(seen + 1) for halves in range(seen + 1 - ones)]
        ends = {}
        for ones, halves in counts:
            values = np.r_[np.ones(ones), np.full(halves, 0.5), np.zeros(seen - ones - halves)]
            ends[ones, halves] = fixed_size_interval(values, values, size, miss)
        draws = np.array([(ones, halves, seen - ones - halves) for ones, halves in counts])
        for ones in range(size + 1):
            for halves in range(size + 1 - ones):
                chance = multivariate_hypergeom.pmf(draws, [ones, halves, size - ones - halves], seen)
                total = ones + halves / 2
                wrong = np.array([not ends[key][0] <= total <= ends[key][1] for key in counts])
                assert float(chance @ wrong) <= miss + 1e-12, (seen, ones, halves)


def test_thirds_that_add_up_to_a_tie_are_a_tie_at_the_end() -> None:
    values = np.array([1 / 3, 2 / 3, 1 / 3, 2 / 3, 0.5, 1.0, 0.0, 1 / 6, 5 / 6] * 11)
    low, high = total_interval(values, values, len(values), 0.05)
    assert low == high == pytest.approx(len(values) / 2)


@pytest.mark.parametrize("counts", [(36, 55), (20, 50), (50, 50), (5, 9), (60, 90), (45, 65)])
def test_an_interval_for_pictures_like_these_decides_as_mcnemars_test(counts: tuple[int, int]) -> None:
    size, (old, new) = 10_000, counts
    difference = (new - old) / size
    low, high = population_interval((difference, difference), old + new, size, 0.05)
    paired = Paired(size - old - new, old, new, 0)
    around = paired.difference()
    assert (low > 0 or high < 0) <= (paired.chance() < 0.05)  # the sampling error has half of the probability to miss
    assert (low, high) == pytest.approx((-around.high, -around.low), abs=6e-4)


def test_a_pool_without_any_difference_leaves_room_for_one_elsewhere() -> None:
    low, high = population_interval((0.0, 0.0), 0, 1000, 0.05)
    assert -0.005 < low < -0.001
    assert 0.001 < high < 0.005
