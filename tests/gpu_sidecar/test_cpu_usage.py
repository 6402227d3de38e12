"""CPU between two readings: no tick is lost, and none counts twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_sidecar.cpu_usage import TreeCpu, busy_pct, used_ticks
from gpu_sidecar.processes import CpuTicks, ProcessStat

LONG_AGO, NOW = 10, 1000
ROOT = 1


def stat(pid: int, own: int, ended: int = 0, ppid: int = 0, started: int = LONG_AGO) -> ProcessStat:
    return ProcessStat(pid, "server", "S", ppid, own, ended, started, rss_pages=1)


def used(before: list[ProcessStat], after: list[ProcessStat]) -> int:
    return used_ticks(before, after, new_since_ticks=500)


def test_half_of_two_cores_is_50_percent() -> None:
    assert busy_pct(CpuTicks(1000, 10000), CpuTicks(1100, 10200)) == 50.0


@pytest.mark.parametrize("after", [CpuTicks(1000, 10000), CpuTicks(1000, 9990)])
def test_without_time_between_the_readings_there_is_no_share(after: CpuTicks) -> None:
    assert busy_pct(CpuTicks(1000, 10000), after) is None


def test_a_total_that_went_backwards_in_part_stays_within_bounds() -> None:
    assert busy_pct(CpuTicks(1000, 10000), CpuTicks(1100, 10050)) == 100.0
    assert busy_pct(CpuTicks(1000, 10000), CpuTicks(990, 10050)) == 0.0


def test_what_each_process_used_itself_adds_up() -> None:
    assert used([stat(ROOT, 10), stat(2, 20, ppid=ROOT)], [stat(ROOT, 13), stat(2, 24, ppid=ROOT)]) == 7


def test_a_child_that_ended_brings_only_what_was_not_counted_yet() -> None:
    assert used([stat(ROOT, 10), stat(2, 100, ppid=ROOT)], [stat(ROOT, 11, ended=105)]) == 6


def test_a_child_that_nobody_collected_takes_nothing_off_the_others() -> None:
    assert used([stat(ROOT, 10), stat(2, 100, ppid=ROOT)], [stat(ROOT, 11)]) == 1


def test_a_child_that_was_never_seen_counts_when_it_is_collected() -> None:
    assert used([stat(ROOT, 10)], [stat(ROOT, 10, ended=40)]) == 40


def test_parent_and_child_that_ended_together_are_both_known() -> None:
    before = [stat(ROOT, 0), stat(2, 100, ppid=ROOT), stat(3, 200, ppid=2)]
    assert used(before, [stat(ROOT, 0, ended=304)]) == 4


def test_what_one_parent_collected_is_not_taken_off_another() -> None:
    before = [stat(ROOT, 0), stat(2, 0, ppid=ROOT), stat(3, 200, ppid=2)]
    after = [stat(ROOT, 0, ended=50), stat(2, 0, ended=203, ppid=ROOT)]
    assert used(before, after) == 53


def test_a_new_child_counts_from_its_start() -> None:
    assert used([stat(ROOT, 10)], [stat(ROOT, 10), stat(2, 30, ended=5, ppid=ROOT, started=NOW)]) == 35


def test_the_past_of_a_process_that_ran_unwatched_is_not_counted() -> None:
    assert used([stat(ROOT, 10)], [stat(ROOT, 10), stat(2, 360000, ppid=ROOT)]) == 0


def test_a_pid_that_was_given_away_again_is_another_process() -> None:
    after = [stat(ROOT, 10, ended=100), stat(2, 3, ppid=ROOT, started=NOW)]
    assert used([stat(ROOT, 10), stat(2, 100, ppid=ROOT)], after) == 3


class Family:
    """A tree of processes as the kernel keeps their ticks; parents collect their children at once."""

    def __init__(self) -> None:
        self.ticks = {ROOT: [0, 0]}
        self.parents = {ROOT: 0}
        self.burnt = 0

    def burn(self, which: int, n: int) -> None:
        self.ticks[self._pid(which)][0] += n
        self.burnt += n

    def spawn(self, which: int) -> None:
        pid = max(self.ticks.keys() | self.parents.keys()) + 1
        self.parents[pid] = self._pid(which)
        self.ticks[pid] = [0, 0]

    def end(self, which: int) -> None:
        pid = self._pid(which)
        if pid != ROOT and pid not in {self.parents[other] for other in self.ticks}:
            self.ticks[self.parents[pid]][1] += sum(self.ticks.pop(pid))

    def read(self) -> list[ProcessStat]:
        return [stat(pid, own, ended, self.parents[pid], NOW) for pid, (own, ended) in self.ticks.items()]

    def _pid(self, which: int) -> int:
        return sorted(self.ticks)[which % len(self.ticks)]


_WHICH = st.integers(0, 9)
_STEP = st.one_of(
    st.tuples(st.just("burn"), _WHICH, st.integers(1, 1000)),
    st.tuples(st.just("spawn"), _WHICH),
    st.tuples(st.just("end"), _WHICH),
    st.tuples(st.just("look")),
)


@given(st.lists(_STEP, max_size=60))
def test_whatever_comes_and_goes_every_tick_is_counted_once(steps: list[tuple[Any, ...]]) -> None:
    family, counted = Family(), 0
    before = family.read()
    for name, *arguments in [*steps, ("look",)]:
        if name == "look":
            after = family.read()
            counted += used(before, after)
            before = after
        else:
            getattr(family, name)(*arguments)
    assert counted == family.burnt


def test_the_first_reading_tells_nothing() -> None:
    cpu = TreeCpu(n_cores=2, ticks_per_s=100)
    assert cpu.take([stat(ROOT, 360000)], 5000.0) is None
    assert cpu.take([stat(ROOT, 360100)], 5002.0) == 0.5


def test_other_processes_than_before_begin_anew() -> None:
    cpu = TreeCpu(n_cores=2, ticks_per_s=100)
    cpu.take([stat(ROOT, 100)], 5000.0)
    assert cpu.take([stat(7, 360000, started=499900)], 5001.0) is None
    assert cpu.take([], 5002.0) is None
    assert cpu.take([], 5003.0) is None


def test_what_children_bring_all_at_once_is_spread_over_the_cores_there_are() -> None:
    cpu = TreeCpu(n_cores=2, ticks_per_s=100)
    cpu.take([stat(ROOT, 0)], 5000.0)
    readings = [cpu.take([stat(ROOT, 0, ended=500)], 5001.0 + second) for second in range(4)]
    assert readings == [2.0, 2.0, 1.0, 0.0]
