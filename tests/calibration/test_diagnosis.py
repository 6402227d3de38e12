"""What made a trial fail, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from made_calibration import busy, machine, trial

from stt_load.calibration.diagnosis import diagnose

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
def test_a_failed_trial_has_a_cause_and_something_to_do(
    seen: dict[str, Any], has: dict[str, Any], name: str, command: str
) -> None:
    limit = diagnose(trial(**seen), machine(**has))
    assert name in limit.name
    assert command in limit.command
    assert limit.detail
