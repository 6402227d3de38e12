"""What the embedded recogniser can speak: one row each, named as in `stt_load/dialects/registry.py`."""

from __future__ import annotations

from stt_load.server.voice import Voice
from stt_load.server.voices.assemblyai import AssemblyAIVoice
from stt_load.server.voices.deepgram import DeepgramVoice
from stt_load.server.voices.funasr import FunAsrVoice
from stt_load.server.voices.funasr_realtime import FunAsrRealtimeVoice
from stt_load.server.voices.kyutai import KyutaiVoice
from stt_load.server.voices.nemotron import NemotronVoice
from stt_load.server.voices.openai_realtime import OpenAiRealtimeVoice
from stt_load.server.voices.parakeet import ParakeetVoice
from stt_load.server.voices.riva import RivaVoice
from stt_load.server.voices.sglang import SglangOmniVoice
from stt_load.server.voices.sherpa_onnx import SherpaOnnxVoice
from stt_load.server.voices.sherpa_onnx_offline import SherpaOnnxOfflineVoice
from stt_load.server.voices.speechmatics import SpeechmaticsVoice
from stt_load.server.voices.tingwu import TingWuVoice
from stt_load.server.voices.vllm_realtime import VllmRealtimeVoice
from stt_load.server.voices.vosk import VoskVoice
from stt_load.server.voices.whisperlive import WhisperLiveVoice
from stt_load.server.voices.whisperlivekit import WhisperLiveKitVoice

VOICES: dict[str, type[Voice]] = {
    "parakeet": ParakeetVoice,
    "nemotron": NemotronVoice,
    "tingwu": TingWuVoice,
    "funasr": FunAsrVoice,
    "funasr-realtime": FunAsrRealtimeVoice,
    "vosk": VoskVoice,
    "sherpa-onnx": SherpaOnnxVoice,
    "sherpa-onnx-offline": SherpaOnnxOfflineVoice,
    "whisperlive": WhisperLiveVoice,
    "whisperlivekit": WhisperLiveKitVoice,
    "deepgram": DeepgramVoice,
    "openai-realtime": OpenAiRealtimeVoice,
    "vllm-realtime": VllmRealtimeVoice,
    "sglang": SglangOmniVoice,
    "assemblyai": AssemblyAIVoice,
    "speechmatics": SpeechmaticsVoice,
    "kyutai": KyutaiVoice,
    "riva": RivaVoice,
}
