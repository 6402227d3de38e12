"""Parses the text of the kernel's files. A text that lacks the figure (empty: there is no such file) gives None."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_STEAL = 7  # proc(5), /proc/stat: user nice system idle iowait irq softirq steal

TCP_TROUBLE_COUNTERS = (
    *("TCPMemoryPressures", "TCPAbortOnMemory", "PruneCalled", "RcvPruned"),
    *("ListenOverflows", "ListenDrops"),
)
"""Rows of TcpExt in /proc/net/netstat that say that buffers or a listener's queue were full."""


def whole_numbers(text: str) -> tuple[int, ...]:
    """All numbers in a text of whole numbers; an empty tuple if the text holds anything else."""
    parts = text.split()
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def cgroup_folders(own: str) -> Iterator[str]:
    """The folders that may hold a CPU limit of the process whose /proc/self/cgroup is `own`, from its own to the top.

    Version 2 has one tree (`0::/path`), version 1 one for each group of controllers (`4:cpu,cpuacct:/path`). In a
    container the path may be the host's and lead nowhere; the top folder is the container's own then.
    """
    for line in own.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        for top in ("sys/fs/cgroup", "sys/fs/cgroup/unified") if number == "0" else (f"sys/fs/cgroup/{controllers}",):
            parts = [part for part in path.split("/") if part not in ("", "..")]
            yield from ("/".join([top, *parts[:n]]) for n in range(len(parts), -1, -1))


def cpu_quota(text: str) -> float | None:
    """The limit in cores, from quota and period in microseconds: cgroup v2's cpu.max, or v1's two files joined.

    None for `max` and -1, which mean no limit.
    """
    parts = text.split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not int(parts[1]):
        return None
    return int(parts[0]) / int(parts[1])


@dataclass(frozen=True, slots=True)
class QuotaCounts:
    """What `cpu.stat` of a control group with a CPU limit counts since the group was made: periods in which the group
    ran, those of them in which it used up its quota and had to wait, and for how long its threads waited in all."""

    periods: int
    throttled: int
    throttled_s: float

    def since(self, before: QuotaCounts) -> QuotaCounts:
        return QuotaCounts(
            self.periods - before.periods,
            self.throttled - before.throttled,
            self.throttled_s - before.throttled_s,
        )


def quota_counts(stat: str) -> QuotaCounts | None:
    """The counts in a text of `cpu.stat`, of cgroup v2 (`throttled_usec`) or v1 (`throttled_time`, nanoseconds)."""
    pairs = (line.split() for line in stat.splitlines())
    found = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
    if not found.keys() >= {"nr_periods", "nr_throttled"}:
        return None
    waited_s = found.get("throttled_usec", 0) / 1e6 + found.get("throttled_time", 0) / 1e9
    return QuotaCounts(found["nr_periods"], found["nr_throttled"], waited_s)


def model_name(cpuinfo: str) -> str | None:
    """The processor's name in /proc/cpuinfo."""
    return next(
        (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), None
    )


def time_waits(sockstat: str) -> int | None:
    """The number of connections in TIME_WAIT, from /proc/net/sockstat: `TCP: inuse 1 orphan 0 tw 5 …`."""
    for line in sockstat.splitlines():
        words = line.split()
        if words[:1] == ["TCP:"] and "tw" in words[:-1]:
            return int(words[words.index("tw") + 1])
    return None


def stolen_pct(stat: str, before: str | None = None) -> float | None:
    """The share of CPU time that the hypervisor gave to other machines, in percent, from texts of /proc/stat.

    It covers the time between `before` and `stat`, or since boot without `before`. None if a text lacks the column.
    """
    spent, spent_before = _cpu_ticks(stat), (0,) * (_STEAL + 1) if before is None else _cpu_ticks(before)
    if not spent or not spent_before:
        return None
    ticks = [now - then for now, then in zip(spent, spent_before, strict=True)]
    return 100.0 * ticks[_STEAL] / sum(ticks) if sum(ticks) > 0 else 0.0


def _cpu_ticks(stat: str) -> tuple[int, ...]:
    """Clock ticks of all cores by kind, from user to steal; empty if the text has fewer columns."""
    ticks: tuple[int, ...] = whole_numbers(stat.partition("\n")[0].removeprefix("cpu "))[: _STEAL + 1]
    return ticks if len(ticks) > _STEAL else ()


def tcp_counters(netstat: str) -> dict[str, int]:
    """The TCP_TROUBLE_COUNTERS that this kernel has, by name. /proc/net/netstat is pairs of lines, names and values."""
    lines = [line.split() for line in netstat.splitlines() if line.startswith("TcpExt:")]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        return {}
    known = dict(zip(*lines, strict=True))
    return {name: int(known[name]) for name in TCP_TROUBLE_COUNTERS if name in known}
