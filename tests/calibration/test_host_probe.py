"""Probing machines: made-up ones in a folder, and this one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from made_calibration import machine

from stt_load.calibration.host_probe import (
    container_cpu_limit,
    describe_host,
    probe_machine,
    process_cpu_s,
    read_tcp_counters,
)

FILES = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Made-up 9000\n",
    "proc/self/cgroup": "0::/box\n",
    "proc/stat": "cpu  60 0 20 100 10 5 0 5 0 0\n",
    "proc/net/sockstat": "TCP: inuse 1 orphan 0 tw 77 alloc 1 mem 0\n",
    "proc/net/netstat": "TcpExt: PruneCalled ListenDrops\nTcpExt: 4 5\n",
    "proc/sys/net/ipv4/ip_local_port_range": "1024\t65535\n",
    "proc/sys/net/ipv4/tcp_tw_reuse": "2\n",
    "proc/sys/net/ipv4/tcp_mem": "100 200 300\n",
    "proc/sys/net/ipv4/tcp_wmem": "4096 16384 4194304\n",
    "proc/sys/net/core/somaxconn": "128\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/fs/cgroup/box/cpu.max": "max 100000\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
}


def made_root(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_machine_is_read_from_the_kernels_files(tmp_path: Path) -> None:
    seen = probe_machine(made_root(tmp_path, FILES))
    assert seen.cpu_model == "Made-up 9000"
    assert seen.container_cpu_limit == 1.5
    assert seen.whole_cores == 1
    assert seen.ports == (1024, 65535)
    assert (seen.time_waits, seen.reuses_time_wait, seen.somaxconn) == (77, 2, 128)
    assert seen.governors == ("performance", "powersave")
    assert seen.clock_source == "hpet"
    assert seen.stolen_pct == pytest.approx(2.5)
    assert seen.send_buffer_bytes == 4_194_304
    assert seen.tcp_memory_bytes is not None and seen.tcp_memory_bytes % 200 == 0
    assert read_tcp_counters(tmp_path) == {"PruneCalled": 4, "ListenDrops": 5}


def test_a_machine_that_tells_nothing_has_nothing(tmp_path: Path) -> None:
    seen = probe_machine(tmp_path)
    assert seen.container_cpu_limit is seen.ports is seen.time_waits is seen.clock_source is seen.stolen_pct is None
    assert seen.governors == ()
    assert read_tcp_counters(tmp_path) == {}


def test_the_first_version_of_control_groups_keeps_two_files(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/cpu,cpuacct"
    files = {"proc/self/cgroup": "4:cpu,cpuacct:/docker/f00\n", f"{group}/cpu.cfs_period_us": "100000\n"}
    made_root(tmp_path, {**files, f"{group}/cpu.cfs_quota_us": "250000\n"})
    assert container_cpu_limit(tmp_path) == 2.5
    made_root(tmp_path, {f"{group}/cpu.cfs_quota_us": "-1\n"})
    assert container_cpu_limit(tmp_path) is None


def test_this_machine_has_cores_ports_and_descriptors() -> None:
    seen = probe_machine()
    assert 1 <= seen.whole_cores <= seen.usable_cores <= seen.cores
    assert 0 < seen.descriptors[0] <= seen.descriptors[1]
    assert describe_host()["host"] == seen.host


@pytest.mark.parametrize(("limit", "usable", "whole"), [(None, 8, 8), (2.5, 8, 2), (0.5, 8, 1), (16.0, 8, 8)])
def test_whole_cores_are_those_that_can_be_busy_together(limit: float | None, usable: int, whole: int) -> None:
    assert machine(container_cpu_limit=limit, usable_cores=usable).whole_cores == whole


_BURNS = """
import sys, threading, time
def burn():
    while time.process_time() < 0.02: pass
thread = threading.Thread(target=burn)
thread.start()
thread.join()
print(time.process_time_ns(), flush=True)
sys.stdin.readline()
print(time.process_time_ns(), flush=True)
"""


def test_the_cpu_of_another_process_is_what_it_says_itself() -> None:
    before_s = time.process_time()
    assert before_s <= process_cpu_s(os.getpid()) <= time.process_time()
    with subprocess.Popen(
        [sys.executable, "-c", _BURNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        earlier_s = int(child.stdout.readline()) / 1e9
        used_s = process_cpu_s(child.pid)
        child.stdin.write("go on\n")
        child.stdin.flush()
        later_s = int(child.stdout.readline()) / 1e9
    assert 0.02 <= earlier_s <= used_s <= later_s  # 0.02: of a thread that has ended
    with pytest.raises((OSError, psutil.Error)):
        process_cpu_s(child.pid)
