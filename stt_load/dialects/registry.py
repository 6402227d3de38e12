"""Every server that stt-load can speak to: one row each, and the rows that other installed packages bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.dialects.assemblyai import AssemblyAI
from stt_load.dialects.base import End, Settings
from stt_load.dialects.deepgram import Deepgram
from stt_load.dialects.events import Message
from stt_load.dialects.funasr import FunAsr
from stt_load.dialects.funasr_realtime import FunAsrRealtime
from stt_load.dialects.installed import installed_dialects
from stt_load.dialects.kyutai import Kyutai
from stt_load.dialects.nemotron import Nemotron
from stt_load.dialects.openai_realtime import OpenAiRealtime
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.riva import Riva
from stt_load.dialects.row import DialectRow
from stt_load.dialects.sglang import SglangOmni
from stt_load.dialects.sherpa_onnx import SherpaOnnx
from stt_load.dialects.sherpa_onnx_offline import SherpaOnnxOffline
from stt_load.dialects.speechmatics import Speechmatics
from stt_load.dialects.tingwu import TingWu
from stt_load.dialects.vllm_realtime import VllmRealtime
from stt_load.dialects.vosk import Vosk
from stt_load.dialects.whisperlive import WhisperLive
from stt_load.dialects.whisperlivekit import WhisperLiveKit

DIALECTS: dict[str, DialectRow] = {
    row.name: row
    for row in (
        DialectRow(
            "parakeet",
            "Parakeet FastAPI: int16 in, one text per VAD utterance out; also what `stt-load serve` speaks",
            "ws://localhost:8000/ws",
            Parakeet,
        ),
        DialectRow(
            "nemotron",
            "Nemotron Speech server of pipecat: int16 in, the text so far and one final a reset out",
            "ws://localhost:8080/",
            Nemotron,
        ),
        DialectRow(
            "tingwu",
            "TingWu: int16 in, partials and one offline final out, once a frame follows the end message",
            "ws://localhost:8000/ws/realtime",
            TingWu,
        ),
        DialectRow(
            "funasr",
            "FunASR 2-pass (2pass, online, offline; Python and C++): int16 in, one offline text a VAD segment out",
            "ws://localhost:10095",
            FunAsr,
        ),
        DialectRow(
            "funasr-realtime",
            "FunASR realtime_ws: plain commands and int16 in, locked sentences and a partial out",
            "ws://localhost:10095",
            FunAsrRealtime,
        ),
        DialectRow(
            "vosk",
            "vosk-server: int16 in, one reply a frame out, ended by eof or by a pause",
            "ws://localhost:2700",
            Vosk,
        ),
        DialectRow(
            "sherpa-onnx",
            "sherpa-onnx, streaming (Python and C++): float32 in, the text of the segment after every step out",
            "ws://localhost:6006",
            SherpaOnnx,
        ),
        DialectRow(
            "sherpa-onnx-offline",
            "sherpa-onnx, not streaming (Python and C++): float32 of a length told before in, one text out",
            "ws://localhost:6006",
            SherpaOnnxOffline,
        ),
        DialectRow(
            "whisperlive",
            "WhisperLive: float32 in, the latest segments after every pass out, completed in silence",
            "ws://localhost:9090",
            WhisperLive,
        ),
        DialectRow(
            "whisperlivekit",
            "WhisperLiveKit: int16 in, all lines and buffers at every change out, ended by an empty frame",
            "ws://localhost:8000/asr",
            WhisperLiveKit,
        ),
        DialectRow(
            "deepgram",
            "Deepgram and servers that speak like it: int16 in, results that add up out, a turn ended by silence",
            "wss://api.deepgram.com/v1/listen",
            Deepgram,
        ),
        DialectRow(
            "openai-realtime",
            "OpenAI Realtime and SGLang: base64 int16 at 24 kHz in, one text for each committed item out",
            "wss://api.openai.com/v1/realtime",
            OpenAiRealtime,
        ),
        DialectRow(
            "vllm-realtime",
            "vLLM realtime: base64 int16 in, words as they are decoded and the whole text at the end",
            "ws://localhost:8000/v1/realtime",
            VllmRealtime,
        ),
        DialectRow(
            "sglang",
            "SGLang-Omni realtime: base64 int16 in, the text of each segment out",
            "ws://localhost:8000/v1/realtime",
            SglangOmni,
        ),
        DialectRow(
            "assemblyai",
            "AssemblyAI streaming v3: int16 in, turns out, each end told raw and then formatted",
            "wss://streaming.assemblyai.com/v3/ws",
            AssemblyAI,
        ),
        DialectRow(
            "speechmatics",
            "Speechmatics realtime, service or container: int16 in, each frame acknowledged, texts that add up",
            "wss://eu2.rt.speechmatics.com/v2",
            Speechmatics,
        ),
        DialectRow(
            "kyutai",
            "Kyutai's moshi-server: msgpack floats at 24 kHz in, word by word out",
            "ws://localhost:8080/api/asr-streaming",
            Kyutai,
        ),
        DialectRow(
            "riva",
            "NVIDIA speech NIM (Riva), realtime: base64 int16 in, each chunk committed, one text an utterance out",
            "ws://localhost:9000/v1/realtime",
            Riva,
        ),
    )
}


def find_dialect(name: str) -> DialectRow:
    """The row of this name, from here or from another installed package. Raises ValueError where there is none, where
    two packages bring one, or where it can't be loaded."""
    own, installed = DIALECTS.get(name), installed_dialects().get(name, ())
    if own is not None and not installed:
        return own
    if own is None and len(installed) == 1:
        return installed[0].load()
    if not installed:
        raise ValueError(f"{name!r} is not known: see `stt-load dialects`")
    packages = [*(["stt-load"] if own else []), *(dialect.package for dialect in installed)]
    raise ValueError(f"{name!r} comes from {' and '.join(packages)}: uninstall all but one of them, or rename theirs")


def settings_for_run(end: End, options: Mapping[str, Any], api_key: str | None) -> Settings:
    """The settings of all dialects of one run. A key that was read from a file often ends its line, which in a header
    would end the request."""
    return Settings(options=options, end=end, api_key=(api_key or "").strip() or None)


def detect(messages: Sequence[Message]) -> list[str]:
    """Names of our own dialects that recognise at least one of these messages of a server."""
    return [row.name for row in DIALECTS.values() if any(row.dialect.recognises(message) for message in messages)]
