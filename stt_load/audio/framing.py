"""A clip cut into frames, the way a microphone would deliver it.

Frame k covers `[k·d, (k+1)·d)` of the audio and is due `(k+1)·d` after the stream starts: a microphone
can't send the future.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stt_load.audio.clip import Clip

SAMPLE_BYTES = 2  # int16


@dataclass(frozen=True, slots=True)
class FrameRule:
    """The frame size of a run. `note` explains why it differs from `asked_ms`, None if it doesn't."""

    asked_ms: float
    samples: int
    sample_rate_hz: int
    note: str | None = None

    @property
    def frame_s(self) -> float:
        return self.samples / self.sample_rate_hz

    @property
    def frame_ms(self) -> float:
        return 1_000 * self.frame_s

    @property
    def frame_bytes(self) -> int:
        return self.samples * SAMPLE_BYTES

    def frames_for(self, duration_s: float) -> int:
        """How many whole frames audio of this length takes."""
        return math.ceil(round(duration_s * self.sample_rate_hz) / self.samples)


def choose_frame(asked_ms: float, sample_rate_hz: int, multiple_bytes: int) -> FrameRule:
    """The largest frame that is no longer than asked and that the server takes whole (at least one multiple).

    A server that works in windows throws away what is left of every frame that is no multiple of its window:
    speech goes missing and shows as WER, not as an error. So the frame gives way, not the audio.
    """
    asked_samples = round(asked_ms * sample_rate_hz / 1_000)
    step_samples = max(1, multiple_bytes // SAMPLE_BYTES)
    samples = max(step_samples, asked_samples // step_samples * step_samples)
    if samples == asked_samples:
        return FrameRule(asked_ms, samples, sample_rate_hz)
    lost = asked_samples % step_samples
    note = (
        f"frames are {1_000 * samples / sample_rate_hz:g} ms instead of {asked_ms:g} ms: the server takes multiples of "
        f"{multiple_bytes} bytes, so {lost} of every {asked_samples} samples would be lost or late"
    )
    return FrameRule(asked_ms, samples, sample_rate_hz, note)


def cut_frames(clip: Clip, rule: FrameRule, trailing_silence_s: float) -> list[bytes]:
    """The clip and its trailing silence as whole frames of int16 LE PCM, the last one filled up with silence: with what
    the room of the clip sounds like, where it has one.

    Raises ValueError where the clip has another sample rate than the rule.
    """
    if clip.sample_rate_hz != rule.sample_rate_hz:
        raise ValueError(f"clip {clip.clip_id} is at {clip.sample_rate_hz} Hz, frames are cut at {rule.sample_rate_hz}")
    speech = clip.samples.astype("<i2", copy=False).tobytes()
    wanted_bytes = len(speech) + round(trailing_silence_s * rule.sample_rate_hz) * SAMPLE_BYTES
    n_frames = -(-wanted_bytes // rule.frame_bytes)
    return cut_bytes(speech + silence_of(clip, n_frames * rule.frame_bytes - len(speech)), rule)


def silence_of(clip: Clip, n_bytes: int) -> bytes:
    """So many bytes of what is heard behind the end of a clip, int16 LE PCM: its room, or digital silence."""
    if clip.room is None:
        return bytes(n_bytes)
    room = clip.room.astype("<i2", copy=False).tobytes()
    return (room * (n_bytes // len(room) + 1))[:n_bytes]


def cut_bytes(stream: bytes, rule: FrameRule) -> list[bytes]:
    """The bytes in frames; the last one has what is left."""
    return [stream[at : at + rule.frame_bytes] for at in range(0, len(stream), rule.frame_bytes)]
