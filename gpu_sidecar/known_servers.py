"""The table of programs that are known to serve speech recognition, by the name that nvidia-smi shows for a process."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownServer:
    """One program. `pattern` matches the whole of a process's short name, in any case."""

    program: str
    pattern: str


KNOWN_SERVERS = (
    KnownServer("a server in Python", r"python[0-9.]*|pt_main_thread|uvicorn|gunicorn|hypercorn|ray::.*"),
    KnownServer("NVIDIA Triton", r"tritonserver"),
    KnownServer("NVIDIA Riva", r"riva[-_].*"),
    KnownServer("TensorRT-LLM", r"trtllm-serve"),
    KnownServer("vLLM", r"vllm(::.*)?"),
    KnownServer("SGLang", r"sglang(::.*)?"),
    KnownServer("whisper.cpp", r"whisper-(server|stream)"),
    KnownServer("llama.cpp", r"llama-server"),
    KnownServer("sherpa-onnx", r"sherpa-onnx-.*"),
    KnownServer("Kyutai's moshi-server", r"moshi-(server|backend)"),
    KnownServer("FunASR", r"funasr-wss-.*"),
    KnownServer("NeMo", r"nemo[-_].*"),
)

_ANY = re.compile("|".join(f"(?:{server.pattern})" for server in KNOWN_SERVERS), re.IGNORECASE)


def is_known_server(short_name: str) -> bool:
    return _ANY.fullmatch(short_name) is not None
