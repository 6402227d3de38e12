from __future__ import annotations

import pytest

from gpu_sidecar import timeline as timeline_module
from gpu_sidecar.dmon import GpuSample
from gpu_sidecar.timeline import Tag, Timeline

HOLD = Tag("r1", 0, 5, "hold")
SETTLE = Tag("r1", 0, 5, "settle")


def filled(n: int, max_samples: int = 100) -> Timeline:
    timeline = Timeline(max_samples)
    for second in range(n):
        timeline.add(GpuSample(0, {"sm_pct": second, "fb_mib": 1000 + second}), 100.0 + second, float(second))
    return timeline


def test_samples_carry_the_stage_that_was_on_when_they_were_read() -> None:
    timeline = filled(1)
    timeline.mark(HOLD, 101.0, 1.0)
    timeline.add(GpuSample(0, {"sm_pct": 50}), 101.5, 1.5)
    timeline.mark(SETTLE, 102.0, 2.0)
    timeline.add(GpuSample(0, {"sm_pct": 5}), 102.5, 2.5)
    assert [tagged.mark.tag for tagged in timeline.after(0).samples] == [Tag(), HOLD, SETTLE]


def test_a_row_is_flat_and_always_has_the_headline_values() -> None:
    timeline = Timeline()
    timeline.mark(HOLD, 1.0, 1.0)
    timeline.add(GpuSample(3, {"sm_pct": 50, "power_w": 294}), 101.5, 1.5)
    assert timeline.after(0).samples[0].as_row() == {
        "seq": 1, "t": 101.5, "mono": 1.5, "gpu": 3, "sm_pct": 50, "mem_pct": None, "fb_mib": None,
        "power_w": 294, "run_id": "r1", "stage": 0, "users": 5, "phase": "hold",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("after", "seqs", "dropped"),
    [
        (0, [6, 7, 8, 9, 10], 5),
        (-3, [6, 7, 8, 9, 10], 5),
        (4, [6, 7, 8, 9, 10], 1),
        (5, [6, 7, 8, 9, 10], 0),
        (8, [9, 10], 0),
        (10, [], 0),
        (99, [], 0),
    ],
)
def test_what_the_bound_pushed_out_is_counted(after: int, seqs: list[int], dropped: int) -> None:
    page = filled(10, max_samples=5).after(after)
    assert [tagged.seq for tagged in page.samples] == seqs
    assert (page.next, page.dropped, page.more) == (10, dropped, False)


def test_pages_follow_one_another_without_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "MAX_PAGE", 4)
    timeline, after, pages = filled(10), 0, []
    while True:
        page = timeline.after(after)
        pages.append([tagged.seq for tagged in page.samples])
        after = page.next
        if not page.more:
            break
    assert pages == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_an_empty_timeline_has_an_empty_page() -> None:
    page = Timeline().after(0)
    assert (page.samples, page.next, page.dropped, page.more) == ([], 0, 0, False)


def test_stages_have_the_figures_of_their_samples() -> None:
    timeline = Timeline()
    timeline.mark(HOLD, 1.0, 1.0)
    for sm, fb in [(40, 1800), (50, 1900), (60, 2000), (80, 2200), (90, 2400)]:
        timeline.add(GpuSample(0, {"sm_pct": sm, "fb_mib": fb}), 1.0, 1.0)
    timeline.mark(SETTLE, 9.0, 9.0)
    hold, settle = timeline.stages()
    assert hold == {
        "t": 1.0, "mono": 1.0, "run_id": "r1", "stage": 0, "users": 5, "phase": "hold",
        "gpu": {
            "n": 5, "util_mean_pct": 64.0, "util_p95_pct": 90, "memory_mean_mib": 2060.0, "memory_peak_mib": 2400,
        },
    }  # fmt: skip
    assert settle["gpu"] is None


def test_the_same_stage_said_again_is_no_new_mark() -> None:
    timeline = Timeline()
    timeline.mark(HOLD, 1.0, 1.0)
    timeline.mark(HOLD, 2.0, 2.0)
    assert [row["t"] for row in timeline.stages()] == [1.0]


def test_marks_pushed_out_leave_their_samples_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "MAX_MARKS", 2)
    timeline = Timeline()
    for stage in range(3):
        timeline.mark(Tag("r1", stage, 1, "hold"), 1.0, 1.0)
        timeline.add(GpuSample(0, {"sm_pct": stage}), 1.0, 1.0)
    assert [row["stage"] for row in timeline.stages()] == [1, 2]
    assert [tagged.mark.tag.stage for tagged in timeline.after(0).samples] == [0, 1, 2]
