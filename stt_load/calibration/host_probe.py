"""Probes this machine: reads the kernel's files and tries out a socket.

Sources: Linux, proc(5), Documentation/networking/ip-sysctl.rst, Documentation/admin-guide/cgroup-v1 and cgroup-v2,
Documentation/admin-guide/pm/cpufreq.rst. What a machine doesn't say is None.
"""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from stt_load.calibration.kernel_text import (
    QuotaCounts,
    cgroup_folders,
    cpu_quota,
    model_name,
    quota_counts,
    stolen_pct,
    tcp_counters,
    time_waits,
    whole_numbers,
)
from stt_load.calibration.machine import Machine, Ports, whole_cores
from stt_load.net.receive_stamps import kernel_stamps

ROOT = Path("/")

_CPUCLOCK_SCHED = 2  # linux/posix-timers.h: CPU time as the scheduler counts it, for a whole process


def probe_machine(root: Path = ROOT) -> Machine:
    """Reads everything that limits how many callers this machine can simulate. `root`: the folder of /proc and /sys."""
    tcp_memory, send_buffer = _numbers(root, "proc/sys/net/ipv4/tcp_mem"), _numbers(root, "proc/sys/net/ipv4/tcp_wmem")
    return Machine(
        **describe_host(root),
        usable_cores=_usable_cores(),
        descriptors=_descriptors(),
        **asdict(probe_ports(root)),
        governors=_governors(root),
        clock_source=_read(root, "sys/devices/system/clocksource/clocksource0/current_clocksource").strip() or None,
        stolen_pct=stolen_pct(_read(root, "proc/stat")),
        has_kernel_stamps=kernel_stamps(),
        tcp_memory_bytes=tcp_memory[1] * os.sysconf("SC_PAGE_SIZE") if len(tcp_memory) == 3 else None,
        send_buffer_bytes=send_buffer[2] if len(send_buffer) == 3 else None,
        somaxconn=_number(root, "proc/sys/net/core/somaxconn"),
    )


def probe_ports(root: Path = ROOT) -> Ports:
    """Reads which ports this machine's connections get, and how many of them are taken by ended ones."""
    ports = _numbers(root, "proc/sys/net/ipv4/ip_local_port_range")
    return Ports(
        ports=(ports[0], ports[1]) if len(ports) == 2 else None,
        time_waits=time_waits(_read(root, "proc/net/sockstat")),
        reuses_time_wait=_number(root, "proc/sys/net/ipv4/tcp_tw_reuse"),
    )


def count_whole_cores(root: Path = ROOT) -> int:
    """How many processes of this machine can be busy at the same time, by processor affinity and container limit."""
    return whole_cores(_usable_cores(), container_cpu_limit(root))


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def process_cpu_s(pid: int) -> float:
    """The user and system time of a process so far, ended threads included, its children not.

    It is the CPU clock that clock_getcpuclockid(3) names, in nanoseconds: /proc/PID/stat, which psutil reads, counts in
    hundredths of a second, and a caller may cost less in a whole hold.

    Raises OSError or psutil.Error if the process is gone.
    """
    if sys.platform == "linux":
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def describe_host(root: Path = ROOT) -> dict[str, Any]:
    """The host entry of run.json and of a calibration. `container_cpu_limit` is in cores, None if there is no limit."""
    return {
        "host": socket.gethostname(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu_model": _cpu_model(root),
        "cores": os.cpu_count() or 1,
        "container_cpu_limit": container_cpu_limit(root),
    }


def _cpu_model(root: Path) -> str:
    return model_name(_read(root, "proc/cpuinfo")) or platform.processor() or platform.machine()


def container_cpu_limit(root: Path = ROOT) -> float | None:
    """The tightest CPU limit of this process's control group and its parents, in cores; None if there is no limit."""
    tightest = _tightest_limit(root)
    return None if tightest is None else tightest[0]


def read_quota_counts(root: Path = ROOT) -> QuotaCounts | None:
    """How often that limit held this process's control group back; None if there is no limit."""
    tightest = _tightest_limit(root)
    return None if tightest is None else quota_counts(_read(root, f"{tightest[1]}/cpu.stat"))


def _tightest_limit(root: Path) -> tuple[float, str] | None:
    """The limit in cores, and the folder of its control group."""
    limits = []
    for folder in cgroup_folders(_read(root, "proc/self/cgroup")):
        v1 = f"{_read(root, f'{folder}/cpu.cfs_quota_us')} {_read(root, f'{folder}/cpu.cfs_period_us')}"
        limits += [(cpu_quota(_read(root, f"{folder}/cpu.max")), folder), (cpu_quota(v1), folder)]
    return min(((cores, folder) for cores, folder in limits if cores is not None), default=None)


def read_tcp_counters(root: Path = ROOT) -> dict[str, int]:
    """How often since boot the kernel ran out of TCP buffers or queues, by counter; empty if it doesn't say."""
    return tcp_counters(_read(root, "proc/net/netstat"))


def _descriptors() -> tuple[int, int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (sys.maxsize if soft < 0 else soft, sys.maxsize if hard < 0 else hard)


def _governors(root: Path) -> tuple[str, ...]:
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return tuple(sorted({file.read_text(encoding="ascii").strip() for file in files}))


def _numbers(root: Path, name: str) -> tuple[int, ...]:
    return whole_numbers(_read(root, name))


def _number(root: Path, name: str) -> int | None:
    return next(iter(_numbers(root, name)), None)


def _read(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
