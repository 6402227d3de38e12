"""CPU and memory of this host and of real processes."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest
from programs import BURNING, IDLE, WITH_CHILD, program
from stand_in import DEADLINE_S, eventually, is_running, read_line

from gpu_sidecar.cpu_usage import used_ticks
from gpu_sidecar.proc import Proc
from gpu_sidecar.processes import CpuTicks, ProcessStat, tree_of
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.host import HostReadings, HostSource

PERIOD_S = 0.02
N_CORES = os.cpu_count() or 1

HOLDING = """\
import sys
memory = bytearray(int(sys.argv[1]) << 20)
memory[::4096] = b"x" * len(memory[::4096])
print("ready", flush=True); sys.stdin.readline()
"""

# Three children, one after the other and two generations deep, then what all of them used, in ticks.
BUSY_FAMILY = """\
import os, subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.15: pass"
deeper = f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', {burn!r}]); exec({burn!r})"
before = sum(os.times()[:4])
print("ready", flush=True)
for code in (burn, deeper, burn):
    subprocess.run([sys.executable, "-I", "-S", "-c", code])
print(sum(os.times()[:4]) - before, flush=True)
sys.stdin.readline()
"""


def values_of(samples: list[Sample], kind: str) -> dict[str, float | None]:
    """The values of the last sample of that kind; empty if there is none."""
    return dict(next((sample.values for sample in reversed(samples) if sample.kind == kind), {}))


def test_the_first_reading_gives_no_sample() -> None:
    readings = HostReadings(Proc(), lambda: [os.getpid()])
    assert list(readings.take()) == []
    assert [sample.kind for sample in readings.take()] == ["host", "process"]


def test_a_process_that_burns_shows_on_the_host_and_as_the_server() -> None:
    with program(BURNING) as process:
        readings = HostReadings(Proc(), lambda: [process.pid])
        samples: list[Sample] = []

        def has_burnt() -> bool:
            samples.extend(readings.take())
            cpu_pct = values_of(samples, "host").get("cpu_pct")
            return bool(values_of(samples, "process").get("cpu_cores") and cpu_pct)

        eventually(has_burnt)
        assert 0 < (values_of(samples, "process")["cpu_cores"] or 0) <= N_CORES
        assert 0 < (values_of(samples, "host")["cpu_pct"] or 0) <= 100
        assert (values_of(samples, "host")["memory_used_mib"] or 0) > 0


def test_memory_is_that_of_all_processes_of_the_tree() -> None:
    held_mib = 48
    said: list[str] = []
    with program(WITH_CHILD, said=said) as family, program(HOLDING, str(held_mib)) as holder:
        pids = [family.pid, int(said[0])]
        readings = HostReadings(Proc(), lambda: pids)
        list(readings.take())
        small = values_of(list(readings.take()), "process")
        pids.append(holder.pid)
        large = values_of(list(readings.take()), "process")
    assert (small["processes"], large["processes"]) == (2, 3)
    grown_mib = (large["rss_mib"] or 0) - (small["rss_mib"] or 0)
    assert held_mib * 0.9 < grown_mib < held_mib + 40  # and Python's own


def test_what_a_tree_used_is_what_it_says_itself() -> None:
    """Children are seen, seen too late, or not at all: the sum is the same."""
    proc = Proc()
    with program(BUSY_FAMILY) as family:
        said: list[str] = []
        waiting = threading.Thread(target=lambda: said.append(read_line(family)))
        waiting.start()
        before = read_tree(proc, family.pid)
        ticks = 0

        def is_done() -> bool:
            nonlocal before, ticks
            has_said = bool(said)
            after = read_tree(proc, family.pid)
            ticks += used_ticks(before, after, new_since_ticks=0)
            before = after
            return has_said

        eventually(is_done)
        waiting.join()
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    # Every figure of the kernel's is cut to whole ticks: user and system of each of five processes.
    assert ticks / ticks_per_s == pytest.approx(float(said[0]), abs=12 / ticks_per_s)


def read_tree(proc: Proc, root: int) -> list[ProcessStat]:
    """The processes at one moment: read again if a child ended or started between its parent's reading and its own."""
    tree, again = _read_once(proc, root), _read_once(proc, root)
    while _family(tree) != _family(again):
        tree, again = again, _read_once(proc, root)
    return again


def _family(tree: list[ProcessStat]) -> list[tuple[int, int]]:
    return [(stat.pid, stat.ended_ticks) for stat in tree]


def _read_once(proc: Proc, root: int) -> list[ProcessStat]:
    return [stat for stat in map(proc.process, tree_of([root], proc.parents())) if stat is not None]


def test_processes_that_are_gone_when_they_are_read_are_left_out() -> None:
    with program(IDLE) as gone:
        pass
    with program(IDLE) as left:
        readings = HostReadings(Proc(), lambda: [gone.pid, left.pid])
        list(readings.take())
        assert values_of(list(readings.take()), "process")["processes"] == 1


@pytest.mark.parametrize("is_collected", [True, False], ids=["gone", "a zombie"])
def test_a_server_that_has_ended_has_no_memory_and_no_cpu_rather_than_none_used(is_collected: bool) -> None:
    with program(IDLE) as process:
        readings = HostReadings(Proc(), lambda: [process.pid])
        list(readings.take())
        assert values_of(list(readings.take()), "process")["processes"] == 1
        process.kill()
        if is_collected:
            process.wait(DEADLINE_S)
        eventually(lambda: not is_running(process.pid))
        for _ in range(2):
            ended = values_of(list(readings.take()), "process")
            assert ended == {"cpu_cores": None, "rss_mib": None, "processes": 0}


def test_a_new_run_does_not_miss_a_server_that_ended_before_it() -> None:
    samples: list[Sample] = []
    with program(IDLE) as process:
        source = HostSource(SourceConfig(PERIOD_S, samples.append), lambda: [process.pid])
        source.start()
        try:
            eventually(lambda: values_of(samples, "process"))
            process.kill()
            eventually(lambda: source.status().gaps)
            source.forget_server()
            (gap,) = source.status().gaps
            assert gap.ended is not None
            eventually(lambda: samples[-1].kind == samples[-2].kind == "host")
            assert len(source.status().gaps) == 1
        finally:
            source.stop()


def test_a_server_that_was_never_there_gives_no_sample() -> None:
    readings = HostReadings(Proc(), list)
    list(readings.take())
    assert [sample.kind for sample in readings.take()] == ["host"]


def test_the_time_without_the_server_is_a_gap_of_the_server_alone() -> None:
    pids: list[int] = []
    source = HostSource(SourceConfig(PERIOD_S, lambda _: None), lambda: pids)
    source.start()
    try:
        with program(IDLE) as process:
            pids.append(process.pid)
            before = time.monotonic()
            time.sleep(3 * PERIOD_S)
            assert source.status().gaps == ()
            process.kill()
            (gap,) = eventually(lambda: source.status().gaps)
        assert (gap.kind, gap.gpu, gap.ended, gap.ended_mono) == ("process", None, None, None)
        assert gap.why == "the server's processes have ended"
        assert before <= gap.began_mono <= time.monotonic()
        with program(IDLE) as process:
            pids[:] = [process.pid]
            eventually(lambda: source.status().gaps[0].ended_mono is not None)
    finally:
        source.stop()


def test_the_source_emits_from_start_to_stop() -> None:
    samples: list[Sample] = []
    source = HostSource(SourceConfig(PERIOD_S, samples.append), lambda: [os.getpid()])
    assert not source.status().is_alive
    source.start()
    eventually(lambda: len(samples) >= 6)
    status = source.status()
    assert (status.name, status.kind, status.period_s, status.is_alive) == ("proc", "host", PERIOD_S, True)
    assert (status.complaint, status.restarts, status.gaps) == ("", 0, ())
    source.stop()
    assert not source.status().is_alive
    n = len(samples)
    assert [sample.kind for sample in samples] == ["host", "process"] * (n // 2)


def test_after_a_long_halt_the_missed_readings_are_not_made_up_for() -> None:
    at_s: list[float] = []

    def halt_at_first(_: Sample) -> None:
        if not at_s:
            time.sleep(10 * PERIOD_S)
        at_s.append(time.monotonic())

    source = HostSource(SourceConfig(PERIOD_S, halt_at_first), list)
    source.start()
    eventually(lambda: len(at_s) >= 6)
    source.stop()
    halt_ended_s, at_once_s, *later = at_s[:6]
    assert halt_ended_s <= at_once_s
    assert (
        later[-1] - halt_ended_s >= 4 * PERIOD_S
    )  # the schedule starts again: the first at once, the others due later


def test_a_host_without_proc_complains_and_gives_no_sample(tmp_path: Path) -> None:
    source = HostSource(SourceConfig(PERIOD_S, lambda _: pytest.fail("a sample")), lambda: [1], Proc(str(tmp_path)))
    source.start()
    source.stop()
    status = source.status()
    assert not status.is_alive
    assert status.complaint == "this host has no /proc: its CPU and processes can't be seen (Linux has one)"


class LackingProc(Proc):
    """A /proc for which this process has no descriptor, for as long as `is_lacking`."""

    is_lacking = False

    def cpu_ticks(self) -> CpuTicks | None:
        if self.is_lacking:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().cpu_ticks()


def test_what_fails_in_a_reading_is_a_gap_and_readings_go_on() -> None:
    proc, samples = LackingProc(), list[Sample]()
    config = SourceConfig(PERIOD_S, samples.append)
    source = HostSource(config, list, proc)
    source.start()
    try:
        eventually(lambda: samples)
        proc.is_lacking = True
        gap = eventually(lambda: source.status().gaps)[0]
        proc.is_lacking = False
        eventually(lambda: source.status().gaps[0].ended_mono is not None)
    finally:
        source.stop()
    assert (gap.kind, gap.gpu, gap.ended) == (None, None, None)
    assert gap.why.startswith("host failed: OSError: [Errno 24] Too many open files (test_host.py:")
    assert source.status().restarts == config.failures.all()[0].times >= 1


def test_a_process_that_cannot_be_read_for_want_of_descriptors_has_not_ended() -> None:
    """Each part of /proc raises then, rather than say that nothing is there."""
    resource = pytest.importorskip("resource")
    proc = Proc()
    assert proc.process(os.getpid()) is not None
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        for read in (lambda: proc.process(os.getpid()), proc.pids, lambda: proc.holders([1]), proc.memory_used_mib):
            with pytest.raises(OSError, match="Too many open files"):
                read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
