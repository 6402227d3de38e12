"""How loud callers speak: the step that sets the level of their speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.codec import to_int16
from stt_load.audio.derived import gain_of, speech_rms
from stt_load.audio.sound_levels import to_wave
from stt_load.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AtLevel:
    """The step that makes clips so loud. `dbfs`: RMS of the speech, pauses of 0.2 s and more left out, in dB relative
    to full scale, at which a square wave has 0."""

    dbfs: float

    @property
    def name(self) -> str:
        return f"level{self.dbfs:g}"

    @property
    def in_words(self) -> str:
        return f"{self.dbfs:g} dBFS"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        gains = [gain_of(self.dbfs) / speech_rms(clip) for clip in clips]
        peaks = [gain * float(np.abs(to_wave(clip.samples)).max()) for clip, gain in zip(clips, gains, strict=True)]
        if max(peaks) > 1.0:
            most_dbfs = np.floor(self.dbfs - 20 * np.log10(max(peaks)))
            loudest = clips[peaks.index(max(peaks))].clip_id
            raise ConfigError(
                f"--level {self.dbfs:g}: {loudest} is beyond full scale then: {most_dbfs:g} is the most for these clips"
            )
        return [
            replace(clip, samples=to_int16(np.asarray(to_wave(clip.samples) * gain, np.float32)))
            for clip, gain in zip(clips, gains, strict=True)
        ]
