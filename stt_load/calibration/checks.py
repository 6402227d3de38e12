"""What `stt-load doctor` looks at: each check says what was found, what it costs, and the command that lifts it.

`CHECKS` is the table. A problem makes runs impossible; a warning makes them smaller, dearer or less exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from stt_load.calibration.limits import (
    LONGER_QUEUE,
    MORE_CPU,
    MORE_DESCRIPTORS,
    MORE_PORTS,
    MORE_TCP_MEMORY,
    REUSED_PORTS,
    TIME_WAIT_S,
    descriptors_of_a_run,
    takes_ports_again,
)
from stt_load.calibration.machine import Machine, in_cores
from stt_load.calibration.result import Calibration

_ENOUGH_DESCRIPTORS = 10_000
_ENOUGH_PORTS = 28_000
_ENOUGH_QUEUE = 1_024
_FRAME_BYTES = 3_208  # 100 ms of 16 kHz PCM in its websocket frame
_SMALLEST_SEND_BUFFER_BYTES = 65_536
_SMALLEST_TCP_MEMORY_BYTES = 256 * 2**20
_TCP_BYTES_PER_CALLER = 16_384  # a few frames each way
_STOLEN_PCT = 1.0
_GOOD_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase", "tod")
"""Read without a system call."""


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """`cost` and `command` are empty where all is well."""

    name: str
    status: Status
    found: str
    cost: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is here besides the machine. `packages`: version by name, None where it is not there. `nvidia_smi`: its
    first line, None where there is none; `nvidia_smi_fails`: what it said instead."""

    packages: Mapping[str, str | None]
    nvidia_smi: str | None
    nvidia_smi_fails: str | None
    authorities: int  # certificates that TLS trusts
    unwritable: str | None  # why the results folder can't be written to
    results: str
    calibration: Calibration | None


def check_all(machine: Machine, installation: Installation) -> list[Check]:
    """In the order of the tables."""
    return [*(check(machine) for check in OF_MACHINE), *(check(installation) for check in OF_INSTALLATION)]


def _cores(machine: Machine) -> Check:
    found = f"{machine.usable_cores} of {machine.cores} usable, {machine.cpu_model}"
    if machine.usable_cores > 1:
        return Check("cores", Status.OK, found)
    cost = "the generator shares its core with everything else here: it will be late sooner"
    return Check("cores", Status.WARNING, found, cost, "another machine for the server, or more cores (nproc, taskset)")


def _container(machine: Machine) -> Check:
    limit = machine.container_cpu_limit
    if limit is None:
        return Check("container CPU limit", Status.OK, "none")
    found = in_cores(limit)
    if limit >= machine.usable_cores:
        return Check("container CPU limit", Status.OK, found)
    cost = "the kernel stops the generator for the rest of each 100 ms once they are used up: frames go out late"
    return Check("container CPU limit", Status.WARNING, found, cost, MORE_CPU)


def _descriptors(machine: Machine) -> Check:
    soft, hard = machine.descriptors
    n = descriptors_of_a_run(machine)
    found = f"{soft:,} (hard limit {hard:,})" if n == soft else f"{soft:,}, raised to {n:,} in a run"
    if n >= _ENOUGH_DESCRIPTORS:
        return Check("file descriptors", Status.OK, found)
    command = (
        MORE_DESCRIPTORS if hard >= _ENOUGH_DESCRIPTORS else f"nofile in /etc/security/limits.conf; {MORE_DESCRIPTORS}"
    )
    return Check(
        "file descriptors", Status.WARNING, found, f"callers beyond {n - 100:,} a process can't connect", command
    )


def _ports(machine: Machine) -> Check:
    if machine.ports is None:
        return Check("ephemeral ports", Status.OK, "not told")
    n = machine.ports[1] - machine.ports[0] + 1
    found = f"{n:,} ({machine.ports[0]} to {machine.ports[1]})"
    if n >= _ENOUGH_PORTS:
        return Check("ephemeral ports", Status.OK, found)
    return Check(
        "ephemeral ports", Status.WARNING, found, f"callers beyond {n:,} to one server can't connect", MORE_PORTS
    )


def _time_wait(machine: Machine) -> Check:
    if machine.time_waits is None or machine.ports is None:
        return Check("TIME_WAIT", Status.OK, "not told")
    n = machine.ports[1] - machine.ports[0] + 1
    found = f"{machine.time_waits:,} ports wait, tcp_tw_reuse {machine.reuses_time_wait}"
    if machine.time_waits < n // 2 and takes_ports_again(machine, is_loopback=False):
        return Check("TIME_WAIT", Status.OK, found)
    if machine.time_waits < n // 2:
        cost = f"to one server elsewhere no more than {n / TIME_WAIT_S:,.0f} new connections a second for long"
        return Check("TIME_WAIT", Status.WARNING, found, cost, REUSED_PORTS)
    cost = "more than half of the ports are taken by connections that have ended"
    return Check("TIME_WAIT", Status.WARNING, found, cost, f"wait a minute; {REUSED_PORTS}")


def _governor(machine: Machine) -> Check:
    if not machine.governors:
        return Check("CPU governor", Status.OK, "none: the clock is fixed, or the host's business")
    found = ", ".join(machine.governors)
    if set(machine.governors) <= {"performance"}:
        return Check("CPU governor", Status.OK, found)
    cost = "cores clock down between frames: more CPU a caller, and figures that differ from run to run"
    return Check("CPU governor", Status.WARNING, found, cost, "sudo cpupower frequency-set -g performance")


def _clock_source(machine: Machine) -> Check:
    source = machine.clock_source
    if source is None or source in _GOOD_CLOCKS:
        return Check("clock source", Status.OK, source or "not told")
    cost = "each look at the clock is a system call: more CPU a frame, and coarser stamps"
    return Check("clock source", Status.WARNING, source, cost, "boot with clocksource=tsc, if the processor allows it")


def _stolen(machine: Machine) -> Check:
    if machine.stolen_pct is None:
        return Check("stolen CPU", Status.OK, "not told")
    found = f"{machine.stolen_pct:.2f} % since boot"
    if machine.stolen_pct < _STOLEN_PCT:
        return Check("stolen CPU", Status.OK, found)
    cost = "the host gives this machine's CPU to others: frames go out late by no fault of ours"
    return Check("stolen CPU", Status.WARNING, found, cost, "a machine whose cores are its own")


def _kernel_stamps(machine: Machine) -> Check:
    if machine.has_kernel_stamps:
        return Check("kernel receive stamps", Status.OK, "come with bytes over TCP")
    cost = "arrivals count from when bytes are read: latencies grow by what the generator is late itself"
    return Check(
        "kernel receive stamps", Status.WARNING, "do not come over TCP", cost, "run on Linux, outside of gVisor"
    )


def _buffers(machine: Machine) -> Check:
    send, memory = machine.send_buffer_bytes, machine.tcp_memory_bytes
    if send is None or memory is None:
        return Check("socket buffers", Status.OK, "not told")
    found = f"{send // 1024:,} KiB to send with, {memory // 2**20:,} MiB for all sockets together"
    if send < _SMALLEST_SEND_BUFFER_BYTES:
        cost = f"a server that reads late blocks a caller after {send // _FRAME_BYTES} frames"
        return Check(
            "socket buffers", Status.WARNING, found, cost, 'sudo sysctl -w net.ipv4.tcp_wmem="4096 65536 4194304"'
        )
    if memory < _SMALLEST_TCP_MEMORY_BYTES:
        cost = f"beyond about {memory // _TCP_BYTES_PER_CALLER:,} callers the kernel shrinks everybody's buffers"
        return Check("socket buffers", Status.WARNING, found, cost, MORE_TCP_MEMORY)
    return Check("socket buffers", Status.OK, found)


def _queue(machine: Machine) -> Check:
    n = machine.somaxconn
    if n is None or n >= _ENOUGH_QUEUE:
        return Check("listen queue", Status.OK, "not told" if n is None else f"somaxconn {n:,}")
    cost = f"of callers who dial together, a server on this machine drops those beyond {n:,} for a second"
    return Check("listen queue", Status.WARNING, f"somaxconn {n:,}", cost, LONGER_QUEUE)


def _locust(installation: Installation) -> Check:
    missing = [name for name in ("locust", "gevent") if installation.packages[name] is None]
    if not missing:
        found = ", ".join(f"{name} {installation.packages[name]}" for name in ("locust", "gevent"))
        return Check("Locust", Status.OK, found)
    cost = "no run can start"
    return Check("Locust", Status.PROBLEM, f"{', '.join(missing)} not installed", cost, "pip install stt-load")


def _results(installation: Installation) -> Check:
    if installation.unwritable is None:
        return Check("results folder", Status.OK, f"{installation.results} can be written to")
    found, cost = f"{installation.results}: {installation.unwritable}", "no run can start"
    return Check("results folder", Status.PROBLEM, found, cost, "--results with a folder that you may write to")


def _demo(installation: Installation) -> Check:
    cost = "no `stt-load demo`, and no clips without --clips or --tts-url"
    return _extra(installation, "demo extra", ("espeakng-loader", "pocketsphinx"), cost, "demo")


def _charts(installation: Installation) -> Check:
    cost = "report.html has no charts"
    return _extra(installation, "report extra", ("altair", "vl-convert-python"), cost, "report")


def _extra(installation: Installation, name: str, packages: tuple[str, ...], cost: str, extra: str) -> Check:
    missing = [package for package in packages if installation.packages[package] is None]
    if not missing:
        return Check(name, Status.OK, ", ".join(f"{package} {installation.packages[package]}" for package in packages))
    return Check(name, Status.WARNING, f"{', '.join(missing)} not installed", cost, f"pip install 'stt-load[{extra}]'")


def _certificates(installation: Installation) -> Check:
    n = installation.authorities
    if n:
        return Check("TLS certificates", Status.OK, f"{n:,} authorities")
    cost = "no wss:// or https:// server can be verified"
    return Check("TLS certificates", Status.WARNING, "no authority", cost, "apt install ca-certificates")


def _gpu(installation: Installation) -> Check:
    if installation.nvidia_smi_fails is not None:
        cost = "a local sidecar samples no GPU"
        return Check("nvidia-smi", Status.WARNING, installation.nvidia_smi_fails, cost, "install or reload the driver")
    return Check("nvidia-smi", Status.OK, installation.nvidia_smi or "not here: only the server's machine needs it")


def _calibration(installation: Installation) -> Check:
    found = installation.calibration
    if found is not None:
        text = f"{found.callers:,} callers a process, {found.made_at[:10]}"
        return Check("calibration", Status.OK, text)
    cost = "a run that asks for too much is not warned"
    return Check("calibration", Status.WARNING, "never", cost, "stt-load calibrate")


OF_MACHINE: tuple[Callable[[Machine], Check], ...] = (
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
OF_INSTALLATION: tuple[Callable[[Installation], Check], ...] = (
    _locust,
    _results,
    _certificates,
    _demo,
    _charts,
    _gpu,
    _calibration,
)
