"""Plays a recording of `--record`: a source of its samples, with their own spacing, and its GPUs."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from gpu_sidecar.failures import in_words
from gpu_sidecar.gpu_choice import Gpu, GpuChoice
from gpu_sidecar.metrics import GPU
from gpu_sidecar.recording_format import (
    NotARecording,
    RecordingHeader,
    period_of,
    read_headers,
    read_lines,
    with_due_times,
)
from gpu_sidecar.sample import Sample
from gpu_sidecar.server_choice import ServerChoice
from gpu_sidecar.sources.base import SourceConfig, SourceStatus, limit_s

ENDED = "the recording ended"
_LONGEST_WAIT_S = 3600.0  # at a time: a recording may have a gap of years, and a lock can't wait that long
_STOP_S = 5.0


class ReplaySource:
    """Plays `config.replay` once, from its first sample, at the times of the recording: a wait that took too long
    shortens the next one. `config.period_s` is ignored.

    Creating one reads the headers. Raises OSError if the file can't be read, NotARecording if it is something else.
    """

    def __init__(self, config: SourceConfig) -> None:
        if config.replay is None:
            raise ValueError("a replay needs the file to play: --replay FILE")
        self._path = config.replay
        self._config = config
        self._period_s = period_of(headers_of(config.replay))
        self._stopping = threading.Event()
        self._why_ended = ""
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def status(self) -> SourceStatus:
        return SourceStatus(
            name="replay",
            kind=GPU,
            period_s=self._period_s,
            limit_s=limit_s(self._period_s),
            is_alive=self._thread.is_alive() and not self._why_ended,
            complaint=self._why_ended,
        )

    def _run(self) -> None:
        try:
            with _open(self._path) as file:
                self._play(file)
        except OSError as error:
            self._why_ended = f"{self._path} can't be read: {error.strerror}"
        except Exception as error:  # played again it would give its samples twice
            self._config.failures.note("replay", error)
            self._why_ended = f"{self._path} can't be played on: {in_words(error)}"
        else:
            self._why_ended = ENDED

    def _play(self, lines: Iterator[str]) -> None:
        started = time.monotonic()
        only = self._config.only()
        for due_s, sample in with_due_times(read_lines(lines)):
            if not self._wait_until(started + due_s):
                return
            if sample.kind != GPU or not only or sample.gpu in only:
                self._config.emit(sample)

    def _wait_until(self, due: float) -> bool:
        """Waits until `due` on the monotonic clock. False if it is stopped before."""
        while True:
            left_s = due - time.monotonic()
            if left_s <= 0:
                return not self._stopping.is_set()
            if self._stopping.wait(min(left_s, _LONGEST_WAIT_S)):
                return False


class ReplayDiscovery:
    """Stands in for `Discovery` while a recording is played: its GPUs are those that the recording's headers name."""

    def __init__(self, path: Path) -> None:
        gpus = {gpu.index: gpu for header in headers_of(path) for gpu in _gpus_of(header)}
        self.gpu_choice = GpuChoice(tuple(gpus[index] for index in sorted(gpus)), f"played from {path.name}")
        self.server_choice = ServerChoice((), f"played from {path.name}")
        self.warnings: tuple[str, ...] = ()

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def rediscover(self) -> None: ...

    def doubt(self) -> None: ...

    def indexes(self) -> tuple[int, ...]:
        return ()

    def wait_until_decided(self, timeout_s: float) -> bool:
        return True

    def selects(self, sample: Sample) -> bool:
        return True


def headers_of(path: Path) -> list[RecordingHeader]:
    """All headers of a recording. Raises OSError if the file can't be read, NotARecording if it is something else."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotARecording("it is not a regular file")
    with _open(path) as file:
        return read_headers(file)


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors="replace")


def _gpus_of(header: RecordingHeader) -> Iterator[Gpu]:
    for entry in header.gpus:
        index, total_mib = entry.get("index"), entry.get("memory_total_mib")
        if type(index) is int:
            uuid, name, driver = (str(entry.get(key, "")) for key in ("uuid", "name", "driver"))
            yield Gpu(index, uuid, name, total_mib if type(total_mib) is int else None, driver)
