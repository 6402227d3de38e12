"""The servers that the embedded recogniser can stand in for: one file each, and one row in `SERVER_DIALECTS`.

A row has the name of its client's side in `stt_load/dialects/registry.py`.
"""

from __future__ import annotations

from stt_load.server.dialects.assemblyai import AssemblyAIServer
from stt_load.server.dialects.deepgram import DeepgramServer
from stt_load.server.dialects.deepgram_flux import DeepgramFluxServer
from stt_load.server.dialects.funasr import FunAsrServer
from stt_load.server.dialects.funasr_realtime import FunAsrRealtimeServer
from stt_load.server.dialects.kyutai import KyutaiServer
from stt_load.server.dialects.nemotron import NemotronServer
from stt_load.server.dialects.openai_realtime import OpenAiRealtimeServer
from stt_load.server.dialects.parakeet import ParakeetServer
from stt_load.server.dialects.realtimestt import RealtimeSttServer
from stt_load.server.dialects.riva import RivaServer
from stt_load.server.dialects.sglang import SglangOmniServer
from stt_load.server.dialects.sherpa_onnx import SherpaOnnxServer
from stt_load.server.dialects.sherpa_onnx_offline import SherpaOnnxOfflineServer
from stt_load.server.dialects.speechmatics import SpeechmaticsServer
from stt_load.server.dialects.tingwu import TingWuServer
from stt_load.server.dialects.twilio_media import TwilioMediaServer
from stt_load.server.dialects.vllm_realtime import VllmRealtimeServer
from stt_load.server.dialects.vosk import VoskServer
from stt_load.server.dialects.whisperlive import WhisperLiveServer
from stt_load.server.dialects.whisperlivekit import WhisperLiveKitServer
from stt_load.server.server_dialect import ServerDialect

SERVER_DIALECTS: dict[str, type[ServerDialect]] = {
    "parakeet": ParakeetServer,
    "nemotron": NemotronServer,
    "tingwu": TingWuServer,
    "funasr": FunAsrServer,
    "funasr-realtime": FunAsrRealtimeServer,
    "vosk": VoskServer,
    "sherpa-onnx": SherpaOnnxServer,
    "sherpa-onnx-offline": SherpaOnnxOfflineServer,
    "whisperlive": WhisperLiveServer,
    "whisperlivekit": WhisperLiveKitServer,
    "deepgram": DeepgramServer,
    "openai-realtime": OpenAiRealtimeServer,
    "vllm-realtime": VllmRealtimeServer,
    "sglang": SglangOmniServer,
    "assemblyai": AssemblyAIServer,
    "speechmatics": SpeechmaticsServer,
    "kyutai": KyutaiServer,
    "riva": RivaServer,
    "deepgram-flux": DeepgramFluxServer,
    "realtimestt": RealtimeSttServer,
    "twilio-media": TwilioMediaServer,
}
