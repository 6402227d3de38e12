from __future__ import annotations

import random
import tracemalloc

import pytest

from gpu_sidecar import timeline as timeline_module
from gpu_sidecar.metrics import GPU, METRICS
from gpu_sidecar.sample import Sample
from gpu_sidecar.timeline import MAX_SAMPLES, StageTag, Timeline

HOLD = StageTag("r1", 0, 5, "hold")
SETTLE = StageTag("r1", 0, 5, "settle")


def gpu_sample(sm: float | None, fb: float | None = None, gpu: int = 0, mig: int | None = None) -> Sample:
    return Sample(GPU, {"sm_pct": sm, "fb_mib": fb}, gpu, mig)


def filled(n: int, max_samples: int = 100) -> Timeline:
    timeline = Timeline(max_samples)
    for second in range(n):
        timeline.add(gpu_sample(second, 1000 + second), 100.0 + second, float(second))
    return timeline


def seqs(timeline: Timeline, after: int = 0) -> list[int]:
    return [tagged.seq for tagged in timeline.after(after).samples]


def test_samples_carry_the_stage_that_was_on_when_they_were_read() -> None:
    timeline = filled(1)
    timeline.change_stage(HOLD, 101.0, 1.0)
    timeline.add(gpu_sample(50), 101.5, 1.5)
    timeline.change_stage(SETTLE, 102.0, 2.0)
    timeline.add(gpu_sample(5), 102.5, 2.5)
    assert [tagged.change.tag for tagged in timeline.after(0).samples] == [StageTag(), HOLD, SETTLE]


def test_a_sample_that_comes_late_carries_the_stage_of_the_moment_when_it_was_taken() -> None:
    timeline = Timeline()
    timeline.change_stage(HOLD, 101.0, 1.0)
    timeline.change_stage(SETTLE, 102.0, 2.0)
    for mono in (0.5, 1.5, 2.0):
        timeline.add(gpu_sample(50), 100.0 + mono, mono)
    assert [tagged.change.tag for tagged in timeline.after(0).samples] == [StageTag(), HOLD, SETTLE]


def test_a_row_is_flat_and_a_gpu_always_has_the_headline_values() -> None:
    timeline = Timeline()
    timeline.change_stage(HOLD, 1.0, 1.0)
    timeline.add(Sample(GPU, {"sm_pct": 50, "power_w": 294}, 3), 101.5, 1.5)
    timeline.add(Sample("host", {"cpu_pct": 12.5}), 101.6, 1.6)
    timeline.add(Sample(GPU, {"fb_mib": 7}, 3, mig=1), 101.7, 1.7)
    whole, host, mig = (tagged.as_row() for tagged in timeline.after(0).samples)
    tag = {"run_id": "r1", "stage": 0, "users": 5, "phase": "hold"}
    assert whole == {
        "seq": 1, "t": 101.5, "mono": 1.5, "kind": "gpu", "gpu": 3, "sm_pct": 50, "mem_pct": None, "fb_mib": None,
        "power_w": 294, **tag,
    }  # fmt: skip
    assert host == {"seq": 2, "t": 101.6, "mono": 1.6, "kind": "host", "gpu": None, "cpu_pct": 12.5, **tag}
    assert (mig["gpu"], mig["mig"], mig["sm_pct"], mig["fb_mib"]) == (3, 1, None, 7)


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
    assert [(tagged.seq, tagged.wall) for tagged in page.samples] == [(seq, 99.0 + seq) for seq in seqs]
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


def test_the_numbers_of_a_reader_go_on_over_a_restart() -> None:
    timeline = filled(3)
    assert timeline.after(50).samples == [], "nothing was shown, so nothing is settled"
    timeline.count_on_from(50)
    assert timeline.last_seq == 53
    page = timeline.after(50)
    assert ([tagged.seq for tagged in page.samples], page.dropped) == ([51, 52, 53], 0)
    timeline.add(gpu_sample(1), 1.0, 1.0)
    assert seqs(timeline, after=53) == [54]
    assert timeline.n_taken == 4


def test_a_sidecar_that_starts_after_the_announcement_numbers_on_too() -> None:
    timeline = Timeline()
    timeline.count_on_from(50)
    assert timeline.last_seq == 50
    timeline.add(gpu_sample(1), 1.0, 1.0)
    assert seqs(timeline, after=50) == [51]


@pytest.mark.parametrize("after", [0, 2, 3])
def test_numbers_never_jump_back(after: int) -> None:
    timeline = filled(3)
    timeline.count_on_from(after)
    assert timeline.last_seq == 3


def test_numbers_that_somebody_has_seen_stay() -> None:
    timeline = filled(3)
    assert seqs(timeline) == [1, 2, 3]
    timeline.count_on_from(50)
    assert seqs(timeline) == [1, 2, 3]


def test_what_another_start_had_counted_was_not_dropped() -> None:
    timeline = filled(10, max_samples=5)
    timeline.count_on_from(50)
    page = timeline.after(0)
    assert ([tagged.seq for tagged in page.samples], page.dropped) == ([56, 57, 58, 59, 60], 5)


def test_the_newest_sample_of_each_device_gpus_first() -> None:
    timeline = Timeline()
    timeline.add(Sample("host", {"cpu_pct": 1}), 1.0, 1.0)
    for sm, gpu, mig in [(1, 1, None), (2, 0, None), (3, 1, None), (4, 0, 1)]:
        timeline.add(gpu_sample(sm, gpu=gpu, mig=mig), 2.0, 2.0)
    found = [(newest.seq, newest.sample.kind, newest.sample.gpu, newest.sample.mig) for newest in timeline.newest()]
    assert found == [(3, "gpu", 0, None), (5, "gpu", 0, 1), (4, "gpu", 1, None), (1, "host", None, None)]


def test_a_device_whose_samples_were_all_pushed_out_has_no_newest() -> None:
    timeline = Timeline(max_samples=2)
    timeline.add(Sample("host", {"cpu_pct": 1}), 1.0, 1.0)
    for sm in range(3):
        timeline.add(gpu_sample(sm), 2.0, 2.0)
    assert [(newest.seq, newest.sample.kind) for newest in timeline.newest()] == [(4, "gpu")]


def test_stages_have_the_figures_of_their_samples_device_by_device() -> None:
    timeline = Timeline()
    timeline.change_stage(HOLD, 1.0, 1.0)
    for sm, fb in [(40, 1800), (50, 1900), (60, 2000), (80, 2200), (90, 2400)]:
        timeline.add(gpu_sample(sm, fb), 1.0, 1.0)
        timeline.add(gpu_sample(None, fb, gpu=1), 1.0, 1.0)
    timeline.add(Sample("process", {"cpu_cores": 1.5}), 1.0, 1.0)
    timeline.change_stage(SETTLE, 9.0, 9.0)
    hold, settle = timeline.stages()
    memory = {"mean": 2060.0, "p95": 2400, "max": 2400}
    assert hold == {
        "t": 1.0, "mono": 1.0, "run_id": "r1", "stage": 0, "users": 5, "phase": "hold",
        "devices": [
            {"kind": "gpu", "gpu": 0, "mig": None, "n": 5,
             "figures": {"sm_pct": {"mean": 64.0, "p95": 90, "max": 90}, "fb_mib": memory}},
            {"kind": "gpu", "gpu": 1, "mig": None, "n": 5, "figures": {"fb_mib": memory}},
            {"kind": "process", "gpu": None, "mig": None, "n": 1,
             "figures": {"cpu_cores": {"mean": 1.5, "p95": 1.5, "max": 1.5}}},
        ],
    }  # fmt: skip
    assert settle["devices"] == []


def test_a_device_whose_columns_changed_in_mid_stage_is_one_device() -> None:
    timeline = Timeline()
    timeline.change_stage(HOLD, 1.0, 1.0)
    timeline.add(Sample(GPU, {"sm_pct": 10, "fb_mib": 5}, 0), 1.0, 1.0)
    timeline.add(Sample(GPU, {"sm_pct": 30}, 0), 2.0, 2.0)
    ((device,),) = [stage["devices"] for stage in timeline.stages()]
    assert (device["n"], device["figures"]["sm_pct"]["mean"], device["figures"]["fb_mib"]["max"]) == (2, 20, 5)


def test_the_same_stage_announced_again_is_no_new_change() -> None:
    timeline = Timeline()
    assert timeline.change_stage(HOLD, 1.0, 1.0) is not None
    assert timeline.change_stage(HOLD, 2.0, 2.0) is None
    assert [row["t"] for row in timeline.stages()] == [1.0]


def test_marks_pushed_out_leave_their_samples_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "MAX_STAGE_CHANGES", 2)
    timeline = Timeline()
    for stage in range(3):
        timeline.change_stage(StageTag("r1", stage, 1, "hold"), 1.0, 1.0)
        timeline.add(gpu_sample(stage), 1.0, 1.0)
    assert [row["stage"] for row in timeline.stages()] == [1, 2]
    assert [tagged.change.tag.stage for tagged in timeline.after(0).samples] == [0, 1, 2]


def test_an_hour_of_eight_gpus_takes_15_mb_at_most() -> None:
    """Six minutes with every value that dmon can give, host and server too, and a change of stage every minute."""
    fields = [metric.field for metric in METRICS if metric.kind == GPU and metric.dmon]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        timeline = Timeline()
        for second in range(360):
            if second % 60 == 0:
                timeline.change_stage(StageTag("r1", second // 60, 5, "hold"), 1.0, 1.0)
            for gpu in range(8):
                timeline.add(
                    Sample(GPU, {field: random.random() for field in fields}, gpu), 1.7e9 + second, 1.0 * second
                )
            timeline.add(Sample("host", {"cpu_pct": 0.1 * second, "memory_used_mib": 1.1}), 1.7e9, 1.0 * second)
            timeline.add(Sample("process", {"cpu_cores": 0.1 * second, "rss_mib": 1.1}), 1.7e9, 1.0 * second)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert timeline.n_kept == 3_600
    assert (after - before) * 10 <= 15e6
    assert MAX_SAMPLES == 4 * 36_000
