"""Limits that are known before a trial."""

from __future__ import annotations

import pytest
from made_calibration import machine

from stt_load.calibration.limits import ceilings, run_descriptors, shortages

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


@pytest.mark.parametrize(
    ("callers", "processes", "changes", "is_loopback", "said"),
    [
        (1_000, 1, {}, False, []),
        (1_000, 1, {"descriptors": (1_024, 1_024)}, False, ["1,060 file descriptors each, and 1,024 are allowed"]),
        (1_000, 2, {"descriptors": (1_024, 1_024)}, False, []),
        (30_000, 4, {}, True, ["30,000 callers take a port each: 30,000, and this machine has 28,232"]),
        (2_500, 1, {}, False, []),
        (3_000, 1, {}, False, ["and dial 30,000 times a minute, each port being taken for 60 s more: 33,000, and"]),
        (3_000, 1, {"reuses_time_wait": 1}, False, []),
        (100_000, 4, {"ports": None}, False, []),
    ],
)
def test_a_run_that_needs_more_than_this_machine_has_is_told_the_numbers(
    callers: int, processes: int, changes: dict[str, object], is_loopback: bool, said: list[str]
) -> None:
    found = shortages(
        machine(**{"descriptors": (100_000, 100_000), "reuses_time_wait": 2} | changes),
        callers,
        processes,
        UTTERANCE_S,
        is_loopback,
        in_use=40,
    )
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))


def test_how_often_requests_dial_only_the_server_decides() -> None:
    assert shortages(machine(descriptors=(100_000, 100_000)), 3_000, 1, None, is_loopback=False, in_use=40) == []
