"""Gaps of a hold: what the sidecars recorded, what only the samples tell, and how both are said."""

import math
from dataclasses import replace

import pytest

from stt_load.report.device import Device
from stt_load.report.sampling_gaps import SampleStream, SamplingGap, gap_notes, within

HOLD = (100.0, 130.0)


def gap(began: float, ended: float, why: str = "", host: str = "h", samples: str = "GPU") -> SamplingGap:
    return SamplingGap(host, samples, (began, ended), why)


GPU_0, GPU_1 = Device("h", "gpu", 0), Device("h", "gpu", 1)


def stream(*times: float, boots: tuple[str, ...] = ()) -> SampleStream:
    return SampleStream("h", "GPU", {GPU_0: [(t, boots[n] if boots else "one") for n, t in enumerate(times)]}, 1.5)


def notes(*gaps: SamplingGap, users: int = 20, name_hosts: bool = False) -> list[str]:
    return gap_notes({0: (str(users), HOLD, gaps)}, name_hosts=name_hosts)


def test_samples_that_stay_away_are_a_gap() -> None:
    every_second = [t for t in map(float, range(95, 135)) if not 110 < t < 118]
    assert stream(*every_second).gaps(HOLD) == [gap(110.0, 118.0)]


def test_another_boot_behind_the_gap_tells_of_a_restart() -> None:
    before, after = range(95, 111), range(118, 135)
    boots = (*["one"] * len(before), *["two"] * len(after))
    (found,) = stream(*map(float, (*before, *after)), boots=boots).gaps(HOLD)
    assert found.why == "the sidecar was restarted"


def test_a_sidecar_that_never_came_back_was_not_restarted() -> None:
    never_again = gap(110.0, 130.0, "none came later in the run")
    assert stream(*map(float, range(95, 111))).gaps(HOLD) == [never_again]
    assert stream(*map(float, range(95, 100))).gaps(HOLD) == [gap(100.0, 130.0, "none came later in the run")]


def test_samples_that_came_too_late_tell_no_reason() -> None:
    assert stream(*map(float, range(120, 135))).gaps(HOLD) == [gap(100.0, 120.0)]


def two_gpus(lost_from: float) -> SampleStream:
    """Samples every second, of GPU 1 only until it is lost."""
    seconds = [(float(t), "one") for t in range(95, 135)]
    return SampleStream("h", "GPU", {GPU_0: seconds, GPU_1: [s for s in seconds if s[0] <= lost_from]}, 1.5)


def test_one_gpu_of_two_has_gaps_of_its_own() -> None:
    assert two_gpus(110.0).gaps(HOLD) == [SamplingGap("h", "GPU", (110.0, 130.0), "none came later in the run", GPU_1)]


def test_a_recorded_gap_of_one_gpu_replaces_the_one_that_was_seen_of_it_and_no_other() -> None:
    recorded = SamplingGap("h", "GPU", (110.2, math.inf), "[GPU is lost]", GPU_1)
    devices = {("h", "GPU"): (GPU_0, GPU_1)}
    (found,) = within(HOLD, [recorded], two_gpus(110.0).gaps(HOLD), devices)
    assert (found.device, found.why) == (GPU_1, "[GPU is lost]")
    every = gap(110.0, 118.0, "the sidecar was restarted")
    assert within(HOLD, [recorded], [every], devices) == [replace(recorded, span=(110.2, 130.0)), every]
    assert within(HOLD, [recorded], [every], {("h", "GPU"): (GPU_1,)}) == [replace(recorded, span=(110.2, 130.0))]


@pytest.mark.parametrize(
    ("device", "name_hosts", "what"),
    [
        (GPU_1, False, "samples of GPU 1"),
        (GPU_1, True, "samples of GPU 1 on h"),
        (Device("h", "process"), False, "samples of the server"),
    ],
)
def test_a_gap_of_one_device_names_it(device: Device, name_hosts: bool, what: str) -> None:
    (note,) = notes(SamplingGap("h", "GPU", (110.0, 120.0), "[GPU is lost]", device), name_hosts=name_hosts)
    assert note == f"{what} missing 10.0–20.0 s into the hold at 20 callers: [GPU is lost]"


def test_a_gap_that_a_sidecar_recorded_stands_for_the_same_one_that_was_seen() -> None:
    recorded = gap(110.2, 117.9, "dmon died")
    assert within(HOLD, [recorded], [gap(110.0, 118.0)]) == [recorded]


@pytest.mark.parametrize("other", [{"host": "other"}, {"samples": "CPU"}])
def test_a_gap_of_other_samples_stands_for_nothing(other: dict[str, str]) -> None:
    recorded, seen = gap(110.0, 118.0, "dmon died", **other), gap(110.0, 118.0)
    assert within(HOLD, [recorded], [seen]) == [recorded, seen]


def test_gaps_are_cut_to_the_hold_and_those_outside_it_left_out() -> None:
    recorded = [gap(90, 105), gap(125, math.inf), gap(50, 100), gap(130, 140)]
    assert [found.span for found in within(HOLD, recorded, [])] == [(100.0, 105), (125, 130.0)]


def test_a_gap_is_told_by_its_place_in_the_hold() -> None:
    assert notes(gap(112.0, 115.1, "dmon was quiet")) == [
        "GPU samples missing 12.0–15.1 s into the hold at 20 callers: dmon was quiet"
    ]


def test_the_host_is_named_where_there_are_several() -> None:
    (note,) = notes(gap(112.0, 115.0), users=1, name_hosts=True)
    assert note == "GPU samples of h missing 12.0–15.0 s into the hold at 1 caller"


def test_holds_without_any_sample_share_a_line() -> None:
    whole = gap(*HOLD)
    assert gap_notes({stage: (str(users), HOLD, [whole]) for stage, users in enumerate((5, 10))}, name_hosts=False) == [
        "GPU samples missing for the whole hold at 5, 10 callers"
    ]


def test_a_whole_hold_of_one_caller_is_told_of_one_caller() -> None:
    assert notes(gap(*HOLD), users=1) == ["GPU samples missing for the whole hold at 1 caller"]


def test_many_gaps_are_told_short() -> None:
    lines = notes(*(gap(100 + n, 100.5 + n) for n in range(25)))
    assert len(lines) == 11
    assert lines[-1] == "15 more gaps in the samples"
