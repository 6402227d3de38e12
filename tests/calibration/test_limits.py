"""Limits that are known before a trial."""

from __future__ import annotations

import pytest
from made_calibration import machine

from stt_load.calibration.limits import ceilings, run_descriptors

UTTERANCE_S = 6.0


@pytest.mark.parametrize(
    ("descriptors", "n"),
    [((1_024, 1_048_576), 10_000), ((1_024, 4_096), 1_024), ((65_536, 65_536), 65_536), ((2_000, 10_000), 10_000)],
)
def test_locust_raises_a_low_limit_where_it_may(descriptors: tuple[int, int], n: int) -> None:
    assert run_descriptors(machine(descriptors=descriptors)) == n


def test_the_lowest_ceiling_comes_first() -> None:
    found = ceilings(machine(descriptors=(4_096, 4_096)), 50_000, UTTERANCE_S, is_loopback=True)
    assert [(ceiling.callers, ceiling.limit.name) for ceiling in found] == [
        (3_996, "file descriptors"),
        (28_232, "ports"),
        (50_000, "--max"),
    ]
    assert found[0].limit.command.startswith("ulimit -n")


def test_what_was_asked_for_may_be_the_ceiling() -> None:
    assert ceilings(machine(), 20, UTTERANCE_S, is_loopback=True)[0].limit.name == "--max"


@pytest.mark.parametrize(
    ("reuses", "is_loopback", "callers"), [(1, False, 28_232), (2, True, 28_232), (2, False, 2_566), (0, True, 2_566)]
)
def test_ports_that_wait_a_minute_allow_fewer_callers(reuses: int, is_loopback: bool, callers: int) -> None:
    found = ceilings(machine(reuses_time_wait=reuses), None, UTTERANCE_S, is_loopback)
    (ports,) = (ceiling for ceiling in found if ceiling.limit.name == "ports")
    assert ports.callers == callers


def test_a_machine_that_does_not_tell_its_ports_has_no_ceiling_there() -> None:
    found = ceilings(machine(ports=None), None, UTTERANCE_S, is_loopback=True)
    assert [ceiling.limit.name for ceiling in found] == ["file descriptors"]
