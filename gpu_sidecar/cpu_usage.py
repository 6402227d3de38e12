"""Computes CPU use between two readings, of the host and of a tree of processes that come and go.

The rule for the tree: a process has its own ticks, and the ticks of its children that ended and were waited for. When a
child ends, all its ticks move to the latter of its parent, even those that were counted while it ran. So

    used = what each process used itself since the last reading
         + what ended children brought to each, less what had been counted of those
         + all that new processes used

and no tick counts twice. A child that started and ended between two readings is counted when its parent collects it.
For a child that nobody collects (its parent ignores SIGCHLD), the ticks since the last reading are lost. If the parent
of an ended process has ended too, we can't know whether it had collected the child, and assume that it had: in doubt
a little is missing, and no sample shows an hour too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpu_sidecar.processes import CpuTicks, ProcessStat, ancestors_of

NEW_FOR_S = 30.0
"""A process that is first seen within this time after its start counts from its start: it is a new child, found when
children were next looked for. An older process ran before it was watched, and its past use is not counted."""


def busy_pct(before: CpuTicks, after: CpuTicks) -> float | None:
    """The share of all cores that was busy, in percent. None if no time passed: both readings were in one tick."""
    total = after.total - before.total
    if total <= 0:
        return None
    # iowait can go backwards (proc(5)), and with it the total.
    return min(100.0, 100.0 * max(0, after.busy - before.busy) / total)


def used_ticks(before: Sequence[ProcessStat], after: Sequence[ProcessStat], new_since_ticks: float) -> int:
    """The ticks that the tree used between two readings.

    Of a process that is new to the tree and started before `new_since_ticks` (since boot), nothing is counted.
    """
    earlier = {stat.pid: stat for stat in before}
    ended = _ticks_of_ended(earlier, {stat.pid: stat for stat in after})
    used = 0
    for stat in after:
        known = earlier.get(stat.pid)
        if known is not None and stat.is_same(known):
            brought = stat.ended_ticks - known.ended_ticks - ended.get(stat.pid, 0)
            used += stat.own_ticks - known.own_ticks + max(0, brought)
        elif stat.started_ticks >= new_since_ticks:
            used += stat.own_ticks + stat.ended_ticks
    return max(0, used)


def _ticks_of_ended(earlier: Mapping[int, ProcessStat], now: Mapping[int, ProcessStat]) -> dict[int, int]:
    """Ticks already counted for processes that are gone, by the pid of their nearest ancestor that is left."""
    parents = {stat.pid: stat.ppid for stat in earlier.values()}
    left = {stat.pid for stat in earlier.values() if stat.is_same(now.get(stat.pid))}
    ticks: dict[int, int] = {}
    for stat in earlier.values():
        if stat.pid not in left:
            heir = next((pid for pid in ancestors_of(stat.pid, parents) if pid in left), 0)
            ticks[heir] = ticks.get(heir, 0) + stat.own_ticks + stat.ended_ticks
    return ticks


class TreeCpu:
    """How many cores a tree of processes keeps busy, from reading to reading.

    The ticks of ended children come all at once. What exceeds all cores of the host in one period is carried over to
    the next: the mean stays true, and no sample shows more cores than there are.
    """

    def __init__(self, n_cores: int, ticks_per_s: float) -> None:
        self._n_cores, self._ticks_per_s = n_cores, ticks_per_s
        self._before: Sequence[ProcessStat] = ()
        self._before_s = 0.0
        self._carried_s = 0.0

    def take(self, stats: Sequence[ProcessStat], now_s: float) -> float | None:
        """Cores used since the last reading; None at the first reading of these processes. `now_s` is since boot."""
        before, before_s = self._before, self._before_s
        self._before, self._before_s = stats, now_s
        elapsed_s = now_s - before_s
        if elapsed_s <= 0 or not _have_one_in_common(before, stats):
            self._carried_s = 0.0
            return None
        new_since_ticks = (now_s - elapsed_s - NEW_FOR_S) * self._ticks_per_s
        used_s = self._carried_s + used_ticks(before, stats, new_since_ticks) / self._ticks_per_s
        shown_s = min(used_s, self._n_cores * elapsed_s)
        self._carried_s = used_s - shown_s
        return shown_s / elapsed_s


def _have_one_in_common(some: Iterable[ProcessStat], others: Iterable[ProcessStat]) -> bool:
    known = {(stat.pid, stat.started_ticks) for stat in some}
    return any((stat.pid, stat.started_ticks) in known for stat in others)
