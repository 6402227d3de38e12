"""What every bench uses: a sink on one core, a generator on another, and what both did between two moments.

Whatever generates is measured in the same way: CPU and memory of its process as the kernel counts them, frames and
utterances as the sink counted them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil
from network import network

from stt_load.calibration.host_probe import process_cpu_s
from stt_load.run.stolen_cpu import StolenCpu
from stt_load.server.process import ServerProcess, start_sink_server

CORES = sorted(os.sched_getaffinity(0))
GENERATOR_CORE, SINK_CORE = CORES[0], CORES[-1]
CHECKOUT = Path(__file__).resolve().parents[1]

# SIGTERM raises an exception, so that a bench leaves every `with` and ends its processes.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@contextmanager
def pinned_sink(core: int = SINK_CORE, delay_s: float = 0.02, truth: Path | None = None) -> Iterator[ServerProcess]:
    """Starts the sink, alone on `core`, on a host of its own behind a pair of network cards.

    It answers quickly, so that callers are nearly always speaking.
    """
    with network(core) as link, ExitStack() as stack:
        with link.entered():
            sink = stack.enter_context(start_sink_server(delay_s, truth=truth, host=link.sink_address))
        os.sched_setaffinity(sink.pid, {core})
        yield sink


@dataclass
class Generator:
    """A process on a core of its own. Its output goes to a file: a pipe that nobody reads would block it."""

    process: subprocess.Popen[bytes]
    told: IO[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        self.told.seek(0)
        return self.told.read().decode("utf-8", "replace")

    def finish(self, limit_s: float) -> int:
        """Waits for the process and returns its exit code. Raises subprocess.TimeoutExpired."""
        return self.process.wait(limit_s)


@contextmanager
def pinned(
    line: Sequence[str], core: int | None = GENERATOR_CORE, environment: Mapping[str, str] | None = None, nice: int = 0
) -> Iterator[Generator]:
    """Starts a process on `core` (None: on any) for the time of the block; it is killed at the end."""

    def settle() -> None:
        os.sched_setaffinity(0, CORES if core is None else {core})
        os.nice(nice)

    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            line,
            stdout=told,
            stderr=subprocess.STDOUT,
            preexec_fn=settle,
            env={**os.environ, **(environment or {})},
            process_group=0,
        )
        try:
            yield Generator(process, told)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def last_json(output: str) -> dict[str, Any]:
    """The last line that a bench printed."""
    lines = output.strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise RuntimeError("no JSON in its last line:\n" + "\n".join(lines[-20:])) from None
    return found


def health(sink: ServerProcess) -> dict[str, Any]:
    with urllib.request.urlopen(f"{sink.http_url}/healthz", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """What sink and generator did in `seconds`. `connections` and `resident_kib` are those at the end."""

    seconds: float
    frames: int
    utterances: int
    connections: int
    generator_cpu_s: float
    sink_cpu_s: float
    resident_kib: int
    stolen_pct: float | None

    def as_row(self) -> dict[str, Any]:
        """The fields, and the rates and shares that follow from them."""
        return asdict(self) | {
            "frames_per_s": self.frames / self.seconds,
            "utterances_per_s": self.utterances / self.seconds,
            "cpu_us_per_frame": self.cpu_us_per_frame,
            "generator_cpu_pct": 100 * self.generator_cpu_s / self.seconds,
            "sink_cpu_pct": 100 * self.sink_cpu_s / self.seconds,
        }

    @property
    def cpu_us_per_frame(self) -> float | None:
        return 1e6 * self.generator_cpu_s / self.frames if self.frames else None


def watch(sink: ServerProcess, pid: int, seconds: float) -> Window:
    """Measures the next `seconds`."""
    stolen = StolenCpu()
    before, cpu_before_s = health(sink), process_cpu_s(pid)
    time.sleep(seconds)
    after, cpu_after_s = health(sink), process_cpu_s(pid)
    return Window(
        seconds=after["monotonic_s"] - before["monotonic_s"],
        frames=after["frames"] - before["frames"],
        utterances=after["utterances"] - before["utterances"],
        connections=after["connections"] - 1,  # less the one that asked
        generator_cpu_s=cpu_after_s - cpu_before_s,
        sink_cpu_s=after["cpu_s"] - before["cpu_s"],
        resident_kib=psutil.Process(pid).memory_info().rss // 1024,
        stolen_pct=stolen.pct_since_last_call(),
    )
