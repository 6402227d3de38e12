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
from stt_load.errors import Outcome
from stt_load.kinds import TTS
from stt_load.records import UtteranceRecord
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

    def measure_into(self, record: UtteranceRecord, spoken: Spoken) -> None:
        """Outcome and every figure of one answer."""
        record.outcome, record.error, record.refusal = spoken.outcome, spoken.error, spoken.refusal
        record.connect_s, record.stamp = spoken.connect_s, spoken.stamp
        record.audio_s = record.speech_s = spoken.audio_s or 0.0
        if not spoken.is_ok:
            return
        record.total_s = spoken.total_s
        record.first_audio_s = spoken.first_audio_s(self._server_streams)
        if record.first_audio_s is not None and spoken.playback is not None:
            record.gap_max_s = max(spoken.gaps_s, default=0.0)
            record.underruns, record.stall_s = spoken.playback.underruns, spoken.playback.stall_s

    def hang_up(self, caller: Caller) -> None:
        caller.keeps = None


class TtsAttempt:
    def __init__(self, speaking: TtsWorkload, text: str) -> None:
        self._speaking = speaking
        self._text = text
        self._begun_at_s = time.monotonic()
        self._spoken: Spoken | None = None

    @property
    def state(self) -> str:
        return "waiting" if self._spoken is None else "done"

    def run(self, record: UtteranceRecord) -> None:
        self._begun_at_s = time.monotonic()
        self._spoken = self._speaking.speak(self._text)

    def interrupt(self, why: str) -> None:
        if self._spoken is None:
            self._spoken = Spoken(Outcome.INTERRUPTED, error=why)

    def measure_into(self, record: UtteranceRecord) -> None:
        record.kind, record.end = TTS.name, "client"
        record.duration_s = time.monotonic() - self._begun_at_s
        if self._spoken is not None:
            self._speaking.measure_into(record, self._spoken)
