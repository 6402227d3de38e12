"""The checks of `stt-load doctor`: each says what was found, what it means for a run, and how to fix it.

`MACHINE_CHECKS` and `INSTALLATION_CHECKS` are the tables. A problem makes runs impossible; a warning makes them
smaller, more expensive or less exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from stt_load.calibration.limits import (
    LONGER_QUEUE,
    MORE_CPU,
    MORE_TCP_MEMORY,
    reuses_ports,
    run_descriptors,
)
from stt_load.calibration.machine import Machine, count_ports, describe_cores
from stt_load.calibration.result import Calibration
from stt_load.extras import install_command
from stt_load.net.own_faults import MORE_DESCRIPTORS, MORE_PORTS, REUSED_PORTS, TIME_WAIT_S

# The packages of the extras in pyproject.toml.
DEMO_EXTRA = ("espeakng-loader", "pocketsphinx", "starlette", "uvicorn", "python-multipart")
REPORT_EXTRA = ("vl-convert-python",)

_ENOUGH_DESCRIPTORS = 10_000
_ENOUGH_PORTS = 28_000
_ENOUGH_QUEUE = 1_024
_FRAME_BYTES = 3_208  # 100 ms of 16 kHz PCM in its websocket frame
_SMALLEST_SEND_BUFFER_BYTES = 65_536
_SMALLEST_TCP_MEMORY_BYTES = 256 * 2**20
_TCP_BYTES_PER_CALLER = 16_384  # a few frames each way
_STOLEN_LIMIT_PCT = 1.0
_GOOD_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase", "tod")
"""Clock sources that are read without a system call."""


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `cost` says what the finding means for a run, `command` how to fix it; both are empty if
    all is well."""

    name: str
    status: Status
    found: str
    cost: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is installed on the machine.

    `packages`: the version of each package, None if it is missing. `nvidia_smi`: its GPUs in one line, None if it is
    missing or fails; `nvidia_smi_fails` says why it failed.
    """

    packages: Mapping[str, str | None]
    nvidia_smi: str | None
    nvidia_smi_fails: str | None
    authorities: int  # certificate authorities that TLS trusts
    unwritable: str | None  # why the results folder can't be written to
    results: str
    calibration: Calibration | None


def check_all(machine: Machine, installation: Installation) -> list[Check]:
    """Runs every check, in the order of the tables."""
    return [*(check(machine) for check in MACHINE_CHECKS), *(check(installation) for check in INSTALLATION_CHECKS)]


def _cores(machine: Machine) -> Check:
    found = f"{machine.usable_cores} of {machine.cores} usable, {machine.cpu_model}"
    if machine.usable_cores > 1:
        return Check("cores", Status.OK, found)
    cost = "the load generator shares its only core with everything else, so frames go out late sooner"
    return Check(
        "cores",
        Status.WARNING,
        found,
        cost,
        "run the server on another machine, or give this one more cores (see nproc, taskset)",
    )


def _container(machine: Machine) -> Check:
    limit = machine.container_cpu_limit
    if limit is None:
        return Check("container CPU limit", Status.OK, "none")
    found = describe_cores(limit)
    if limit >= machine.usable_cores:
        return Check("container CPU limit", Status.OK, found)
    cost = "once its share of each 100 ms is used up, the kernel pauses the load generator: frames go out late"
    return Check("container CPU limit", Status.WARNING, found, cost, MORE_CPU)


def _descriptors(machine: Machine) -> Check:
    soft, hard = machine.descriptors
    n = run_descriptors(machine)
    found = f"{soft:,} (hard limit {hard:,})" if n == soft else f"{soft:,}; a run raises it to {n:,}"
    if n >= _ENOUGH_DESCRIPTORS:
        return Check("file descriptors", Status.OK, found)
    command = (
        MORE_DESCRIPTORS if hard >= _ENOUGH_DESCRIPTORS else f"nofile in /etc/security/limits.conf; {MORE_DESCRIPTORS}"
    )
    return Check(
        "file descriptors", Status.WARNING, found, f"a process can't connect more than {n - 100:,} callers", command
    )


def _ports(machine: Machine) -> Check:
    if machine.ports is None:
        return Check("ephemeral ports", Status.OK, "not known on this system")
    n = count_ports(machine.ports)
    found = f"{n:,} ({machine.ports[0]} to {machine.ports[1]})"
    if n >= _ENOUGH_PORTS:
        return Check("ephemeral ports", Status.OK, found)
    return Check(
        "ephemeral ports", Status.WARNING, found, f"no more than {n:,} callers can connect to one server", MORE_PORTS
    )


def _time_wait(machine: Machine) -> Check:
    if machine.time_waits is None or machine.ports is None:
        return Check("TIME_WAIT", Status.OK, "not known on this system")
    n = count_ports(machine.ports)
    found = f"{machine.time_waits:,} ports in TIME_WAIT, tcp_tw_reuse is {machine.reuses_time_wait}"
    if machine.time_waits < n // 2 and reuses_ports(machine, is_loopback=False):
        return Check("TIME_WAIT", Status.OK, found)
    if machine.time_waits < n // 2:
        cost = f"at most {n / TIME_WAIT_S:,.0f} new connections per second to one remote server can be kept up"
        return Check("TIME_WAIT", Status.WARNING, found, cost, REUSED_PORTS)
    cost = "more than half of the ports are taken by connections that have ended"
    return Check("TIME_WAIT", Status.WARNING, found, cost, f"wait a minute; {REUSED_PORTS}")


def _governor(machine: Machine) -> Check:
    if not machine.governors:
        return Check("CPU governor", Status.OK, "none: the clock is fixed or set by the host")
    found = ", ".join(machine.governors)
    if set(machine.governors) <= {"performance"}:
        return Check("CPU governor", Status.OK, found)
    cost = "cores slow down between frames: callers cost more CPU, and figures differ from run to run"
    return Check("CPU governor", Status.WARNING, found, cost, "sudo cpupower frequency-set -g performance")


def _clock_source(machine: Machine) -> Check:
    source = machine.clock_source
    if source is None or source in _GOOD_CLOCKS:
        return Check("clock source", Status.OK, source or "not known on this system")
    cost = "reading the clock takes a system call: frames cost more CPU, and timestamps are less exact"
    return Check("clock source", Status.WARNING, source, cost, "boot with clocksource=tsc, if the processor allows it")


def _stolen(machine: Machine) -> Check:
    if machine.stolen_pct is None:
        return Check("stolen CPU", Status.OK, "not known on this system")
    found = f"{machine.stolen_pct:.2f} % since boot"
    if machine.stolen_pct < _STOLEN_LIMIT_PCT:
        return Check("stolen CPU", Status.OK, found)
    cost = "the host gives this machine's CPU time to others, which makes frames late"
    return Check("stolen CPU", Status.WARNING, found, cost, "use a machine with dedicated cores")


def _kernel_stamps(machine: Machine) -> Check:
    if machine.has_kernel_stamps:
        return Check("kernel receive stamps", Status.OK, "available for TCP")
    cost = "arrivals are timed when bytes are read, so latencies include the load generator's own delay"
    return Check(
        "kernel receive stamps", Status.WARNING, "not available for TCP", cost, "run on Linux, and not inside gVisor"
    )


def _buffers(machine: Machine) -> Check:
    send, memory = machine.send_buffer_bytes, machine.tcp_memory_bytes
    if send is None or memory is None:
        return Check("socket buffers", Status.OK, "not known on this system")
    found = f"up to {send // 1024:,} KiB to send per socket, {memory // 2**20:,} MiB for all sockets"
    if send < _SMALLEST_SEND_BUFFER_BYTES:
        cost = f"a server that reads slowly blocks a caller after {send // _FRAME_BYTES} frames"
        return Check(
            "socket buffers", Status.WARNING, found, cost, 'sudo sysctl -w net.ipv4.tcp_wmem="4096 65536 4194304"'
        )
    if memory < _SMALLEST_TCP_MEMORY_BYTES:
        cost = f"with more than about {memory // _TCP_BYTES_PER_CALLER:,} callers the kernel shrinks all buffers"
        return Check("socket buffers", Status.WARNING, found, cost, MORE_TCP_MEMORY)
    return Check("socket buffers", Status.OK, found)


def _queue(machine: Machine) -> Check:
    n = machine.somaxconn
    if n is None or n >= _ENOUGH_QUEUE:
        return Check("listen queue", Status.OK, "not known on this system" if n is None else f"somaxconn {n:,}")
    cost = f"if more than {n:,} callers dial at once, a server on this machine makes the rest wait for a second"
    return Check("listen queue", Status.WARNING, f"somaxconn {n:,}", cost, LONGER_QUEUE)


def _locust(installation: Installation) -> Check:
    missing = [name for name in ("locust", "gevent") if installation.packages[name] is None]
    if not missing:
        found = ", ".join(f"{name} {installation.packages[name]}" for name in ("locust", "gevent"))
        return Check("Locust", Status.OK, found)
    cost = "no run can start"
    return Check("Locust", Status.PROBLEM, f"{', '.join(missing)} not installed", cost, install_command())


def _results(installation: Installation) -> Check:
    if installation.unwritable is None:
        return Check("results folder", Status.OK, f"{installation.results} is writable")
    found, cost = f"{installation.results}: {installation.unwritable}", "no run can start"
    return Check("results folder", Status.PROBLEM, found, cost, "give --results a folder that you can write to")


def _demo(installation: Installation) -> Check:
    cost = "`stt-load demo` and `stt-load serve` are not available"
    if installation.packages["espeakng-loader"] is None:
        cost += ", and runs need --clips or --tts-url"
    return _extra(installation, "demo extra", DEMO_EXTRA, cost, "demo")


def _charts(installation: Installation) -> Check:
    cost = "`stt-load report FOLDER --png` is not available"
    return _extra(installation, "report extra", REPORT_EXTRA, cost, "report")


def _extra(installation: Installation, name: str, packages: tuple[str, ...], cost: str, extra: str) -> Check:
    missing = [package for package in packages if installation.packages[package] is None]
    if not missing:
        return Check(name, Status.OK, ", ".join(f"{package} {installation.packages[package]}" for package in packages))
    return Check(name, Status.WARNING, f"{', '.join(missing)} not installed", cost, install_command(extra))


def _certificates(installation: Installation) -> Check:
    n = installation.authorities
    if n:
        return Check("TLS certificates", Status.OK, f"{n:,} certificate authorities trusted")
    cost = "connections to wss:// and https:// servers fail"
    return Check(
        "TLS certificates", Status.WARNING, "no certificate authority is trusted", cost, "apt install ca-certificates"
    )


def _gpu(installation: Installation) -> Check:
    if installation.nvidia_smi_fails is not None:
        cost = "a sidecar on this machine can't sample GPUs"
        return Check(
            "nvidia-smi", Status.WARNING, installation.nvidia_smi_fails, cost, "install or reload the NVIDIA driver"
        )
    return Check(
        "nvidia-smi", Status.OK, installation.nvidia_smi or "not installed; only the server's machine needs it"
    )


def _calibration(installation: Installation) -> Check:
    found = installation.calibration
    if found is not None:
        text = f"{found.callers:,} callers per process (measured on {found.made_at[:10]})"
        return Check("calibration", Status.OK, text)
    cost = "you are not warned if a run asks for too many callers"
    return Check("calibration", Status.WARNING, "not done yet", cost, "stt-load calibrate")


MACHINE_CHECKS: tuple[Callable[[Machine], Check], ...] = (
    _cores,
    _container,
    _governor,
    _clock_source,
    _stolen,
    _kernel_stamps,
    _descriptors,
    _ports,
    _time_wait,
    _buffers,
    _queue,
)
INSTALLATION_CHECKS: tuple[Callable[[Installation], Check], ...] = (
    _locust,
    _results,
    _certificates,
    _demo,
    _charts,
    _gpu,
    _calibration,
)
