"""Callers who talk fast, or slowly: the step that has espeak speak the words of each clip again, at another speed.

It is speech from the beginning, not a recording that is played faster: the pitch stays, vowels are shortened more than
consonants, and espeak tells anew when each word sounds. A recording can't be spoken again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stt_load.audio.clip import Clip
from stt_load.clips.library import clips_from_tts
from stt_load.tts.engines import voice_of


@dataclass(frozen=True, slots=True)
class SpokenFaster:
    """The step that makes clips `speed` times as fast as espeak's usual voice speaks. They are cached, as all clips
    that are made. Raises ConfigError where espeak is needed and not installed."""

    speed: float

    @property
    def name(self) -> str:
        return f"speed{self.speed:g}"

    @property
    def in_words(self) -> str:
        return f"spoken {self.speed:g} times as fast"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        texts = {clip.clip_id: clip.reference for clip in clips}
        voice = replace(voice_of("espeak"), speed=self.speed)
        return clips_from_tts(voice, texts, clips[0].sample_rate_hz).clips
