"""What the embedded recogniser can speak: one row each, named as in `stt_load/dialects/registry.py`."""

from __future__ import annotations

from stt_load.server.voice import Voice
from stt_load.server.voices.assemblyai import AssemblyAIVoice
from stt_load.server.voices.deepgram import DeepgramVoice
from stt_load.server.voices.funasr import FunAsrVoice
from stt_load.server.voices.funasr_realtime import FunAsrRealtimeVoice
from stt_load.server.voices.nemotron import NemotronVoice
from stt_load.server.voices.parakeet import ParakeetVoice
from stt_load.server.voices.tingwu import TingWuVoice

VOICES: dict[str, type[Voice]] = {
    "parakeet": ParakeetVoice,
    "nemotron": NemotronVoice,
    "tingwu": TingWuVoice,
    "funasr": FunAsrVoice,
    "funasr-realtime": FunAsrRealtimeVoice,
    "deepgram": DeepgramVoice,
    "assemblyai": AssemblyAIVoice,
}
