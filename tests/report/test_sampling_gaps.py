"""Gaps of a hold: what the sidecars recorded, what only the samples tell, and how both are said."""

import math

import pytest

from stt_load.report.sampling_gaps import SampleStream, SamplingGap, gap_notes, within

HOLD = (100.0, 130.0)


def gap(began: float, ended: float, why: str = "", host: str = "h", samples: str = "GPU") -> SamplingGap:
    return SamplingGap(host, samples, (began, ended), why)


def stream(*times: float, boots: tuple[str, ...] = ()) -> SampleStream:
    return SampleStream("h", "GPU", [(t, boots[n] if boots else "one") for n, t in enumerate(times)], 1.5)


def notes(*gaps: SamplingGap, users: int = 20, name_hosts: bool = False) -> list[str]:
    return gap_notes({0: (users, HOLD, gaps)}, name_hosts=name_hosts)


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
    assert gap_notes({stage: (users, HOLD, [whole]) for stage, users in enumerate((5, 10))}, name_hosts=False) == [
        "GPU samples missing for the whole hold at 5, 10 callers"
    ]


def test_many_gaps_are_told_short() -> None:
    lines = notes(*(gap(100 + n, 100.5 + n) for n in range(25)))
    assert len(lines) == 11
    assert lines[-1] == "15 more gaps in the samples"
