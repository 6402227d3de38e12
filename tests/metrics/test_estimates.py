"""Estimates: their limits against tables and arithmetic, and how many utterances would decide."""

import math
from collections.abc import Callable

import pytest

from stt_load.metrics.estimates import Exact, Resampled, Share, needed_for_share, of_distribution
from stt_load.metrics.quantiles import Distribution


@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2589),  # 1 − 0.05^(1/10)
        (0, 299, 0.0, 0.00997),
        (3, 10, 0.0873, 0.6066),  # Clopper & Pearson's tables, 90 % two-sided
        (5, 10, 0.2224, 0.7776),
        (10, 10, 0.7411, 1.0),
        (10, 1_000, 0.00543, 0.01690),
    ],
)
def test_a_share_has_the_limits_of_clopper_and_pearson(part: int, n: int, low: float, high: float) -> None:
    share = Share(part, n)
    assert (share.low, share.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_no_utterances_have_no_share() -> None:
    assert (Share(0, 0).value, Share(0, 0).low, Share(0, 0).high) == (None, None, None)
    assert needed_for_share(0, 0, 0.01) is None


def test_the_share_of_a_million_is_finite() -> None:
    assert 0.0098 < Share(10_000, 1_000_000).low < 0.01 < Share(10_000, 1_000_000).high < 0.0102


@pytest.mark.parametrize(
    ("part", "n", "allowed", "needed"),
    [
        (0, 3, 0.05, 59),
        (0, 3, 0.01, 299),
        (1, 60, 0.05, 120),
        (5, 50, 0.05, 59),
        (1, 100, 0.01, None),  # at the bound itself
        (0, 5, 0.0, None),  # nothing can be proven never to happen
    ],
)
def test_how_many_utterances_would_decide(part: int, n: int, allowed: float, needed: int | None) -> None:
    assert needed_for_share(part, n, allowed) == needed


def below(bound: float) -> Callable[[float], bool]:
    return lambda value: value < bound


def test_a_rate_needs_more_utterances_the_wider_its_limits_and_three_over_its_distance_at_least() -> None:
    assert Resampled(0.02, 0.0, 0.08, 50).needed(0.05, below(0.05)) == 200  # half as wide with four times as many
    assert Resampled(0.09, 0.03, 0.15, 50).needed(0.05, below(0.05)) == 120
    assert Resampled(0.0, None, None, 3).needed(0.05, below(0.05)) == 60
    assert Resampled(0.05, 0.0, 0.1, 50).needed(0.05, below(0.05)) is None


def test_what_happened_is_exact() -> None:
    assert (Exact(3).low, Exact(3).high, Exact(3).needed(2, below(2))) == (3, 3, None)
    values = Distribution.of([1.0, 2.0])
    assert of_distribution(values, "max") == Exact(2.0, 2)
    assert of_distribution(Distribution(), "max") is None
    assert of_distribution(Distribution(), "p95") is None
    with pytest.raises(ValueError, match="not a statistic"):
        of_distribution(values, "median")


def test_failed_utterances_are_infinite_in_a_percentile_and_not_in_a_mean() -> None:
    values = Distribution.of([1.0] * 10)
    assert of_distribution(values, "p95", without=1).value == math.inf
    assert of_distribution(values, "mean", without=1).value == 1.0
