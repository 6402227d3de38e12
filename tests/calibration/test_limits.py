"""Limits that are known before a trial, and the causes of failed trials."""

from __future__ import annotations

from typing import Any

import pytest
from made_calibration import busy, machine, trial

from stt_load.calibration.diagnosis import diagnose
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


LATE = {"frames_late": 8_000}


@pytest.mark.parametrize(
    ("seen", "has", "name", "command"),
    [
        (LATE | {"generator": busy(97.0)}, {}, "CPU", "--processes 7"),
        (LATE | {"generator": busy(97.0)}, {"cores": 1, "usable_cores": 1}, "CPU", "more cores"),
        (LATE | {"generator": busy(97.0), "sink_cpu_pct": 60.0}, {"container_cpu_limit": 1.5}, "container", "--cpus"),
        (LATE | {"generator": busy(97.0), "sink_cpu_pct": 60.0}, {"container_cpu_limit": 4.0}, "CPU", "--processes 3"),
        (LATE | {"generator": busy(70.0), "sink_cpu_pct": 99.0}, {}, "the sink", "--url"),
        (LATE | {"generator": busy(99.0), "sink_cpu_pct": 92.0}, {}, "CPU", "--processes"),
        (LATE | {"troubles": {"ListenDrops": 5, "PruneCalled": 0}}, {}, "kernel buffers", "somaxconn"),
        (LATE | {"stolen_pct": 8.0}, {}, "stolen CPU", "cores"),
        (LATE | {"generator": busy(76.0)}, {}, "CPU", "--processes"),
        (LATE | {"generator": busy(60.0), "others_cpu_pct": 120.0}, {"cores": 2}, "other work", "top"),
        (LATE | {"generator": busy(60.0), "others_cpu_pct": 120.0}, {"cores": 8}, "pauses", "top"),
        (LATE | {"generator": busy(90.0), "others_cpu_pct": 120.0}, {"cores": 2}, "CPU", "--processes"),
        (LATE | {"sink_cpu_pct": None}, {}, "pauses", "top"),
        ({"failed": 90, "errors": {"no TCP connection to h:1: Too many open files": 90}}, {}, "file desc", "ulimit"),
        ({"failed": 90, "errors": {"Cannot assign requested address": 90}}, {}, "ports", "ip_local_port_range"),
        ({"failed": 90, "errors": {"HTTP 503": 90}}, {}, "the server", "log"),
    ],
)
def test_a_broken_trial_has_a_reason_and_something_to_do(
    seen: dict[str, Any], has: dict[str, Any], name: str, command: str
) -> None:
    limit = diagnose(trial(**seen), machine(**has))
    assert name in limit.name
    assert command in limit.command
    assert limit.detail
