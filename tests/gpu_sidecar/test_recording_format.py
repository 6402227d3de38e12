from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_sidecar.recording_format import (
    NotARecording,
    RecordedSample,
    RecordingHeader,
    header_line,
    period_of,
    read_headers,
    read_lines,
    sample_line,
    stage_change_line,
    with_due_times,
)
from gpu_sidecar.sample import Sample
from gpu_sidecar.timeline import StageChange, StageTag

HEADER = RecordingHeader(
    "gpu7", "b1", 100.0, ({"index": 0, "uuid": "GPU-a"},), ({"name": "dmon", "kind": "gpu", "period_s": 2.0},)
)
SAMPLE = Sample("gpu", {"sm_pct": 45, "power_w": 71.5, "gpu_temp_c": None}, gpu=1, mig=2)


def recorded(mono: float, wall: float = 0.0) -> RecordedSample:
    return RecordedSample(Sample("gpu", {"sm_pct": mono}, 0), wall or 1000.0 + mono, mono)


def due_times(found: Sequence[RecordingHeader | RecordedSample]) -> list[float]:
    return [due_s for due_s, _ in with_due_times(found)]


def test_what_is_written_is_read_again() -> None:
    lines = [header_line(HEADER), sample_line(SAMPLE, 101.5, 1.5)]
    assert list(read_lines(lines)) == [HEADER, RecordedSample(SAMPLE, 101.5, 1.5)]
    assert read_headers(lines) == [HEADER]


def test_a_line_is_one_json_object_on_a_line() -> None:
    line = header_line(RecordingHeader("überhost\n", "b", 1.0))
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert json.loads(line)["recording"] == 1
    assert json.loads(sample_line(Sample("host", {"cpu_pct": 1}), 2.0, 3.0)) == {
        "t": 2.0, "mono": 3.0, "kind": "host", "gpu": None, "cpu_pct": 1,
    }  # fmt: skip


def test_a_change_of_stage_is_in_the_recording_and_is_no_sample() -> None:
    line = stage_change_line(StageChange(StageTag("r1", 2, 20, "hold"), 101.0, 1.0))
    assert json.loads(line)["mark"] == {"run_id": "r1", "stage": 2, "users": 20, "phase": "hold"}
    assert list(read_lines([line])) == []


@given(st.integers(0, 200))
def test_a_line_cut_off_by_a_death_is_skipped_wherever_it_was_cut(cut: int) -> None:
    whole = sample_line(SAMPLE, 101.5, 1.5)
    torn = whole[: min(cut, len(whole) - 2)] + "\n"
    lines = [header_line(HEADER), torn, whole]
    assert list(read_lines(lines)) == [HEADER, RecordedSample(SAMPLE, 101.5, 1.5)]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
KEYS = st.sampled_from(["recording", "t", "mono", "kind", "gpu", "mig", "gpus", "sources", "sm_pct", "fb_mib"])


@given(st.one_of(st.text(), JSON.map(json.dumps), st.dictionaries(KEYS, JSON).map(json.dumps)))
def test_rubbish_is_never_an_exception_and_never_a_value_that_is_none(line: str) -> None:
    for found in read_lines([line]):
        if isinstance(found, RecordedSample):
            assert all(value is None or -1e15 < value < 1e15 for value in found.sample.values.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it has no complete header"),
        ("seq,t,sm\n", "its first line is not a header"),
        (sample_line(SAMPLE, 1.0, 1.0), "its first line is not a header"),
        ('{"recording": 2, "t": 1.0}\n', "its format is 2, and this version reads 1"),
        (header_line(HEADER)[:30] + "\n", "it has no complete header"),
        ('{"recording": 1, "t": "noon"}\n', "it has no complete header"),
    ],
)
def test_what_is_no_recording_is_told_so(text: str, words: str) -> None:
    with pytest.raises(NotARecording) as caught:
        read_headers(text.splitlines(keepends=True))
    assert str(caught.value) == words


def test_a_recording_whose_first_header_was_cut_off_begins_with_the_next() -> None:
    assert read_headers([header_line(HEADER)[:30] + "\n", header_line(HEADER)]) == [HEADER]


def test_samples_are_due_with_the_spacing_in_which_they_came() -> None:
    assert due_times([HEADER, recorded(50.0), recorded(51.0), recorded(51.25), recorded(61.0)]) == [0, 1, 1.25, 11]


def test_a_wall_clock_that_was_set_moves_nothing() -> None:
    assert due_times([HEADER, recorded(50.0, wall=1000.0), recorded(51.0, wall=9000.0)]) == [0, 1]


def test_two_sources_that_came_out_of_order_add_no_delay() -> None:
    assert due_times([HEADER, recorded(50.0), recorded(51.0), recorded(50.5), recorded(52.0)]) == [0, 1, 1, 2]


def test_between_two_starts_of_the_sidecar_the_wall_clock_counts() -> None:
    again = RecordingHeader("gpu7", "b2", 1.0)
    found = [HEADER, recorded(50.0, wall=1000.0), again, recorded(3.0, wall=1060.0), recorded(4.0, wall=1061.0)]
    assert due_times(found) == [0, 60, 61]


def test_a_wall_clock_that_went_back_between_two_starts_costs_no_time() -> None:
    found = [HEADER, recorded(50.0, wall=1000.0), RecordingHeader("gpu7", "b2", 1.0), recorded(3.0, wall=900.0)]
    assert due_times(found) == [0, 0]


def test_a_header_of_the_same_start_changes_no_spacing() -> None:
    assert due_times([HEADER, recorded(50.0), HEADER, recorded(51.0)]) == [0, 1]


@pytest.mark.parametrize(
    ("sources", "period_s"),
    [([], 1.0), ([{"period_s": 0.1}], 0.1), ([{"period_s": 2}, {"period_s": 1.0}], 2.0), ([{"period_s": "x"}], 1.0)],
)
def test_the_period_is_the_longest_of_its_sources(sources: list[dict[str, Any]], period_s: float) -> None:
    assert period_of([RecordingHeader("h", "b", 1.0, (), tuple(sources))]) == period_s


@pytest.mark.parametrize("number", ["1" + "0" * 400, "NaN", "Infinity", "true"])
def test_a_number_that_fits_no_clock_and_no_value_is_none(number: str) -> None:
    assert list(read_lines([f'{{"t": {number}, "mono": 1.0, "kind": "gpu", "sm_pct": 1}}'])) == []
    assert period_of([RecordingHeader("h", "b", 1.0, (), ({"period_s": json.loads(number)},))]) == 1.0
    (found,) = read_lines([f'{{"t": 1.0, "mono": 1.0, "kind": "gpu", "sm_pct": {number}}}'])
    assert isinstance(found, RecordedSample) and found.sample.values == {"sm_pct": None}
