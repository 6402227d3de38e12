"""Parses what Linux's /proc says about CPU, memory, processes and sockets (proc(5), kernel 6.x), and process trees.

Times are in clock ticks, as the kernel gives them; memory is in MiB. Text that can't be parsed gives None or nothing,
since processes may end while they are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_KIB_PER_MIB = 1024
_LISTENING = "0A"
_ZOMBIE_STATES = frozenset("ZX")


@dataclass(frozen=True)
class CpuTicks:
    """CPU time of all cores together since boot, in clock ticks.

    `busy` is user, nice, system, irq and softirq. Waiting for a disk (iowait) and time that the hypervisor gave to
    others (steal) are in `total` but not in `busy`: no core worked for us then.
    """

    busy: int
    total: int


@dataclass(frozen=True)
class ProcessStat:
    """One process at one moment.

    `own_ticks` is the CPU time of all its threads, `ended_ticks` that of children that have ended and were waited for,
    and of their children. `started_ticks` counts from boot; with the pid it identifies the process, since pids are
    reused. `rss_pages` is an estimate of the kernel, wrong by some pages per thread (proc(5)). `session` is the pid of
    the process that began the session: in most cases, one session holds what one command started.
    """

    pid: int
    name: str
    state: str
    ppid: int
    own_ticks: int
    ended_ticks: int
    started_ticks: int
    rss_pages: int
    session: int = 0

    @property
    def is_running(self) -> bool:
        """False for a process that has ended and waits to be collected by its parent."""
        return self.state not in _ZOMBIE_STATES

    def is_same(self, other: ProcessStat | None) -> bool:
        return other is not None and (self.pid, self.started_ticks) == (other.pid, other.started_ticks)


def parse_cpu_ticks(stat: str) -> CpuTicks | None:
    """Parses the first line of /proc/stat: `cpu  user nice system idle iowait irq softirq steal guest guest_nice`.

    The guests' time is in user and nice already.
    """
    words = stat.partition("\n")[0].split()
    if len(words) < 9 or words[0] != "cpu" or not all(word.isdigit() for word in words[1:9]):
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in words[1:9])
    busy = user + nice + system + irq + softirq
    return CpuTicks(busy, busy + idle + iowait + steal)


def parse_memory_used_mib(meminfo: str) -> float | None:
    """Memory in use, from /proc/meminfo: MemTotal less MemAvailable. Caches are not counted."""
    kib = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            words = rest.split()
            if words and words[0].isdigit():
                kib[name] = int(words[0])
    if len(kib) < 2:
        return None
    return (kib["MemTotal"] - kib["MemAvailable"]) / _KIB_PER_MIB


def parse_process_stat(text: str) -> ProcessStat | None:
    """Parses /proc/PID/stat. The name is in brackets and may contain blanks and brackets: the last one closes it."""
    head, bracket, tail = text.rpartition(")")
    pid, _, name = head.partition(" (")
    words = tail.split()
    if not bracket or len(words) < 23:
        return None
    try:
        numbers = [int(words[place]) for place in (1, 3, 11, 12, 13, 14, 19, 21)]
        ppid, session, utime, stime, cutime, cstime, started, rss = numbers
        return ProcessStat(int(pid), name, words[0], ppid, utime + stime, cutime + cstime, started, rss, session)
    except ValueError:
        return None


def parse_listening_inodes(table: str, port: int) -> set[int]:
    """The inodes of the sockets that listen on the port at any address, from /proc/net/tcp or tcp6.

    `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`, addresses in hex.
    """
    ending, inodes = f":{port:04X}", set()
    for line in table.splitlines():
        words = line.split()
        if len(words) > 9 and words[3] == _LISTENING and words[1].endswith(ending) and words[9].isdigit():
            inodes.add(int(words[9]))
    return inodes


def tree_of(roots: Iterable[int], parents: Mapping[int, int]) -> tuple[int, ...]:
    """The roots that exist and all their descendants, sorted. `parents` maps each pid to its parent's."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [root for root in roots if root in parents]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return tuple(sorted(found))


def ancestors_of(pid: int, parents: Mapping[int, int]) -> list[int]:
    """All ancestors of a process, its parent first.

    It stops at one that is missing in `parents` or comes a second time: the table is not read at one moment.
    """
    found: list[int] = []
    above = parents.get(pid, 0)
    while above in parents and above not in (pid, *found):
        found.append(above)
        above = parents[above]
    return found


def topmost(pids: Collection[int], parents: Mapping[int, int]) -> list[int]:
    """The pids that are no descendants of others among them, sorted."""
    chosen = set(pids)
    return sorted(pid for pid in chosen if not chosen.intersection(ancestors_of(pid, parents)))
