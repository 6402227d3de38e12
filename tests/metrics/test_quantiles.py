"""Nearest rank, its interval, and how many values a percentile needs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.quantiles import Distribution, binomial_cdf, interval_ranks, rank, smallest_n

VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=200)
PERCENTILES = st.sampled_from((0.05, 0.5, 0.9, 0.95, 0.99))


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.05, 15), (0.30, 20), (0.40, 20), (0.50, 35), (0.99, 50)],
)
def test_the_textbook_example_of_nearest_rank_comes_out(p: float, expected: float) -> None:
    assert Distribution.of([50, 35, 15, 40, 20]).at(p) == expected


def test_a_product_that_floating_point_puts_above_a_whole_number_keeps_its_rank() -> None:
    assert 0.07 * 100 > 7
    assert rank(100, 0.07) == 7


def test_no_values_give_no_figures() -> None:
    empty = Distribution()
    assert (empty.n, empty.mean, empty.min, empty.max, empty.at(0.5)) == (0, None, None, None, None)
    assert empty.ci95(0.95) == (None, None)
    assert not empty.supports(0.5)


@pytest.mark.parametrize(("p", "n"), [(0.5, 5), (0.95, 59), (0.99, 299)])
def test_a_percentile_is_supported_from_the_n_at_which_no_miss_proves_it(p: float, n: int) -> None:
    assert smallest_n(p) == n
    assert p**n <= 0.05 < p ** (n - 1)


@pytest.mark.parametrize(
    ("n", "p", "ranks"),
    [
        (10, 0.5, (2, 9)),  # the sign-test interval of the median, Conover table A3
        (5, 0.5, (None, None)),  # 1/32 on each side is more than 2.5 %
        (72, 0.95, (64, 72)),
        (12, 0.95, (10, None)),
    ],
)
def test_interval_ranks_are_those_of_the_binomial(n: int, p: float, ranks: tuple[int | None, int | None]) -> None:
    assert interval_ranks(n, p, 0.025) == ranks


@given(n=st.integers(1, 300), p=PERCENTILES)
def test_each_end_of_the_interval_risks_at_most_two_and_a_half_percent_and_the_next_rank_more(n: int, p: float) -> None:
    def below(k: int) -> float:
        return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))

    lower, upper = interval_ranks(n, p, 0.025)
    assert below((lower or 0) - 1) <= 0.025 + 1e-9
    assert below(lower or 0) > 0.025 - 1e-9
    if upper is None:
        assert 1 - below(n - 1) > 0.025 - 1e-9
    else:
        assert 1 - below(upper - 1) <= 0.025 + 1e-9


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (12, 0.05), (60, 0.95), (300, 0.01)])
def test_the_binomial_is_that_of_the_sum(n: int, p: float) -> None:
    for k in range(-1, n + 2):
        exact = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1))
        assert binomial_cdf(k, n, p) == pytest.approx(exact, abs=1e-12)


def test_the_binomial_of_a_million_is_finite() -> None:
    assert binomial_cdf(10_000, 1_000_000, 0.01) == pytest.approx(0.5, abs=0.01)


@given(values=VALUES, p=PERCENTILES)
def test_a_percentile_is_a_measured_value_with_that_share_at_or_below_it(values: list[float], p: float) -> None:
    found = Distribution.of(values).at(p)
    assert found in values
    assert sum(value <= found for value in values) >= p * len(values) - 1e-6
    assert sum(value < found for value in values) < p * len(values) + 1e-6


@given(values=VALUES, p=PERCENTILES)
def test_the_interval_holds_the_percentile_it_belongs_to(values: list[float], p: float) -> None:
    distribution = Distribution.of(values)
    low, high = distribution.ci95(p)
    found = distribution.at(p)
    assert low is None or low <= found
    assert high is None or found <= high
