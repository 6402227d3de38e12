from __future__ import annotations

import pytest

from gpu_sidecar.dmon import GpuSample
from gpu_sidecar.summary import GpuStats, compute_gpu_stats, nearest_rank


def sample(sm: float | None, fb: float | None) -> GpuSample:
    return GpuSample(0, {"sm_pct": sm, "fb_mib": fb})


FIVE = [sample(40, 1800), sample(50, 1900), sample(60, 2000), sample(80, 2200), sample(90, 2400)]


def test_five_samples_give_mean_p95_and_peak() -> None:
    assert compute_gpu_stats(FIVE) == GpuStats(
        n=5, util_mean_pct=64.0, util_p95_pct=90, memory_mean_mib=2060.0, memory_peak_mib=2400
    )


def test_the_order_of_samples_does_not_matter() -> None:
    assert compute_gpu_stats(FIVE[::-1]) == compute_gpu_stats(FIVE)


def test_no_samples_give_nothing_rather_than_zeros() -> None:
    assert compute_gpu_stats([]) is None


def test_an_idle_gpu_gives_zeros_rather_than_nothing() -> None:
    assert compute_gpu_stats([sample(0, 0)]) == GpuStats(1, 0.0, 0, 0.0, 0)


def test_what_the_card_cannot_tell_is_left_out_of_its_figure_alone() -> None:
    assert compute_gpu_stats([sample(None, 100), sample(None, 300)]) == GpuStats(2, None, None, 200.0, 300)
    assert compute_gpu_stats([sample(None, None), sample(30, None)]) == GpuStats(2, 30.0, 30, None, None)


@pytest.mark.parametrize(("p", "expected"), [(0.01, 1), (0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20)])
def test_a_percentile_is_the_nearest_rank(p: float, expected: int) -> None:
    assert nearest_rank(range(20, 0, -1), p) == expected
