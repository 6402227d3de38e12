"""Names that nvidia-smi shows for servers, and for what is none."""

from __future__ import annotations

import pytest

from gpu_sidecar.known_servers import is_known_server


@pytest.mark.parametrize(
    "name",
    [
        *("python", "python3", "python3.12", "uvicorn", "gunicorn", "pt_main_thread", "ray::ServeReplica:asr"),
        *("tritonserver", "riva_server", "riva-speech", "trtllm-serve", "VLLM::EngineCore", "vllm"),
        *("sglang::scheduler_TP0", "whisper-server", "llama-server", "sherpa-onnx-online-websocket-server"),
        *("sherpa-onnx-offline-websocket-server", "moshi-server", "funasr-wss-server-2pass"),
    ],
)
def test_a_server_is_known(name: str) -> None:
    assert is_known_server(name)


@pytest.mark.parametrize("name", ["", "-", "Xorg", "gnome-shell", "pythonista", "ffmpeg", "[Not Found]", "whisper"])
def test_what_is_no_server_is_not(name: str) -> None:
    assert not is_known_server(name)
