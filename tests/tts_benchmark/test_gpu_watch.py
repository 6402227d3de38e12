"""GPU memory from a real sidecar with a stand-in `nvidia-smi`."""

from __future__ import annotations

import pytest
from stand_in import StandInSmi, dmon_row, eventually

from stt_load.sidecar.client import SidecarClient
from stt_load.sidecar.local import LocalSidecar
from stt_load.tts_benchmark.gpu_watch import GpuWatch


def test_each_text_has_the_peak_of_its_own_time(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with LocalSidecar() as local:
        eventually(lambda: SidecarClient(local.url, local.token).check())
        smi.wait_for_dmon()
        watch = GpuWatch([SidecarClient(local.url, local.token)], "r1")
        watch.begin()
        smi.feed(dmon_row(50, 3_072) + dmon_row(60, 4_096) + dmon_row(60, 3_500))
        eventually(lambda: watch.end() == 4_096)
        watch.begin()
        smi.feed(dmon_row(10, 1_024))
        assert watch.end() == 1_024
        assert watch.describe() == {"gpu": "NVIDIA H200", "gpu_memory_gb": 140.4}
        watch.close()


def test_without_a_sidecar_everything_is_none() -> None:
    for clients in ([], [SidecarClient("http://127.0.0.1:9", timeout_s=0.5)]):
        watch = GpuWatch(clients, "r1")
        watch.begin()
        assert watch.end() is None
        assert watch.describe() == {"gpu": None, "gpu_memory_gb": None}
        watch.close()
