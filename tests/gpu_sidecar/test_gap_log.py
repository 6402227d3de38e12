"""Gaps of a source and of its devices: one open at a time for each, and a bounded number of ended ones."""

from __future__ import annotations

from gpu_sidecar.metrics import GPU
from gpu_sidecar.sources.base import Moment, SampleGap
from gpu_sidecar.sources.gap_log import WHOLE, GapLog, GapOf


def at(second: float) -> Moment:
    return Moment(1_000 + second, second)


def test_a_gap_has_both_its_ends_on_both_clocks() -> None:
    log = GapLog()
    assert log.begin(GapOf(GPU, 1), at(3), "GPU 1: [GPU is lost]")
    assert log.all() == (SampleGap(1_003, None, "GPU 1: [GPU is lost]", 3, None, GPU, 1),)
    log.end(GapOf(GPU, 1), at(9))
    assert log.all() == (SampleGap(1_003, 1_009, "GPU 1: [GPU is lost]", 3, 9, GPU, 1),)


def test_the_first_reason_of_an_open_gap_stays() -> None:
    log = GapLog()
    assert log.begin(WHOLE, at(1), "it died")
    assert not log.begin(WHOLE, at(2), "it died again")
    assert [gap.why for gap in log.all()] == ["it died"]


def test_devices_and_the_whole_source_have_gaps_of_their_own() -> None:
    log = GapLog()
    for whose in (WHOLE, GapOf(GPU, 0), GapOf(GPU, 1)):
        assert log.begin(whose, at(1), "gone")
    log.end(GapOf(GPU, 0), at(2))
    assert [(gap.gpu, gap.ended) for gap in log.all()] == [(0, 1_002), (None, None), (1, None)]


def test_what_is_not_open_can_be_ended() -> None:
    log = GapLog()
    log.end(WHOLE, at(1))
    assert log.all() == ()


def test_the_newest_gaps_are_kept() -> None:
    log = GapLog(max_gaps=3)
    for second in range(10):
        log.begin(WHOLE, at(second), "gone")
        log.end(WHOLE, at(second + 0.5))
    assert [gap.began_mono for gap in log.all()] == [7, 8, 9]
