"""Values that are kept one by one as long as there are few, and counted where there are many."""

from __future__ import annotations

import math
import random
from array import array

import numpy as np
import pytest

from stt_load.metrics.kept_values import KeptValues, LongSum, RunLengths, rounded
from stt_load.metrics.quantiles import REPORTED, Distribution

MANY = 20_000


def latencies(n: int = MANY, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.lognormvariate(-0.9, 0.5) for _ in range(n)]


def kept(values: list[float], exact: int) -> Distribution:
    made = KeptValues(exact)
    for at in range(0, len(values), 700):
        made.extend(values[at : at + 700])
    assert len(made) == len(values)
    return Distribution(made.close())


def test_few_values_are_what_they_were() -> None:
    values = latencies()
    assert kept(values, MANY).values == array("d", sorted(values))


def test_many_values_have_the_same_statistics_to_five_digits() -> None:
    values = latencies()
    true, counted = Distribution.of(values), kept(values, 1_000)
    assert isinstance(counted.values, RunLengths) and counted.n == true.n
    for p in REPORTED.values():
        assert counted.at(p) == pytest.approx(true.at(p), rel=1e-4)
        assert counted.ci95(p) == pytest.approx(true.ci95(p), rel=1e-4)
        assert counted.with_infinite(300).at(p) == pytest.approx(true.with_infinite(300).at(p), rel=1e-4)
    assert counted.with_infinite(MANY).at(0.95) == math.inf
    assert (counted.mean, counted.min, counted.max) == pytest.approx((true.mean, true.min, true.max), rel=1e-4)
    assert list(counted.values) == pytest.approx(list(true.values), rel=1e-4)


def test_they_take_no_more_room_however_many_come() -> None:
    made = KeptValues(exact=1_000, digits=3)
    for seed in range(40):
        made.extend(latencies(2_000, seed))
    values = made.close()
    assert isinstance(values, RunLengths) and len(values) == 80_000
    assert len(values.once) < 1_500


def test_they_read_like_an_array() -> None:
    made = RunLengths.of(np.array([1.0, 2.0, 5.0]), np.array([2, 1, 3]))
    assert list(made) == [1, 1, 2, 5, 5, 5]
    assert (made[0], made[2], made[-1], made[1:4]) == (1.0, 2.0, 5.0, [1.0, 2.0, 5.0])
    assert made.total == 19.0
    with pytest.raises(IndexError):
        made[6]
    assert not RunLengths.of(np.empty(0), np.empty(0, np.int64))


def test_numbers_are_rounded_wherever_their_point_is() -> None:
    given = np.array([0.0, -0.123456, 12345.6, 0.000123456, 1.0])
    assert rounded(given, 4).tolist() == pytest.approx([0.0, -0.1235, 12350.0, 0.0001235, 1.0], abs=1e-12)


def test_a_long_sum_is_that_of_its_values() -> None:
    made = LongSum()
    for _ in range(4):
        made.extend([0.1] * 100_000)
    assert made.total == pytest.approx(40_000, abs=1e-6)
