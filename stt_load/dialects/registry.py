"""Every server that stt-load can speak to: one row each. The README table and `stt-load dialects` read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.dialects.assemblyai import AssemblyAI
from stt_load.dialects.base import Capabilities, Dialect, DialectOption, End, Settings
from stt_load.dialects.deepgram import Deepgram
from stt_load.dialects.events import Message
from stt_load.dialects.funasr import FunAsr
from stt_load.dialects.funasr_realtime import FunAsrRealtime
from stt_load.dialects.kyutai import Kyutai
from stt_load.dialects.nemotron import Nemotron
from stt_load.dialects.openai_realtime import OpenAiRealtime
from stt_load.dialects.options import parse_option_texts
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.riva import Riva
from stt_load.dialects.sglang import SglangOmni
from stt_load.dialects.sherpa_onnx import SherpaOnnx
from stt_load.dialects.sherpa_onnx_offline import SherpaOnnxOffline
from stt_load.dialects.speechmatics import Speechmatics
from stt_load.dialects.tingwu import TingWu
from stt_load.dialects.vllm_realtime import VllmRealtime
from stt_load.dialects.vosk import Vosk
from stt_load.dialects.whisperlive import WhisperLive
from stt_load.dialects.whisperlivekit import WhisperLiveKit


@dataclass(frozen=True, slots=True)
class DialectRow:
    """`kind`: the class that speaks it, once for each connection."""

    name: str
    summary: str
    default_url: str
    kind: type[Dialect]

    @property
    def capabilities(self) -> Capabilities:
        """With every option at its default."""
        return self.kind().capabilities

    @property
    def options(self) -> tuple[DialectOption, ...]:
        return self.kind.options

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        return self.kind.unconfirmed

    @property
    def takes_key(self) -> bool:
        return self.kind.takes_key

    def facts(self) -> dict[str, str]:
        """What `stt-load dialects NAME` says of it, by label."""
        able = self.capabilities
        multiple = able.frame_multiple_bytes
        facts = {
            "audio": f"{able.encoding} mono, {able.sample_rate_hz} Hz",
            "frames": "any size" if multiple == 2 else f"multiples of {multiple} bytes",
            "utterances end by": " or ".join(able.ends) + (", the first by default" if len(able.ends) > 1 else ""),
            "silence": f"{able.trailing_silence_s:g} s after the clip where the server ends the utterance, "
            f"{able.min_trailing_silence_s:g} s at the least",
            "a connection": "carries many utterances" if able.many_utterances else "carries one utterance",
            "ready message": "yes" if able.has_ready else "no",
        }
        if "server" not in able.ends:
            del facts["silence"]
        return facts

    def make(self, settings: Settings) -> Dialect:
        """A fresh dialect for one connection."""
        return self.kind(settings)

    def parse_options(self, given: Sequence[str]) -> dict[str, Any]:
        """`KEY=VALUE` texts → parsed values, defaults filled in. Raises ConfigError with every problem."""
        return parse_option_texts(self.name, self.options, given)


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


def settings_of(end: End, options: Mapping[str, Any], api_key: str | None) -> Settings:
    """Of a run that was asked for like this. A key that was read from a file often ends its line, which in a header
    would end the request."""
    return Settings(options=options, end=end, api_key=(api_key or "").strip() or None)


def detect(messages: Sequence[Message]) -> list[str]:
    """Names of the dialects that one of these first messages of a server belongs to."""
    return [row.name for row in DIALECTS.values() if any(row.kind.recognises(message) for message in messages)]
