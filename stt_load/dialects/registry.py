"""Every server that stt-load can speak to: one row each, and the rows that other installed packages bring."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from stt_load.dialects.assemblyai import AssemblyAI
from stt_load.dialects.deepgram import Deepgram
from stt_load.dialects.deepgram_flux import DeepgramFlux
from stt_load.dialects.events import Message
from stt_load.dialects.funasr import FunAsr
from stt_load.dialects.funasr_realtime import FunAsrRealtime
from stt_load.dialects.installed import installed_dialects
from stt_load.dialects.kyutai import Kyutai
from stt_load.dialects.nemotron import Nemotron
from stt_load.dialects.openai_realtime import OpenAiRealtime
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.realtimestt import RealtimeStt
from stt_load.dialects.riva import Riva
from stt_load.dialects.riva_grpc import METHOD, RivaGrpc
from stt_load.dialects.row import DialectRow
from stt_load.dialects.sglang import SglangOmni
from stt_load.dialects.sherpa_onnx import SherpaOnnx
from stt_load.dialects.sherpa_onnx_offline import SherpaOnnxOffline
from stt_load.dialects.speechmatics import Speechmatics
from stt_load.dialects.tingwu import TingWu
from stt_load.dialects.twilio_media import TwilioMedia
from stt_load.dialects.vllm_realtime import VllmRealtime
from stt_load.dialects.vosk import Vosk
from stt_load.dialects.whisperlive import WhisperLive
from stt_load.dialects.whisperlivekit import WhisperLiveKit
from stt_load.dialects.wyoming import Wyoming

DIALECTS: dict[str, DialectRow] = {
    row.name: row
    for row in (
        DialectRow(
            name="parakeet",
            summary="Parakeet FastAPI, its fork by mulkeym, and `stt-load serve`: int16 in, one text for each "
            "segment out",
            default_url="ws://localhost:8000/ws",
            homepage="https://github.com/Shadowfita/parakeet-tdt-0.6b-v2-fastapi",
            dialect=Parakeet,
        ),
        DialectRow(
            name="nemotron",
            summary="Nemotron Speech server of pipecat: int16 in, the text so far, one final when the client resets",
            default_url="ws://localhost:8080/",
            homepage="https://github.com/pipecat-ai/nemotron-january-2026",
            dialect=Nemotron,
        ),
        DialectRow(
            name="tingwu",
            summary="TingWu: int16 in, partials, one offline final, once a frame follows the end message",
            default_url="ws://localhost:8000/ws/realtime",
            homepage="https://github.com/skygazer42/TingWu",
            dialect=TingWu,
        ),
        DialectRow(
            name="funasr",
            summary="FunASR 2-pass, Python and C++, modes 2pass, offline and online: int16 in, one offline text for "
            "each segment of its VAD",
            default_url="ws://localhost:10095",
            homepage="https://github.com/modelscope/FunASR",
            dialect=FunAsr,
        ),
        DialectRow(
            name="funasr-realtime",
            summary="FunASR `realtime_ws`: int16 in, sentences that are locked and a partial",
            default_url="ws://localhost:10095",
            homepage="https://github.com/modelscope/FunASR",
            dialect=FunAsrRealtime,
        ),
        DialectRow(
            name="vosk",
            summary="vosk-server: int16 in, one reply for each message out; ended by `eof` or by a pause",
            default_url="ws://localhost:2700",
            homepage="https://github.com/alphacep/vosk-server",
            dialect=Vosk,
        ),
        DialectRow(
            name="sherpa-onnx",
            summary="sherpa-onnx streaming, Python and C++: float32 in, the text of the segment after every step out",
            default_url="ws://localhost:6006",
            homepage="https://github.com/k2-fsa/sherpa-onnx",
            dialect=SherpaOnnx,
        ),
        DialectRow(
            name="sherpa-onnx-offline",
            summary="sherpa-onnx not streaming: float32 whose length is announced first, one text out",
            default_url="ws://localhost:6006",
            homepage="https://github.com/k2-fsa/sherpa-onnx",
            dialect=SherpaOnnxOffline,
        ),
        DialectRow(
            name="whisperlive",
            summary="WhisperLive: float32 in, the newest segments after every pass out",
            default_url="ws://localhost:9090",
            homepage="https://github.com/collabora/WhisperLive",
            dialect=WhisperLive,
        ),
        DialectRow(
            name="whisperlivekit",
            summary="WhisperLiveKit: int16 in (`--pcm-input`), all lines and buffers at every change out",
            default_url="ws://localhost:8000/asr",
            homepage="https://github.com/QuentinFuxa/WhisperLiveKit",
            dialect=WhisperLiveKit,
        ),
        DialectRow(
            name="deepgram",
            summary="Deepgram v1, WhisperLiveKit's `/v1/listen`: int16 in, results that add up",
            default_url="wss://api.deepgram.com/v1/listen",
            homepage="https://developers.deepgram.com",
            dialect=Deepgram,
        ),
        DialectRow(
            name="openai-realtime",
            summary="OpenAI Realtime, transcription sessions, and SGLang: base64 int16 at 24 kHz in, one text for each "
            "committed item",
            default_url="wss://api.openai.com/v1/realtime",
            homepage="https://developers.openai.com/api/docs/guides/realtime",
            dialect=OpenAiRealtime,
        ),
        DialectRow(
            name="vllm-realtime",
            summary="vLLM with a realtime model: base64 int16 in, words as they are decoded, the whole text at the end",
            default_url="ws://localhost:8000/v1/realtime",
            homepage="https://github.com/vllm-project/vllm",
            dialect=VllmRealtime,
        ),
        DialectRow(
            name="sglang",
            summary="SGLang-Omni with a transcription model: base64 int16 in, one text for each segment of its VAD",
            default_url="ws://localhost:8000/v1/realtime",
            homepage="https://github.com/sgl-project/sglang-omni",
            dialect=SglangOmni,
        ),
        DialectRow(
            name="assemblyai",
            summary="AssemblyAI streaming v3: int16 in, turns out, the end of each is sent twice",
            default_url="wss://streaming.assemblyai.com/v3/ws",
            homepage="https://www.assemblyai.com/docs",
            dialect=AssemblyAI,
        ),
        DialectRow(
            name="speechmatics",
            summary="Speechmatics realtime, service and container: int16 in, every message acknowledged",
            default_url="wss://eu2.rt.speechmatics.com/v2",
            homepage="https://docs.speechmatics.com",
            dialect=Speechmatics,
        ),
        DialectRow(
            name="kyutai",
            summary="Kyutai's moshi-server: msgpack with floats at 24 kHz in, word by word out",
            default_url="ws://localhost:8080/api/asr-streaming",
            homepage="https://github.com/kyutai-labs/moshi",
            dialect=Kyutai,
        ),
        DialectRow(
            name="riva",
            summary="NVIDIA speech NIM (Riva), its realtime API: base64 int16 in, each chunk committed, one text an "
            "utterance",
            default_url="ws://localhost:9000/v1/realtime",
            homepage="https://docs.nvidia.com/nim/speech/latest/",
            dialect=Riva,
        ),
        DialectRow(
            name="riva-grpc",
            summary="NVIDIA speech NIM and Riva over gRPC: int16 in, interim and final results out, ended by the "
            "half-close",
            default_url=f"grpc://localhost:50051{METHOD}",
            homepage="https://docs.nvidia.com/nim/speech/latest/",
            dialect=RivaGrpc,
        ),
        DialectRow(
            name="wyoming",
            summary="Wyoming, Home Assistant's voice services (wyoming-faster-whisper): int16 over TCP in, one text an "
            "utterance",
            default_url="tcp://localhost:10300",
            homepage="https://github.com/rhasspy/wyoming",
            dialect=Wyoming,
        ),
        DialectRow(
            name="deepgram-flux",
            summary="Deepgram Flux, `/v2/listen`: int16 in, the text of each turn and its end, eager ends too",
            default_url="wss://api.deepgram.com/v2/listen",
            homepage="https://developers.deepgram.com/docs/flux/quickstart",
            dialect=DeepgramFlux,
        ),
        DialectRow(
            name="realtimestt",
            summary="RealtimeSTT 1.1, its production server: int16 in numbered packets in, partials and one final a "
            "turn out",
            default_url="ws://localhost:8010/v1/ws/transcribe",
            homepage="https://github.com/KoljaB/RealtimeSTT",
            dialect=RealtimeStt,
        ),
        DialectRow(
            name="twilio-media",
            summary="A bridge of your own that Twilio Media Streams call: µ-law of a call in, texts as it tells them "
            "out",
            default_url="ws://localhost:5050/media-stream",
            homepage="https://www.twilio.com/docs/voice/media-streams/websocket-messages",
            dialect=TwilioMedia,
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
        close = get_close_matches(name.lower(), [*DIALECTS, *installed_dialects()], n=1)
        meant = f" ({close[0]}?)" if close else ""
        raise ValueError(f"{name!r} is not known{meant}: see `stt-load dialects`")
    packages = [*(["stt-load"] if own else []), *(dialect.package for dialect in installed)]
    raise ValueError(f"{name!r} comes from {' and '.join(packages)}: uninstall all but one of them, or rename theirs")


def packages_of(name: str) -> tuple[str, ...]:
    """The other installed packages that bring a dialect of this name: at most one, unless it can't be used."""
    return tuple(
        dialect.entry_point.dist.name for dialect in installed_dialects().get(name, ()) if dialect.entry_point.dist
    )


def detect_refusal(said: str) -> list[str]:
    """Names of our own dialects whose server refuses a connection in these words."""
    return [row.name for row in DIALECTS.values() if row.dialect.recognises_refusal(said)]


def detect(messages: Sequence[Message]) -> list[str]:
    """Names of our own dialects that recognise at least one of these messages of a server."""
    return [row.name for row in DIALECTS.values() if any(row.dialect.recognises(message) for message in messages)]
