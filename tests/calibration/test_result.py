"""What a calibration says: to a file, to people, and to a run that asks for more."""

from __future__ import annotations

import json

import pytest
from made_calibration import FOUND, found

from stt_load.calibration.limits import Limit
from stt_load.calibration.result import (
    Calibration,
    ClockError,
    MachineCallers,
    NotACalibration,
    callers_of_a_process,
    overload_warning,
    summary_lines,
    why_one_process_is_late,
)
from stt_load.metrics.quantiles import Distribution

TOGETHER = MachineCallers(7, 18_000, 19_500, Limit("the sink", "it was busy", "use --url"))


@pytest.mark.parametrize(
    "calibration",
    [FOUND, found(clock=None, breaks=None, memory_bytes_per_caller=None), found(machine=TOGETHER)],
)
def test_what_is_written_is_read_again(calibration: Calibration) -> None:
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "{}", '{"schema_version": 1}', json.dumps({**json.loads(FOUND.to_json()), "more": 1})]
)
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(NotACalibration):
        Calibration.from_json(text)


@pytest.mark.parametrize("key", json.loads(FOUND.to_json()))
@pytest.mark.parametrize("value", [None, "x", -1, 1e308, 10**30, [], {}, [1], True, 0])
def test_a_value_of_the_wrong_kind_is_refused_or_harmless(key: str, value: object) -> None:
    try:
        read = Calibration.from_json(json.dumps({**json.loads(FOUND.to_json()), key: value}))
    except NotACalibration:
        return
    summary_lines(read)
    overload_warning(read, 1_000, 20.0, 2)


def test_a_calibration_of_another_schema_is_refused() -> None:
    with pytest.raises(NotACalibration, match="version"):
        Calibration.from_json(json.dumps({**json.loads(FOUND.to_json()), "schema_version": 99}))


@pytest.mark.parametrize(("whole_cores", "callers"), [(1, 3_000), (2, 3_000), (8, 21_000)])
def test_one_core_is_left_for_the_rest_of_the_machine(whole_cores: int, callers: int) -> None:
    assert found(whole_cores=whole_cores).callers_of_machine == callers


def test_the_summary_gives_each_figure_with_its_unit() -> None:
    lines = dict(summary_lines(FOUND))
    assert lines["callers"] == "3,000 per process and core, with frames of 100 ms (3,200 are too many)"
    assert lines["this machine"] == "8 cores: about 21,000 callers with --processes 7"
    assert lines["CPU"] == "0.028 % of a core per caller, 28.0 µs per frame"
    assert lines["memory"] == "13.7 KiB per caller; a process with one caller has 90 MiB"
    assert lines["clock"] == "reported minus true, at 1,500 callers: p50 0.200 ms, p99 0.400 ms, n 3"
    assert lines["to raise it"] == "stt-load run … --processes 7"


def test_what_other_work_disturbed_says_so() -> None:
    assert "disturbed" not in dict(summary_lines(FOUND))
    assert "120 % of a core" in dict(summary_lines(found(others_cpu_pct=120.0)))["disturbed"]


def test_a_sink_that_knows_no_truth_leaves_the_clock_unknown_and_says_so() -> None:
    assert "not measured" in dict(summary_lines(found(clock=None)))["clock"]
    assert ClockError.of(10, Distribution()) is None


@pytest.mark.parametrize(
    ("callers", "frame_ms", "processes"), [(3_000, 100.0, 1), (6_000, 100.0, 2), (600, 20.0, 1), (3_000, 200.0, 1)]
)
def test_a_run_within_the_calibration_is_told_nothing(callers: int, frame_ms: float, processes: int) -> None:
    assert overload_warning(FOUND, callers, frame_ms, processes) is None


@pytest.mark.parametrize(
    ("callers", "frame_ms", "processes", "words"),
    [
        (3_001, 100.0, 1, ["3,001 callers per process", "only 3,000 on time", "2026-11-21", "--processes 2"]),
        (9_001, 100.0, 3, ["3,001 callers per process", "--processes 4"]),
        (601, 20.0, 1, ["only 600 on time", "frames of 20 ms", "--processes 2"]),
        (3_001, 200.0, 1, ["only 3,000 on time"]),  # longer frames cost less, but how much less nobody has tried
        (50_000, 100.0, 7, ["add machines"]),  # more than the cores can be
    ],
)
def test_a_run_beyond_it_is_told_the_number_and_what_to_do(
    callers: int, frame_ms: float, processes: int, words: list[str]
) -> None:
    line = overload_warning(FOUND, callers, frame_ms, processes)
    assert line is not None
    assert [word for word in words if word not in line] == []


def test_the_most_that_were_tried_are_not_the_most_that_are_possible() -> None:
    tried = found(callers=12, breaks=None)
    assert overload_warning(tried, 500, 100.0) is None
    line = overload_warning(tried, 501, 100.0)
    assert line is not None and "was only tried with 12" in line and "stt-load calibrate" in line
    assert overload_warning(found(breaks=None), 3_000, 100.0) is None


@pytest.mark.parametrize(("whole_cores", "advice"), [(1, "add machines"), (2, "--processes 2"), (3, "--processes 2")])
def test_a_second_process_needs_a_second_core(whole_cores: int, advice: str) -> None:
    line = overload_warning(found(whole_cores=whole_cores), 6_000, 100.0)
    assert line is not None and advice in line


def test_without_a_calibration_only_a_large_run_is_told_of_it() -> None:
    assert overload_warning(None, 500, 100.0) is None
    assert overload_warning(None, 4_000, 100.0, processes=8) is None
    line = overload_warning(None, 501, 100.0)
    assert line is not None and "stt-load calibrate" in line


def test_a_calibration_of_an_earlier_version_knows_one_process_alone() -> None:
    earlier = json.loads(FOUND.to_json())
    del earlier["machine"]
    assert Calibration.from_json(json.dumps(earlier)) == FOUND


def test_what_was_measured_with_all_processes_at_once_is_the_machines_figure() -> None:
    calibration = found(machine=TOGETHER)
    assert calibration.callers_of_machine == 18_000
    line = dict(summary_lines(calibration))["this machine"]
    assert line == ("8 cores: 18,000 callers in 7 processes at once (--processes auto); 19,500 are too many: the sink")
    assert overload_warning(calibration, 18_000, 100.0, 7) is None
    warned = overload_warning(calibration, 18_001, 100.0, 7)
    assert warned is not None and "whole machine keeps only 18,000 on time, in 7 processes" in warned
    assert overload_warning(calibration, 3_600, 20.0, 7) is None  # 18,000 with frames of 100 ms
    assert overload_warning(calibration, 3_601, 20.0, 7) is not None


@pytest.mark.parametrize(
    ("calibration", "frame_ms", "callers"),
    [
        (FOUND, 100.0, 3_000),
        (FOUND, 20.0, 600),
        (None, 100.0, 500),
        (None, 20.0, 100),  # a shorter frame costs as much
        (found(callers=12, breaks=None), 100.0, 500),
        (found(breaks=None), 100.0, 3_000),
    ],
)
def test_one_process_is_late_with_more_callers_than_it_is_believed_to_keep(
    calibration: Calibration | None, frame_ms: float, callers: int
) -> None:
    assert callers_of_a_process(calibration, frame_ms) == callers
    assert why_one_process_is_late(calibration, callers, frame_ms) is None
    why = why_one_process_is_late(calibration, callers + 1, frame_ms)
    assert why is not None and f"would be late with {callers + 1:,} callers: it is believed to keep {callers:,}" in why
