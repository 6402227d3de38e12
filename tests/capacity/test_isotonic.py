"""The isotonic fit by hand and by its definition, and where it crosses a share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.capacity.isotonic import isotonic_fit, levels_within


def max_min(parts: np.ndarray, wholes: np.ndarray) -> list[float]:
    """The fit by the max-min formula."""
    n = len(parts)
    return [
        max(min(parts[a : b + 1].sum() / wholes[a : b + 1].sum() for b in range(i, n)) for a in range(i + 1))
        for i in range(n)
    ]


def test_levels_that_fall_are_pooled_by_weight() -> None:
    fitted = isotonic_fit(np.array([0.0, 9.0, 1.0, 50.0]), np.array([100.0, 100.0, 300.0, 100.0]))
    assert fitted.tolist() == [0.0, 0.025, 0.025, 0.5]


COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=9)


@given(COUNTS)
def test_the_fit_is_the_max_min_formula(counts: list[tuple[int, int]]) -> None:
    parts = np.array([late for late, _ in counts], float)
    wholes = parts + 1 + np.array([in_time for _, in_time in counts], float)
    assert isotonic_fit(parts, wholes) == pytest.approx(max_min(parts, wholes))


@given(COUNTS, st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.25, 0.5]))
def test_it_crosses_a_share_where_the_fit_does(counts: list[tuple[int, int]], allowed: float) -> None:
    parts = np.array([late for late, _ in counts], float)
    wholes = parts + 1 + np.array([in_time for _, in_time in counts], float)
    expected = sum(share <= allowed + 1e-9 for share in max_min(parts, wholes))
    assert levels_within(parts, wholes, allowed) == expected


def test_exactly_the_allowed_share_is_within_it() -> None:
    assert levels_within(np.array([2.0, 20.0]), np.array([20.0, 200.0]), 1 - 0.9) == 2


def test_many_resamples_are_crossed_at_once() -> None:
    parts = np.array([[[0.0, 9.0], [0.0, 1.0]], [[9.0, 9.0], [3.0, 0.0]]])  # resamples, objectives, levels
    wholes = np.full(parts.shape, 100.0)
    assert levels_within(parts, wholes, np.array([0.05, 0.02])).tolist() == [[1, 2], [0, 2]]
