"""The table of programs that are known to serve speech recognition, by the name that nvidia-smi shows for a process."""

from __future__ import annotations

import re
from collections.abc import Mapping

KNOWN_SERVERS: Mapping[str, str] = {
    "a server in Python": r"python[0-9.]*|pt_main_thread|uvicorn|gunicorn|hypercorn|ray::.*",
    "NVIDIA Triton": r"tritonserver",
    "NVIDIA Riva": r"riva[-_].*",
    "TensorRT-LLM": r"trtllm-serve",
    "vLLM": r"vllm(::.*)?",
    "SGLang": r"sglang(::.*)?",
    "whisper.cpp": r"whisper-(server|stream)",
    "llama.cpp": r"llama-server",
    "sherpa-onnx": r"sherpa-onnx-.*",
    "Kyutai's moshi-server": r"moshi-(server|backend)",
    "FunASR": r"funasr-wss-.*",
    "NeMo": r"nemo[-_].*",
}
"""Program -> a pattern that matches the whole of a process's short name, in any case."""

_ANY = re.compile("|".join(f"(?:{pattern})" for pattern in KNOWN_SERVERS.values()), re.IGNORECASE)


def is_known_server(short_name: str) -> bool:
    return _ANY.fullmatch(short_name) is not None
