"""What the embedded recogniser can speak: one row each, named as in `stt_load/dialects/registry.py`."""

from __future__ import annotations

from stt_load.server.voice import Voice
from stt_load.server.voices.parakeet import ParakeetVoice

VOICES: dict[str, type[Voice]] = {
    "parakeet": ParakeetVoice,
}
