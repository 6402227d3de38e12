"""Everything behind the HTTP door, joined: who is watched, where samples come from, where they are kept."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_sidecar.answers import Sidecar, gpu_entry
from gpu_sidecar.devices import Device, GpuWanted, UnknownGpu
from gpu_sidecar.recorder import Recorder
from gpu_sidecar.recording import SOURCE_KEYS, Head
from gpu_sidecar.sample import Sample
from gpu_sidecar.server_process import ServerChoice, ServerWanted
from gpu_sidecar.sources.base import Setting, Source, SourceStatus
from gpu_sidecar.sources.host import HostSource
from gpu_sidecar.sources.registry import SourceRow
from gpu_sidecar.sources.replay import ReplayWatch
from gpu_sidecar.timeline import Mark, Timeline
from gpu_sidecar.watch import Watch

_log = logging.getLogger(__name__)

# A reading of /proc costs more than a line of nvidia-smi, and what the host takes needs no closer look.
_SHORTEST_HOST_PERIOD_S = 1.0
_DECIDE_S = 5.0
_LOOK_S = 0.1


@dataclass(frozen=True)
class Wanted:
    """What the sidecar shall do. `period_s` is the GPU source's. With `replay` everything comes from that recording,
    and nobody else is watched.
    """

    gpu: GpuWanted
    server: ServerWanted | None
    row: SourceRow
    period_s: float
    has_host: bool
    record: Path | None = None
    replay: Path | None = None


class Service:
    """Made, nothing runs yet. Raises OSError or NoRecording where a recording can't be written or played."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._timeline = Timeline()
        self._watch = ReplayWatch(wanted.replay) if wanted.replay else Watch(wanted.gpu, wanted.server)
        self._gpu_source, self._host_source = self._make_gpu_source(), self._make_host_source()
        self._starter = threading.Thread(target=self._start_gpu_source, name="starter", daemon=True)
        self._stopping = threading.Event()
        self._has_waited = False
        self._run_id: str | None = None
        self.sidecar = Sidecar(
            host=socket.gethostname(),
            boot=secrets.token_hex(8),
            timeline=self._timeline,
            gpus=lambda: self._watch.gpus,
            server=self._server,
            sources=self._statuses,
            recording=self._recording,
            on_mark=self._on_mark,
        )
        self._head_devices: tuple[Device, ...] = ()
        self._head = self._make_head()
        self._recorder = Recorder(wanted.record, self._current_head) if wanted.record else None

    def start(self) -> None:
        self._watch.start()
        if self._host_source is not None:
            self._host_source.start()
        self._starter.start()

    def wait_for_gpus(self, stopping: threading.Event) -> None:
        """Raises UnknownGpu where nvidia-smi soon says that it doesn't have one of the GPUs asked for. One that
        hangs is not waited for: what it says later is a warning.
        """
        deadline = time.monotonic() + _DECIDE_S
        while self._wanted.gpu.ids and not stopping.is_set() and time.monotonic() < deadline:
            if self._watch.wait_until_decided(_LOOK_S):
                break
        self._has_waited = True

    def stop(self) -> None:
        """Returns when nothing is left running."""
        self._stopping.set()
        if self._starter.is_alive():
            self._starter.join()
        for part in (*self._sources(), self._watch):
            part.stop()
        if self._recorder is not None:
            self._recorder.close()

    def _make_gpu_source(self) -> Source | None:
        wanted = self._wanted
        if wanted.gpu.is_none or not wanted.row.is_there():
            return None
        return wanted.row.make(Setting(wanted.period_s, self._take, _indexes(wanted.gpu), wanted.replay))

    def _make_host_source(self) -> Source | None:
        wanted = self._wanted
        if not wanted.has_host or wanted.replay is not None:
            return None
        period_s = max(wanted.period_s, _SHORTEST_HOST_PERIOD_S)
        return HostSource(Setting(period_s, self._take), lambda: self._watch.server.pids)

    def _start_gpu_source(self) -> None:
        """As soon as it is known which GPUs to watch: samples from before would be dropped."""
        if self._gpu_source is None:
            return
        try:
            while not self._watch.wait_until_decided(_LOOK_S):
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
        if not self._watch.wants(sample):
            return
        wall, mono = time.time(), time.monotonic()
        self._timeline.add(sample, wall, mono)
        if self._recorder is not None:
            self._recorder.add(sample, wall, mono)

    def _on_mark(self, mark: Mark) -> None:
        if self._recorder is not None:
            self._recorder.mark(mark)
        if mark.tag.run_id not in (None, self._run_id):
            self._run_id = mark.tag.run_id
            self._watch.look_again()

    def _server(self) -> ServerChoice | None:
        """None where nobody asked for one and none was found."""
        server = self._watch.server
        return server if server.pids or self._wanted.server else None

    def _statuses(self) -> list[SourceStatus]:
        return [source.status() for source in self._sources()]

    def _recording(self) -> dict[str, Any] | None:
        recorder = self._recorder
        return None if recorder is None else {"lines": recorder.n_lines, "complaint": recorder.complaint}

    def _current_head(self) -> Head:
        """The same one until the GPUs change: asked for each sample."""
        if self._watch.gpus.devices != self._head_devices:
            self._head = self._make_head()
        return self._head

    def _make_head(self) -> Head:
        self._head_devices = devices = self._watch.gpus.devices
        return Head(
            host=self.sidecar.host,
            boot=self.sidecar.boot,
            t=time.time(),
            gpus=tuple(gpu_entry(device) for device in devices),
            sources=tuple({key: getattr(status, key) for key in SOURCE_KEYS} for status in self._statuses()),
        )


def _indexes(wanted: GpuWanted) -> Sequence[int] | None:
    """What a source can be told at once. UUIDs and processes are known when nvidia-smi has answered: until then, and
    from then on too, it samples all GPUs, and `Watch.wants` picks.
    """
    if wanted.ids and all(word.isdigit() for word in wanted.ids):
        return [int(word) for word in wanted.ids]
    return None
