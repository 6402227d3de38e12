"""What can limit the number of callers, how to raise each limit, and the limits that are known before any trial:
file descriptors and ports run out at a known number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stt_load.calibration.machine import Machine, Ports, count_ports
from stt_load.net.own_faults import MORE_DESCRIPTORS, MORE_PORTS, REUSED_PORTS, TIME_WAIT_S

_LOCUST_DESCRIPTORS = 10_000  # Locust raises a lower soft limit to this where the hard one allows it
_OTHER_DESCRIPTORS = 100  # of a process besides its callers' sockets
_SPARE_DESCRIPTORS = 20  # of a process that writes its report besides

DESCRIPTORS = "file descriptors"  # the name of a limit that each process has for itself
LONGER_QUEUE = "sudo sysctl -w net.core.somaxconn=4096"
MORE_CPU = "raise the limit (docker run --cpus, cpus in a compose file, limits.cpu of a pod)"
MORE_TCP_MEMORY = 'sudo sysctl -w net.ipv4.tcp_mem="262144 524288 1048576"'


@dataclass(frozen=True, slots=True)
class Limit:
    """What limits the number of callers. `name` is a word or two, `detail` what was seen, `command` how to raise it."""

    name: str
    detail: str
    command: str


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most callers that can be tried, and the limit that says so."""

    callers: int
    limit: Limit


def ceilings(machine: Machine, most: int | None, utterance_s: float, is_loopback: bool) -> list[Ceiling]:
    """All known ceilings, the lowest first.

    `most` is what the user asked for. `utterance_s` is the time from dial to dial of one caller: each of its ports
    stays taken for a minute after its connection, unless the kernel reuses it.
    """
    found = [_descriptors(machine)]
    if machine.ports is not None:
        found.append(_ports(machine, utterance_s, is_loopback))
    if most is not None:
        found.append(Ceiling(most, Limit("--max", "the most that you allow", "give a higher --max")))
    return sorted(found, key=lambda ceiling: ceiling.callers)


def shortages(
    machine: Machine, callers: int, processes: int, utterance_s: float | None, is_loopback: bool, in_use: int
) -> list[str]:
    """One line for each limit of this machine that so many callers in so many processes would run into.

    `utterance_s`: the least time from dial to dial of one caller; None where only the server decides. `in_use`: file
    descriptors that a process has open without any caller.
    """
    lines = []
    needed, allowed = in_use + _SPARE_DESCRIPTORS + math.ceil(callers / processes), machine.descriptors[0]
    if needed > allowed:
        lines.append(
            f"{callers:,} callers in {processes} load process{'es' if processes > 1 else ''} need {needed:,} file "
            f"descriptors each, and {allowed:,} are allowed: some callers won't get in: {MORE_DESCRIPTORS}"
        )
    if machine.ports is None:
        return lines
    dials_per_min = 60 * callers / utterance_s if utterance_s else 0.0
    waiting = 0 if reuses_ports(machine, is_loopback) else math.ceil(dials_per_min * TIME_WAIT_S / 60)
    needed, n_ports = callers + waiting, count_ports(machine.ports)
    if needed > n_ports:
        churn = f" and dial {dials_per_min:,.0f} times a minute, each port being taken for {TIME_WAIT_S} s more"
        lines.append(
            f"{callers:,} callers take a port each{churn if waiting else ''}: {needed:,}, and this machine has "
            f"{n_ports:,} for one server ({machine.ports[0]} to {machine.ports[1]}, net.ipv4.ip_local_port_range): "
            f"some callers won't get in: {MORE_PORTS}{f'; {REUSED_PORTS}' if waiting else ''}"
        )
    return lines


def run_descriptors(machine: Machine) -> int:
    """How many file descriptors one process of a run may have, after Locust has raised the soft limit."""
    soft, hard = machine.descriptors
    return max(soft, _LOCUST_DESCRIPTORS) if hard >= _LOCUST_DESCRIPTORS else soft


def reuses_ports(machine: Machine | Ports, is_loopback: bool) -> bool:
    """True if the kernel lets a new connection use a port that is still in TIME_WAIT."""
    return machine.reuses_time_wait == 1 or (machine.reuses_time_wait == 2 and is_loopback)


def _descriptors(machine: Machine) -> Ceiling:
    n = run_descriptors(machine)
    detail = f"a process may have {n:,} file descriptors, one for each caller"
    return Ceiling(max(1, n - _OTHER_DESCRIPTORS), Limit(DESCRIPTORS, detail, MORE_DESCRIPTORS))


def _ports(machine: Machine, utterance_s: float, is_loopback: bool) -> Ceiling:
    assert machine.ports is not None
    n = count_ports(machine.ports)
    if reuses_ports(machine, is_loopback):
        return Ceiling(n, Limit("ports", f"{n:,} ephemeral ports for each address of the server", MORE_PORTS))
    callers = max(1, math.floor(n / (1 + TIME_WAIT_S / utterance_s)))
    detail = f"{n:,} ephemeral ports, each taken for {TIME_WAIT_S:.0f} s after its connection"
    return Ceiling(callers, Limit("ports", detail, f"{REUSED_PORTS}; {MORE_PORTS}"))
