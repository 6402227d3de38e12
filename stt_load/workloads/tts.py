"""Listeners: each has a text spoken by the TTS server, hears it to its end, and asks for the next one.

The clips of such a run are texts: nothing of their samples is sent.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.texts import Texts, english_set
from stt_load.clips.folder import ClipSet, load_folder
from stt_load.config import RunConfig
from stt_load.dialects.base import End
from stt_load.errors import Outcome, Refusal
from stt_load.records import Figures, Measured, Stamp
from stt_load.tts.answer import Spoken
from stt_load.tts.apis import TTS_APIS
from stt_load.workloads.tts_http import Speaker
from stt_load.workloads.workload import Caller

_WORDS_PER_S = 2.5
_RATE_HZ = 1_000  # of the silence that stands for speech to come


def texts_to_speak(config: RunConfig) -> ClipSet:
    """The references of `--clips`, else the shipped English sentences in pairs: a server that streams by the sentence
    has something to stream then. Each is as long as it takes to say about so much, for the random moments at which
    listeners arrive: how long it really is, the server decides."""
    if config.clips:
        found = load_folder(config.clips, None)
        named = {clip.clip_id: clip.reference for clip in found.clips}
        source, digest = f"the texts of {found.source}", found.manifest_sha256
    else:
        named, source = _in_pairs(english_set()), "the shipped English sentences, two at a time"
        digest = hashlib.sha256("\n".join(named.values()).encode()).hexdigest()
    return ClipSet(tuple(_silent_clip(name, text) for name, text in named.items()), source, digest)


def _in_pairs(texts: Texts) -> Texts:
    """Each text with the one after it, the last with the first: as many as there were."""
    ids = list(texts)
    return {first: f"{texts[first]} {texts[second]}" for first, second in zip(ids, [*ids[1:], ids[0]], strict=True)}


def _silent_clip(name: str, text: str) -> Clip:
    duration_s = len(text.split()) / _WORDS_PER_S
    return Clip(name, text, np.zeros(round(duration_s * _RATE_HZ), np.int16), _RATE_HZ, 0.0, duration_s)


class TtsWorkload:
    """A connection for each request: nothing of a listener stays open between two turns. That the server streams is
    known once this process has seen it."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], api_key: str | None) -> None:
        api = TTS_APIS[config.dialect]
        options, is_strict = config.dialect_options, not config.insecure
        self._speaker = Speaker(api, config.stt_url, options, config.timeout_s, api_key, is_strict)
        self._server_streams = False

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return texts_to_speak(config)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> TtsAttempt:
        return TtsAttempt(self, clip.reference)

    def speak(self, text: str) -> Spoken:
        spoken = self._speaker.speak(text)
        self._server_streams |= spoken.is_streamed
        return spoken

    def measure(self, spoken: Spoken, duration_s: float) -> TtsFigures:
        """Outcome and every figure of one answer."""
        first_audio_s = spoken.first_audio_s(self._server_streams)
        playback = spoken.playback if first_audio_s is not None else None
        return TtsFigures(
            outcome=spoken.outcome,
            error=spoken.error,
            refusal=spoken.refusal,
            connect_s=spoken.connect_s,
            stamp=spoken.stamp,
            audio_s=spoken.audio_s or 0.0,
            speech_s=spoken.audio_s or 0.0,
            duration_s=duration_s,
            total_s=spoken.total_s if spoken.is_ok else None,
            first_audio_s=first_audio_s,
            gap_max_s=None if playback is None else max(spoken.gaps_s, default=0.0),
            underruns=None if playback is None else playback.underruns,
            stall_s=None if playback is None else playback.stall_s,
        )


class TtsFigures(Figures, frozen=True, gc=False):
    """What came of one text to be spoken: fields of `UtteranceRecord`."""

    outcome: Outcome
    error: str | None
    refusal: Refusal | None
    connect_s: float | None
    stamp: Stamp
    audio_s: float
    speech_s: float
    duration_s: float
    total_s: float | None
    first_audio_s: float | None
    gap_max_s: float | None
    underruns: int | None
    stall_s: float | None
    end: End = "client"


class TtsAttempt:
    """One text of one listener."""

    def __init__(self, workload: TtsWorkload, text: str) -> None:
        self._workload = workload
        self._text = text
        self._begun_at_s = time.monotonic()
        self._spoken: Spoken | None = None

    @property
    def state(self) -> str:
        return "waiting" if self._spoken is None else "done"

    def run(self) -> Measured:
        self._begun_at_s = time.monotonic()
        self._spoken = self._workload.speak(self._text)
        return self._measure(self._spoken)

    def interrupt(self, why: str) -> Measured:
        return self._measure(self._spoken or Spoken(Outcome.INTERRUPTED, error=why))

    def _measure(self, spoken: Spoken) -> Measured:
        return (self._workload.measure(spoken, time.monotonic() - self._begun_at_s),)
