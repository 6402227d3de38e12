"""The source of CPU and memory of this host and of the server's processes, from /proc.

    cpu_pct          share of all cores that was busy; waiting for a disk and time stolen by the hypervisor don't count
    memory_used_mib  MemTotal less MemAvailable
    cpu_cores        cores that the server's processes kept busy, ended children included (rule: `cpu_usage.py`)
    rss_mib          sum of their resident memory; shared pages count for each process
    processes        their number
    cpu_limit_cores, cpu_throttled_pct   limit of their control group, and how often it held them back: `cgroup.py`

In a container, `cpu_pct` and `memory_used_mib` are figures of the whole host. A server whose processes have
all ended has 0 processes and no other figure: it doesn't use 0 cores and 0 MiB, it isn't there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from gpu_sidecar.cgroup import ServerQuota
from gpu_sidecar.cpu_usage import TreeCpu, busy_pct
from gpu_sidecar.lasting_thread import LastingThread
from gpu_sidecar.metrics import BYTES_PER_MIB, HOST, PROCESS
from gpu_sidecar.proc import NO_PROC, Proc
from gpu_sidecar.processes import CpuTicks
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import Moment, SourceConfig, SourceStatus, limit_s
from gpu_sidecar.sources.gap_log import WHOLE, GapLog, GapOf

NAME = "proc"

_JOIN_S = 5.0
_OF_SERVER = GapOf(PROCESS, None)


class HostSource:
    """Emits a `host` sample in each period and, while the server has processes, a `process` sample.

    CPU use is measured from the reading before, so the first reading gives no sample.
    """

    def __init__(
        self, config: SourceConfig, server_pids: Callable[[], Sequence[int]], proc: Proc | None = None
    ) -> None:
        self._config = config
        self._readings = HostReadings(proc or Proc(), server_pids)
        self._lock = threading.Lock()  # of the three below
        self._gaps = GapLog()
        self._last = Moment(0.0, 0.0)
        self._last_of_server: Moment | None = None
        self._restarts = 0
        self._stopping = threading.Event()
        self._thread = LastingThread("host", self._run, config.failures, self._stopping, self._note_failure)

    def start(self) -> None:
        self._last = Moment.now()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(_JOIN_S)

    def forget_server(self) -> None:
        """Begins anew with the server: one that ended before is not missed any more."""
        self._readings.forget_server()
        with self._lock:
            self._last_of_server = None
            self._gaps.end(_OF_SERVER, Moment.now())

    def status(self) -> SourceStatus:
        with self._lock:
            gaps, restarts = self._gaps.all(), self._restarts
        return SourceStatus(
            name=NAME,
            kind=HOST,
            period_s=self._config.period_s,
            limit_s=limit_s(self._config.period_s),
            is_alive=self._thread.is_alive() and self._readings.is_possible,
            restarts=restarts,
            complaint="" if self._readings.is_possible else NO_PROC,
            gaps=gaps,
        )

    def _run(self) -> None:
        if not self._readings.is_possible:
            return
        period_s = self._config.period_s
        due_s = time.monotonic()
        while True:
            for sample in self._readings.take():
                self._note_sample(sample)
                self._config.emit(sample)
            # The schedule is fixed, so that samples don't drift; after a long pause it starts again.
            due_s = max(due_s + period_s, time.monotonic())
            if self._stopping.wait(due_s - time.monotonic()):
                return

    def _note_sample(self, sample: Sample) -> None:
        now = Moment.now()
        with self._lock:
            self._last = now
            self._gaps.end(WHOLE, now)
            if sample.kind != PROCESS:
                return
            if sample.values["processes"]:
                self._last_of_server = now
                self._gaps.end(_OF_SERVER, now)
            elif self._last_of_server is not None:
                self._gaps.begin(_OF_SERVER, self._last_of_server, "the server's processes have ended")

    def _note_failure(self, why: str) -> None:
        with self._lock:
            self._gaps.begin(WHOLE, self._last, why)
            self._restarts += 1


class HostReadings:
    """Reads /proc again and again, and returns the samples of each reading."""

    def __init__(self, proc: Proc, server_pids: Callable[[], Sequence[int]], quota: ServerQuota | None = None) -> None:
        self._proc, self._server_pids = proc, server_pids
        self._quota = quota or ServerQuota()
        self.is_possible = proc.is_there()
        self._before: CpuTicks | None = None
        self._tree = TreeCpu(os.cpu_count() or 1, os.sysconf("SC_CLK_TCK"))
        self._mib_per_page = os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MIB
        self._has_seen_server = False

    def forget_server(self) -> None:
        self._has_seen_server = False

    def take(self) -> Iterator[Sample]:
        before, now = self._before, self._proc.cpu_ticks()
        self._before = now
        if before is not None and now is not None:
            pct, memory_mib = busy_pct(before, now), self._proc.memory_used_mib()
            yield Sample(HOST, {"cpu_pct": pct, "memory_used_mib": memory_mib})
        yield from self._take_server()

    def _take_server(self) -> Iterator[Sample]:
        stats = [stat for stat in map(self._proc.process, self._server_pids()) if stat is not None]
        cores = self._tree.take(stats, time.clock_gettime(time.CLOCK_BOOTTIME))
        running = [stat for stat in stats if stat.is_running]
        if not running:
            if self._has_seen_server:
                yield Sample(PROCESS, {"cpu_cores": None, "rss_mib": None, "processes": 0})
        elif cores is not None:
            self._has_seen_server = True
            rss_mib = sum(stat.rss_pages for stat in running) * self._mib_per_page
            usage = {"cpu_cores": cores, "rss_mib": rss_mib, "processes": len(running)}
            yield Sample(PROCESS, {**usage, **self._quota.take([stat.pid for stat in running])})
