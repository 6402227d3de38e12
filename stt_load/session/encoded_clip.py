"""A clip as the messages of one dialect: made once, shared by every caller that speaks it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule, cut_bytes, cut_frames, silence_of
from stt_load.audio.line_codecs import LINE_CODECS
from stt_load.audio.speech_bounds import pauses_of
from stt_load.dialects.base import AudioLength, Dialect
from stt_load.dialects.events import Message
from stt_load.session.prepared_message import PreparedMessage


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """A clip cut and encoded for one dialect.

    `frames`: the messages of each, as their carrier sends them. `n_before_end`: how many are sent before the client
    says that speech has ended. `cut_before_end_s`: how long before its speech ends the server may cut the clip for the
    first time; 0 where it has no reason to cut it earlier. `most_segments`: into how many segments the server may cut
    it, one for each pause and the last; None where it is longer than a segment may be, and cut anywhere. `audio_s`: its
    length with the trailing silence.
    """

    clip: Clip
    rule: FrameRule
    frames: Sequence[Sequence[PreparedMessage]]
    n_before_end: int
    cut_before_end_s: float = 0.0
    most_segments: int | None = 1

    @property
    def audio_s(self) -> float:
        return len(self.frames) * self.rule.frame_s

    @property
    def length(self) -> AudioLength:
        return AudioLength(len(self.frames), len(self.frames) * self.rule.samples)


def encode_clip(clip: Clip, rule: FrameRule, trailing_silence_s: float, dialect: Dialect) -> EncodedClip:
    """Cuts a clip into the frames of one dialect and encodes them.

    Where the client ends the utterance, the audio ends with the frame that holds the end of speech (in a recording, the
    latest moment where that can be), as it does for somebody who lets go of a button; then come `trailing_silence_s`,
    the end message, and the silence that the server needs to get to the last words.
    """
    server, speech_end_s = dialect.capabilities, clip.speech_end_s
    pcm = cut_frames(clip, rule, trailing_silence_s)
    n_before_end = len(pcm)
    if dialect.settings.end == "client":
        n_trailing, n_flush = rule.frames_for(trailing_silence_s), rule.frames_for(server.flush_silence_s)
        silence = cut_bytes(silence_of(clip, (n_trailing + n_flush) * rule.frame_bytes), rule)
        pcm = pcm[: math.ceil(clip.can_be_cut_at_s / rule.frame_s)] + silence
        n_before_end = len(pcm) - n_flush
    cut_at_s = [pause.start_s for pause in pauses_of(clip) if pause.length_s >= server.min_endpoint_s]
    return EncodedClip(
        clip,
        rule,
        _encode(pcm, dialect),
        n_before_end,
        cut_before_end_s=max(0.0, speech_end_s - min([*cut_at_s, server.max_segment_s])),
        most_segments=None if speech_end_s > server.max_segment_s else len(cut_at_s) + 1,
    )


def _encode(pcm: Sequence[bytes], dialect: Dialect) -> list[Sequence[PreparedMessage]]:
    """The messages of each frame. Frames with equal messages, as most of silence have, share theirs."""
    if dialect.settings.codec is not None:
        codec = LINE_CODECS[dialect.settings.codec]
        pcm = [codec.encode(np.frombuffer(frame, "<i2")) for frame in pcm]
    prepare = dialect.carrier.prepared_class()
    encoded: dict[tuple[Message, ...], Sequence[PreparedMessage]] = {}
    frames = []
    for n, frame in enumerate(pcm):
        messages = tuple(dialect.encode_nth(n, frame))
        if messages not in encoded:
            encoded[messages] = tuple(map(prepare, messages))
        frames.append(encoded[messages])
    return frames
