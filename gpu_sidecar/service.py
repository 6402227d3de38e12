"""Puts the sidecar together, all but HTTP: discovery, the sources of samples, the timeline and the recording."""

from __future__ import annotations

import logging
import os
import platform
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_sidecar.api import SidecarState, gpu_entry
from gpu_sidecar.discovery import Discovery
from gpu_sidecar.failures import FailureLog
from gpu_sidecar.gpu_choice import Gpu, GpuSelector, UnknownGpu
from gpu_sidecar.lasting_thread import LastingThread
from gpu_sidecar.proc import Proc
from gpu_sidecar.recorder import Recorder
from gpu_sidecar.recording_format import SOURCE_KEYS, RecordingHeader
from gpu_sidecar.sample import Sample
from gpu_sidecar.server_choice import ServerChoice, ServerSelector
from gpu_sidecar.sources.base import Source, SourceConfig, SourceStatus
from gpu_sidecar.sources.host import HostSource
from gpu_sidecar.sources.known_sources import SourceEntry
from gpu_sidecar.sources.replay import ReplayDiscovery
from gpu_sidecar.timeline import StageChange, Timeline

_log = logging.getLogger(__name__)

# Reading /proc costs more than a line of nvidia-smi, and the host's figures need no shorter period.
_SHORTEST_HOST_PERIOD_S = 1.0
_DECIDE_S = 5.0
_POLL_S = 0.1
_JOIN_S = 5.0


@dataclass(frozen=True)
class ServiceConfig:
    """What the sidecar does. `period_s` is the GPU source's. With `replay`, all samples come from that recording and
    this machine is not watched.
    """

    gpu: GpuSelector
    server: ServerSelector | None
    source: SourceEntry
    period_s: float
    has_host: bool
    record: Path | None = None
    replay: Path | None = None


class Service:
    """The running parts of a sidecar. Nothing runs before `start`.

    Creating one raises OSError or NotARecording if the recording can't be written or played.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._timeline = Timeline()
        self._failures = failures = FailureLog()
        self._discovery = (
            ReplayDiscovery(config.replay) if config.replay else Discovery(config.gpu, config.server, failures=failures)
        )
        self._gpu_source, self._host_source = self._make_gpu_source(), self._make_host_source()
        self._stopping = threading.Event()
        self._starter = LastingThread("starter", self._start_gpu_source, failures, self._stopping)
        self._has_waited = False
        self._run_id: str | None = None
        self.state = SidecarState(
            host=socket.gethostname(),
            boot=secrets.token_hex(8),
            timeline=self._timeline,
            gpu_choice=lambda: self._discovery.gpu_choice,
            server_choice=self._server_choice,
            sources=self._statuses,
            failures=failures,
            warnings=lambda: (*self._discovery.warnings, *failures.warnings),
            recording=self._recording,
            on_stage_change=self._on_stage_change,
            machine={
                "architecture": platform.machine(),
                "cpu_model": Proc().cpu_model(),
                "cores": os.cpu_count(),
            },
        )
        self._header_gpus: tuple[Gpu, ...] = ()
        self._header = self._make_header()
        self._recorder = Recorder(config.record, self._current_header) if config.record else None

    def start(self) -> None:
        self._discovery.start()
        if self._host_source is not None:
            self._host_source.start()
        self._starter.start()

    def wait_for_gpus(self, stopping: threading.Event) -> None:
        """Waits a few seconds for nvidia-smi if GPUs were asked for. Raises UnknownGpu if it doesn't have one of them.

        If nvidia-smi answers later than that, an unknown GPU is only a warning.
        """
        deadline = time.monotonic() + _DECIDE_S
        while self._config.gpu.ids and not stopping.is_set() and time.monotonic() < deadline:
            if self._discovery.wait_until_decided(_POLL_S):
                break
        self._has_waited = True

    def stop(self) -> None:
        """Returns when nothing is left running."""
        self._stopping.set()
        self._starter.join(_JOIN_S)
        for part in (*self._sources(), self._discovery):
            part.stop()
        if self._recorder is not None:
            self._recorder.close()

    def _make_gpu_source(self) -> Source | None:
        config = self._config
        if config.gpu.is_none or not config.source.is_there():
            return None
        discovery = self._discovery
        return config.source.make(
            SourceConfig(config.period_s, self._take, discovery.indexes, config.replay, discovery.doubt, self._failures)
        )

    def _make_host_source(self) -> HostSource | None:
        config = self._config
        if not config.has_host or config.replay is not None:
            return None
        period_s = max(config.period_s, _SHORTEST_HOST_PERIOD_S)
        settings = SourceConfig(period_s, self._take, failures=self._failures)
        return HostSource(settings, lambda: self._discovery.server_choice.pids)

    def _start_gpu_source(self) -> None:
        """Starts the GPU source as soon as the GPUs are known: earlier samples would be dropped."""
        if self._gpu_source is None:
            return
        try:
            while not self._discovery.wait_until_decided(_POLL_S):
                if self._stopping.is_set():
                    return
        except UnknownGpu as error:
            if self._has_waited:
                _log.warning("%s: no GPU samples", error)
            return
        if not self._stopping.is_set():
            self._gpu_source.start()

    def _sources(self) -> list[Source]:
        return [source for source in (self._gpu_source, self._host_source) if source is not None]

    def _take(self, sample: Sample) -> None:
        """Keeps a sample. What fails here costs this sample, and is counted; the source goes on."""
        try:
            if not self._discovery.selects(sample):
                return
            wall, mono = time.time() - sample.age_s, time.monotonic() - sample.age_s
            self._timeline.add(sample, wall, mono)
        except Exception as error:
            self._failures.note_lost_sample(error)
            return
        if self._recorder is not None:
            self._recorder.add(sample, wall, mono)

    def _on_stage_change(self, change: StageChange) -> None:
        if self._recorder is not None:
            self._recorder.add_stage_change(change)
        if change.tag.run_id not in (None, self._run_id):
            self._run_id = change.tag.run_id
            self._discovery.rediscover()
            if self._host_source is not None:
                self._host_source.forget_server()

    def _server_choice(self) -> ServerChoice | None:
        """The server, or None if the user named none and none was found."""
        server = self._discovery.server_choice
        return server if server.pids or self._config.server else None

    def _statuses(self) -> list[SourceStatus]:
        return [source.status() for source in self._sources()]

    def _recording(self) -> dict[str, Any] | None:
        recorder = self._recorder
        if recorder is None:
            return None
        return {"lines": recorder.n_lines, "lost": recorder.n_lost, "complaint": recorder.error}

    def _current_header(self) -> RecordingHeader:
        """The header of the recording, called for each sample. A new one is made only when the GPUs change."""
        if self._discovery.gpu_choice.gpus != self._header_gpus:
            self._header = self._make_header()
        return self._header

    def _make_header(self) -> RecordingHeader:
        self._header_gpus = gpus = self._discovery.gpu_choice.gpus
        return RecordingHeader(
            host=self.state.host,
            boot=self.state.boot,
            t=time.time(),
            gpus=tuple(gpu_entry(gpu) for gpu in gpus),
            sources=tuple({key: getattr(status, key) for key in SOURCE_KEYS} for status in self._statuses()),
        )
