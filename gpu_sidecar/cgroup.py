"""The CPU limit of a process's control group, and how often the kernel held it back for that.

A quota gives a group so many microseconds of CPU in each period (100 ms as a rule); once they are used up, all its
threads wait for the next period. `cpu.stat` counts the periods and those in which that happened. Sources: Linux,
Documentation/admin-guide/cgroup-v2.rst (`cpu.max`, `cpu.stat`) and Documentation/scheduler/sched-bwc.rst (version 1:
`cpu.cfs_quota_us`, `cpu.cfs_period_us`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TOPS_OF_V2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")


@dataclass(frozen=True)
class CpuQuota:
    """One reading. `folder`: the control group with the tightest limit; `limit_cores`: that limit. `periods` and
    `throttled` count since the group was made."""

    folder: str
    limit_cores: float
    periods: int
    throttled: int


class ServerQuota:
    """The quota of the server's processes, from reading to reading. `root`: the folder of /proc and /sys."""

    def __init__(self, root: str = "/") -> None:
        self._root = Path(root)
        self._before: CpuQuota | None = None

    def take(self, pids: Sequence[int]) -> Mapping[str, float | None]:
        """`cpu_limit_cores`, and `cpu_throttled_pct` since the last reading of the same group: fields of `metrics.py`.

        They are those of the first process: a container is one group. Both are None without a limit, or where the group
        can't be seen from here.
        """
        before, now = self._before, self._read(pids[0]) if pids else None
        self._before = now
        return {
            "cpu_limit_cores": None if now is None else now.limit_cores,
            "cpu_throttled_pct": throttled_pct(before, now),
        }

    def _read(self, pid: int) -> CpuQuota | None:
        limits = []
        for folder in group_folders(self._text(f"proc/{pid}/cgroup")):
            v1 = f"{self._text(f'{folder}/cpu.cfs_quota_us')} {self._text(f'{folder}/cpu.cfs_period_us')}"
            for cores in (parse_limit(self._text(f"{folder}/cpu.max")), parse_limit(v1)):
                if cores is not None:
                    limits.append((cores, folder))
        if not limits:
            return None
        cores, folder = min(limits)
        return CpuQuota(folder, cores, *parse_counts(self._text(f"{folder}/cpu.stat")))

    def _text(self, name: str) -> str:
        try:
            return (self._root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def throttled_pct(before: CpuQuota | None, now: CpuQuota | None) -> float | None:
    """The share of the quota's periods in which the group was held back, in percent. None if there was no period: the
    kernel counts only those in which the group ran."""
    if before is None or now is None or before.folder != now.folder or now.periods <= before.periods:
        return None
    return min(100.0, 100.0 * max(0, now.throttled - before.throttled) / (now.periods - before.periods))


def group_folders(groups: str) -> Iterator[str]:
    """The folders that may limit the CPU of a process, from its own group to the top. `groups`: /proc/PID/cgroup.

    A path with `..` lies outside the namespace of this process, and can't be found here.
    """
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        parts = [part for part in path.split("/") if part]
        if ".." in parts:
            continue
        for top in _TOPS_OF_V2 if number == "0" else (f"sys/fs/cgroup/{controllers}",):
            for n in range(len(parts), -1, -1):
                yield "/".join([top, *parts[:n]])


def parse_limit(text: str) -> float | None:
    """Cores, from quota and period in microseconds. None for `max` and -1, which mean no limit."""
    words = text.split()
    if len(words) != 2 or not all(word.isdigit() for word in words) or not int(words[1]):
        return None
    return int(words[0]) / int(words[1])


def parse_counts(stat: str) -> tuple[int, int]:
    """Periods, and periods in which the group was held back, from `cpu.stat`. 0 for what it lacks."""
    found = {words[0]: int(words[1]) for words in map(str.split, stat.splitlines()) if _is_count(words)}
    return found.get("nr_periods", 0), found.get("nr_throttled", 0)


def _is_count(words: Sequence[str]) -> bool:
    return len(words) == 2 and words[1].isdigit()
