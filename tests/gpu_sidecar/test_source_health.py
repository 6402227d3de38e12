"""What is wrong with a source, and since when."""

from __future__ import annotations

import pytest

from gpu_sidecar.metrics import GPU
from gpu_sidecar.sources.base import Moment, SampleGap
from gpu_sidecar.sources.source_health import SourceHealth


def at(mono: float) -> Moment:
    return Moment(1_000.0 + mono, mono)


def test_a_gap_lasts_from_the_last_sample_to_the_next_and_its_first_reason_counts() -> None:
    begun: list[str] = []
    health = SourceHealth(lambda: begun.append("gap"))
    health.note_start(at(0.0))
    health.note_sample(at(2.0))
    health.begin_gap("it died")
    health.begin_gap("it is not there")
    health.note_sample(at(7.0))
    assert health.gaps == (SampleGap(1_002.0, 1_007.0, "it died", 2.0, 7.0),)
    assert begun == ["gap"]


def test_what_never_gave_a_sample_is_missed_from_the_start() -> None:
    health = SourceHealth(lambda: None)
    health.note_start(at(1.0))
    health.begin_gap("it is not there")
    health.begin_gap_of(3, "no row")
    assert [(gap.began, gap.ended, gap.gpu) for gap in health.gaps] == [(1_001.0, None, None), (1_001.0, None, 3)]


def test_a_gpu_that_has_figures_again_is_well_again(caplog: pytest.LogCaptureFixture) -> None:
    health = SourceHealth(lambda: None)
    health.note_start(at(0.0))
    for lost_at in (1.0, 5.0):
        health.note_figures(0, at(lost_at))
        health.begin_gap_of(0, "[GPU is lost]")
        assert health.complaint([]) == "GPU 0: [GPU is lost]"
    health.note_figures(0, at(9.0))
    assert health.complaint([]) == ""
    assert health.last_figures(0) == at(9.0) and health.last_figures(1) is None
    assert [(gap.kind, gap.gpu, gap.began_mono, gap.ended_mono) for gap in health.gaps] == [
        (GPU, 0, 1.0, 5.0),
        (GPU, 0, 5.0, 9.0),
    ]
    assert caplog.messages == ["GPU 0: [GPU is lost]"]


def test_the_complaint_is_about_the_gpus_that_are_wanted_or_the_last_message() -> None:
    health = SourceHealth(lambda: None)
    health.note_message("WARNING: infoROM is corrupted")
    health.note_fault(0, "[N/A]")
    health.note_fault(1, "[GPU is lost]")
    assert health.complaint([1]) == "GPU 1: [GPU is lost]"
    assert health.complaint([]) == "GPU 0: [N/A]; GPU 1: [GPU is lost]"
    assert health.complaint([2]) == health.last_message == "WARNING: infoROM is corrupted"
    health.note_message("")
    assert health.complaint([2]) == ""
