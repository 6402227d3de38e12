"""The doctor's table, on made-up machines."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_calibration import FOUND, GOOD_MACHINE, machine

from stt_load.calibration.checks import (
    DEMO_EXTRA,
    INSTALLATION_CHECKS,
    MACHINE_CHECKS,
    REPORT_EXTRA,
    Check,
    Installation,
    Status,
    check_all,
)
from stt_load.calibration.installation_probe import PACKAGES

COMPLETE = Installation(
    packages=dict.fromkeys(PACKAGES, "1.0"),
    nvidia_smi="1 GPU, GPU 0: H100",
    nvidia_smi_fails=None,
    authorities=140,
    unwritable=None,
    results="results",
    calibration=FOUND,
)


def without(*packages: str) -> dict[str, str | None]:
    return {**COMPLETE.packages, **dict.fromkeys(packages)}


def the_only_finding(checks: list[Check]) -> Check:
    (check,) = [check for check in checks if check.status is not Status.OK]
    return check


def test_a_good_machine_with_everything_is_all_right() -> None:
    checks = check_all(GOOD_MACHINE, COMPLETE)
    assert {check.status for check in checks} == {Status.OK}
    assert len({check.name for check in checks}) == len(MACHINE_CHECKS) + len(INSTALLATION_CHECKS)
    assert all(check.found and not check.cost and not check.command for check in checks)


@pytest.mark.parametrize(
    ("has", "name", "cost", "command"),
    [
        ({"usable_cores": 1}, "cores", "late", "taskset"),
        ({"container_cpu_limit": 1.5}, "container CPU limit", "frames go out late", "--cpus"),
        ({"governors": ("performance", "powersave")}, "CPU governor", "cores slow down", "cpupower"),
        ({"clock_source": "hpet"}, "clock source", "system call", "tsc"),
        ({"stolen_pct": 4.0}, "stolen CPU", "to others", "dedicated cores"),
        ({"has_kernel_stamps": False}, "kernel receive stamps", "latencies include", "gVisor"),
        ({"descriptors": (1_024, 4_096)}, "file descriptors", "more than 924 callers", "limits.conf"),
        ({"ports": (50_000, 60_000)}, "ephemeral ports", "more than 10,001 callers", "ip_local_port_range"),
        ({"reuses_time_wait": 2}, "TIME_WAIT", "471 new connections per second", "tcp_tw_reuse"),
        ({"time_waits": 20_000}, "TIME_WAIT", "more than half", "wait a minute"),
        ({"send_buffer_bytes": 16_384}, "socket buffers", "after 5 frames", "tcp_wmem"),
        ({"tcp_memory_bytes": 64 * 2**20}, "socket buffers", "4,096 callers", "tcp_mem"),
        ({"somaxconn": 128}, "listen queue", "more than 128", "somaxconn"),
    ],
)
def test_what_a_machine_lacks_has_its_cost_and_its_command(
    has: dict[str, Any], name: str, cost: str, command: str
) -> None:
    check = the_only_finding(check_all(machine(**has), COMPLETE))
    assert (check.name, check.status) == (name, Status.WARNING)
    assert cost in check.cost
    assert command in check.command


@pytest.mark.parametrize(
    ("has", "name", "status", "word"),
    [
        ({"packages": without("locust")}, "Locust", Status.PROBLEM, "pip install"),
        ({"unwritable": "Permission denied"}, "results folder", Status.PROBLEM, "--results"),
        ({"authorities": 0}, "TLS certificates", Status.WARNING, "ca-certificates"),
        ({"packages": without("pocketsphinx")}, "demo extra", Status.WARNING, "stt-load[demo]"),
        ({"packages": without("uvicorn")}, "demo extra", Status.WARNING, "stt-load[demo]"),
        ({"packages": without("vl-convert-python")}, "report extra", Status.WARNING, "stt-load[report]"),
        ({"nvidia_smi": None, "nvidia_smi_fails": "no driver"}, "nvidia-smi", Status.WARNING, "driver"),
        ({"calibration": None}, "calibration", Status.WARNING, "stt-load calibrate"),
    ],
)
def test_what_is_not_installed_has_its_command(has: dict[str, Any], name: str, status: Status, word: str) -> None:
    check = the_only_finding(check_all(GOOD_MACHINE, replace(COMPLETE, **has)))
    assert (check.name, check.status) == (name, status)
    assert check.cost and word in check.command


def test_a_machine_without_a_gpu_is_all_right_for_a_load_worker() -> None:
    checks = check_all(GOOD_MACHINE, replace(COMPLETE, nvidia_smi=None))
    assert {check.status for check in checks} == {Status.OK}


def test_what_the_kernel_does_not_tell_is_no_trouble() -> None:
    untold = dict.fromkeys(
        ("ports", "time_waits", "reuses_time_wait", "clock_source", "stolen_pct", "tcp_memory_bytes", "somaxconn")
    )
    checks = check_all(machine(**untold, governors=()), COMPLETE)
    assert {check.status for check in checks} == {Status.OK}


@pytest.mark.parametrize(("package", "needs_clips"), [("espeakng-loader", True), ("uvicorn", False)])
def test_only_without_espeak_a_run_needs_clips(package: str, needs_clips: bool) -> None:
    found = the_only_finding(check_all(GOOD_MACHINE, replace(COMPLETE, packages=without(package))))
    assert ("--clips" in found.cost) is needs_clips


@pytest.mark.parametrize(("extra", "packages"), [("demo", DEMO_EXTRA), ("report", REPORT_EXTRA)])
def test_every_package_of_an_extra_is_looked_for(extra: str, packages: tuple[str, ...]) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {line.partition(">")[0] for line in project["optional-dependencies"][extra]} == set(packages)
