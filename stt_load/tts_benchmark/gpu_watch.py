"""GPU memory while each text is spoken, from the sidecars. Without any, and without a GPU, everything is None."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.process.log import log
from stt_load.sidecar.client import SidecarClient

_TIMEOUT_S = 3.0  # a sidecar that has just started looks for its GPUs; a text may be over before the next sample
_POLL_S = 0.1


class GpuWatch:
    """Watches GPU memory through sidecars. `run_id`: what the samples of this benchmark are tagged with."""

    def __init__(self, clients: Sequence[SidecarClient], run_id: str) -> None:
        deadline_s = time.monotonic() + _TIMEOUT_S
        self._clients = [client for client in clients if _finds_gpus(client, deadline_s)]
        self._run_id = run_id
        self._stage = -1

    def begin(self) -> None:
        """Tags the samples from now on as those of the next text."""
        self._stage += 1
        for client in self._clients:
            client.announce(self._run_id, self._stage, 1, "hold")

    def end(self) -> float | None:
        """The most memory that was in use on any GPU since `begin`, MiB. Waits for the first sample where none has come
        yet."""
        peaks = [client_peak for client in self._clients if (client_peak := self._peak(client)) is not None]
        return max(peaks, default=None)

    def close(self) -> None:
        for client in self._clients:
            client.announce(None, None, None, None)

    def describe(self) -> dict[str, Any]:
        """`gpu` and `gpu_memory_gb` of the result file: the GPUs that are watched, and the largest one's memory."""
        gpus: list[Mapping[str, Any]] = []
        for client in self._clients:
            client.check()
            gpus += client.describe_gpus()
        memory = [float(gpu["memory_total_mib"]) for gpu in gpus if gpu.get("memory_total_mib") is not None]
        names = ", ".join(str(gpu["name"]) for gpu in gpus if gpu.get("name"))
        return {"gpu": names or None, "gpu_memory_gb": round(max(memory) / 1_024, 2) if memory else None}

    def _peak(self, client: SidecarClient) -> float | None:
        peak: float | None = None
        deadline_s = time.monotonic() + _TIMEOUT_S
        while True:
            for row in client.pull():
                if self._is_mine(row):
                    peak = max(peak or 0.0, float(row["fb_mib"]))
            if peak is not None or time.monotonic() > deadline_s or not client.available:
                return peak
            time.sleep(_POLL_S)

    def _is_mine(self, row: Mapping[str, Any]) -> bool:
        tag = (row.get("run_id"), row.get("stage"))
        return (
            row["kind"] == "gpu" and isinstance(row.get("fb_mib"), int | float) and tag == (self._run_id, self._stage)
        )


def _finds_gpus(client: SidecarClient, deadline_s: float) -> bool:
    """Whether the sidecar samples GPUs; waits for one that has just started."""
    while client.check() and not client.describe_gpus() and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
    if client.available and not client.describe_gpus():
        log.warning("GPU sidecar %s: %s; no GPU memory", client.url, client.describe()["why"])
    return bool(client.describe_gpus())
