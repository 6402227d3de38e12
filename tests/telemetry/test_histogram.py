from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.telemetry.histogram import BOUNDS_S, SCHEMA, ZERO_THRESHOLD_S, LatencyHistogram

SECONDS = st.floats(min_value=0.0, max_value=1e5)


@given(st.lists(SECONDS, max_size=50))
def test_every_value_is_in_one_bucket_of_each_shape(values: list[float]) -> None:
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    assert histogram.n == len(values) == histogram.zero + sum(histogram.dense()[1])
    assert histogram.sum_s == pytest.approx(math.fsum(values))
    for edge, n in histogram.cumulative():
        assert n == sum(value <= edge for value in values)


@given(SECONDS.filter(lambda value: value > ZERO_THRESHOLD_S))
def test_a_native_bucket_ends_where_its_index_says(value: float) -> None:
    histogram = LatencyHistogram()
    histogram.add(value)
    (index,) = histogram.native
    width = 2.0 ** (2.0**-SCHEMA)
    # On an edge, the logarithm may round either way.
    assert width ** (index - 1) * (1 - 1e-12) <= value <= width**index * (1 + 1e-12)


def test_native_buckets_without_gaps_begin_at_the_lowest_one() -> None:
    histogram = LatencyHistogram()
    for value in (0.5, 0.5, 1.0):
        histogram.add(value)
    assert histogram.dense() == (-8, [2, 0, 0, 0, 0, 0, 0, 0, 1])


def test_a_histogram_without_values_has_every_classic_bucket_and_no_native_one() -> None:
    assert [n for _, n in LatencyHistogram().cumulative()] == [0] * (len(BOUNDS_S) + 1)
    assert LatencyHistogram().dense() == (0, [])
    assert LatencyHistogram().least_s == 0.0
