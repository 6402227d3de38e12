"""What the kernel's files say, from their text. A text that doesn't say it (empty: no such file) gives None."""

from __future__ import annotations

from collections.abc import Iterator

_STEAL = 7  # proc(5), /proc/stat: user nice system idle iowait irq softirq steal

TROUBLES = ("TCPMemoryPressures", "TCPAbortOnMemory", "PruneCalled", "RcvPruned", "ListenOverflows", "ListenDrops")
"""Rows of TcpExt in /proc/net/netstat that say that buffers or a listener's queue were full."""


def numbers(text: str) -> tuple[int, ...]:
    """All whole numbers of a file that holds nothing else; none where it holds something else."""
    parts = text.split()
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def cgroup_folders(own: str) -> Iterator[str]:
    """Where limits of the CPU may stand for a process whose /proc/self/cgroup is `own`, from it up to the top.

    Version 2 has one tree (`0::/path`), version 1 one for each group of controllers (`4:cpu,cpuacct:/path`). In a
    container the path may be the host's and lead nowhere: the top is the container's own then.
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
    """Cores, from quota and period in microseconds: version 2's cpu.max, or the two files of version 1 joined. `max`
    and -1 are no limit."""
    parts = text.split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not int(parts[1]):
        return None
    return int(parts[0]) / int(parts[1])


def model_name(cpuinfo: str) -> str | None:
    return next(
        (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), None
    )


def time_waits(sockstat: str) -> int | None:
    """Connections in TIME_WAIT: `TCP: inuse 1 orphan 0 tw 5 …`."""
    for line in sockstat.splitlines():
        words = line.split()
        if words[:1] == ["TCP:"] and "tw" in words[:-1]:
            return int(words[words.index("tw") + 1])
    return None


def stolen_pct(stat: str, before: str | None = None) -> float | None:
    """What the machine's host gave to others, in percent of all CPU time: between two texts of /proc/stat, or since
    boot where there is no text from `before`. None where either doesn't say it."""
    spent, spent_before = _cpu_ticks(stat), (0,) * (_STEAL + 1) if before is None else _cpu_ticks(before)
    if not spent or not spent_before:
        return None
    ticks = [now - then for now, then in zip(spent, spent_before, strict=True)]
    return 100.0 * ticks[_STEAL] / sum(ticks) if sum(ticks) > 0 else 0.0


def _cpu_ticks(stat: str) -> tuple[int, ...]:
    """Clock ticks of all cores by what they went to, user to steal; nothing where the text has fewer columns."""
    ticks: tuple[int, ...] = numbers(stat.partition("\n")[0].removeprefix("cpu "))[: _STEAL + 1]
    return ticks if len(ticks) > _STEAL else ()


def counters(netstat: str) -> dict[str, int]:
    """TROUBLES by name, as far as this kernel has them: /proc/net/netstat is pairs of lines, names and values."""
    lines = [line.split() for line in netstat.splitlines() if line.startswith("TcpExt:")]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        return {}
    known = dict(zip(*lines, strict=True))
    return {name: int(known[name]) for name in TROUBLES if name in known}
