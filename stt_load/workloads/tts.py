"""Listeners: each has a text spoken by the TTS server, hears it to its end, and asks for the next one.

The clips of such a run are texts: nothing of their samples is sent.
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.texts import Texts, english_set
from stt_load.clips.folder import ClipSet, load_folder
from stt_load.config import RunConfig
from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.dialects.base import End
from stt_load.errors import Outcome, Refusal, SttLoadError
from stt_load.net.http import HttpClient
from stt_load.pacing.greenlet_driver import greenlet_driver, plain_socket
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.process.log import messages_log, show_messages
from stt_load.records import Figures, Measured, Stamp, UtteranceRecord
from stt_load.session.outcomes import Ending, ending_of_request
from stt_load.tts.apis import TTS_APIS, Options, TtsApi
from stt_load.tts.speech_reader import SpeechReader, TtsResult
from stt_load.tts.text_stream import TextStreamApi
from stt_load.workloads.text_stream import SentText, TextStreamClient
from stt_load.workloads.workload import Caller, Facts, Show, as_ms

MAX_ANSWER_BYTES = 256 << 20
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


@dataclass(frozen=True, slots=True)
class TtsClient:
    """A TTS server, and how it is asked. `timeout_s`: from the first byte of a request to the last of its answer."""

    api: TtsApi
    url: str
    options: Options
    timeout_s: float
    credentials: Credentials = NO_CREDENTIALS
    checks_certificate: bool = True
    connect_timeout_s: float = 10.0

    def request(self, text: str, show: Show | None = None, phase: float = 0.0) -> TtsRequest:
        """A request that is yet to be sent. `phase` means nothing to a text that is sent whole."""
        key = self.credentials.api_key
        client = HttpClient(
            self.url,
            {"Authorization": f"Bearer {key}"} if key else {},
            self.timeout_s,
            MAX_ANSWER_BYTES,
            self.credentials,
            self.checks_certificate,
            self.connect_timeout_s,
        )
        body = json.dumps(self.api.body(text, self.options)).encode()
        reader = SpeechReader(str(self.options.get("response_format") or ""))
        return TtsRequest(client, body, reader, show)

    def synthesise(self, text: str) -> TtsResult:
        """Has one text spoken. Every fault ends up in what is returned; what a greenlet is killed with is raised."""
        return self.request(text).run()


class TtsRequest:
    """One text that a server is to speak, on a connection of its own. `show` is told each piece of audio that came."""

    sent = None  # the text went out whole, with the request

    def __init__(self, client: HttpClient, body: bytes, reader: SpeechReader, show: Show | None = None) -> None:
        self._client = client
        self._post = client.post(body, "application/json")
        self._reader = reader
        self._show = show

    def run(self) -> TtsResult:
        """Every fault ends up in what is returned; what a greenlet is killed with is raised: `interrupt` then."""
        reader = self._reader
        try:
            with self._post as post:
                post.send()
                reader.begin(post.headers)
                for arrived_s, data in post:
                    reader.feed(post.since_start_s(arrived_s) or 0.0, data)
            result = reader.close(post.since_start_s(post.ended_at_s) or 0.0)
        except SttLoadError as fault:
            result = reader.end(ending_of_request(fault))
        if self._show is not None:
            for arrival in reader.arrivals:
                self._show(f"{arrival.at_s:+9.3f} < {arrival.n_bytes} bytes of audio")
        return self._completed(result)

    def interrupt(self, why: str) -> TtsResult:
        """What was measured of a request that did not come to its end."""
        return self._completed(self._reader.end(Ending(Outcome.INTERRUPTED, why)))

    def _completed(self, result: TtsResult) -> TtsResult:
        post = self._post
        return replace(
            result,
            error=self._client.hide(result.error),
            connect_s=post.connect_s,
            stamp=post.stamp,
            arrival_late_s=post.arrival_late_s if result.is_ok else None,
        )


class SpeechRequest(Protocol):
    """One text that a server is to speak. `sent`: its pieces, where it was fed in pieces."""

    @property
    def sent(self) -> SentText | None: ...

    def run(self) -> TtsResult: ...

    def interrupt(self, why: str) -> TtsResult: ...


class SpeechClient(Protocol):
    """A speech server, and how it is asked."""

    def request(self, text: str, show: Show | None = None, phase: float = 0.0) -> SpeechRequest: ...

    def synthesise(self, text: str) -> TtsResult: ...


class TtsFigures(Figures, frozen=True, gc=False):
    """What came of one text to be spoken: fields of `UtteranceRecord`."""

    outcome: Outcome
    error: str | None
    refusal: Refusal | None
    is_own_fault: bool
    connect_s: float | None
    stamp: Stamp
    arrival_late_s: float | None
    audio_s: float
    speech_s: float
    duration_s: float
    total_s: float | None
    first_audio_s: float | None
    after_text_s: float | None
    gap_max_s: float | None
    underruns: int | None
    stall_s: float | None
    end: End = "client"


def tts_figures(result: TtsResult, server_streams: bool, duration_s: float) -> TtsFigures:
    """The figures of one text. `server_streams`: as in `TtsResult.first_audio_s`."""
    first_audio_s = result.first_audio_s(server_streams)
    playback = None if first_audio_s is None else result.playback
    return TtsFigures(
        outcome=result.outcome,
        error=result.error,
        refusal=result.refusal,
        is_own_fault=result.is_own_fault,
        connect_s=result.connect_s,
        stamp=result.stamp,
        arrival_late_s=result.arrival_late_s,
        audio_s=result.audio_s or 0.0,
        speech_s=result.audio_s or 0.0,
        duration_s=duration_s,
        total_s=result.total_s if result.is_ok else None,
        first_audio_s=first_audio_s,
        after_text_s=result.after_text_s,
        gap_max_s=None if playback is None else max(result.gaps_s, default=0.0),
        underruns=None if playback is None else playback.underruns,
        stall_s=None if playback is None else playback.stall_s,
    )


class TtsWorkload:
    """A connection for each text: nothing of a listener stays open between two texts. That the server streams is known
    once this process has seen it."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], credentials: Credentials) -> None:
        self._client = tts_client(config, credentials, is_shared=True)
        self._server_streams = False
        self._is_verbose = config.verbose
        if config.verbose:
            show_messages()

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return texts_to_speak(config)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> TtsAttempt:
        who = f"{caller.name} {clip.clip_id}"
        show = partial(messages_log.info, "%s %s", who) if self._is_verbose else None
        phase = 0.0 if is_together else caller.random.uniform(0.0, 1.0)
        return TtsAttempt(self, self._client.request(clip.reference, show, phase))

    def figures(self, result: TtsResult, duration_s: float) -> TtsFigures:
        """The figures of one text, by what this process has seen of the server, this text included."""
        self._server_streams |= result.is_streamed
        return tts_figures(result, self._server_streams, duration_s)

    @classmethod
    def probe(cls, config: RunConfig, clip: Clip, credentials: Credentials, show: Show) -> Measured:
        begins = "the first token was due" if config.tokens_per_s else "the first byte of the request"
        show(f"times are seconds from {'when ' if config.tokens_per_s else ''}{begins}")
        workload = cls(config, (), credentials)
        return TtsAttempt(workload, tts_client(config, credentials).request(clip.reference, show)).run()

    @classmethod
    def probe_facts(cls, config: RunConfig, record: UtteranceRecord) -> Facts:
        finished = "the server sent a finished file" if record.is_ok else "none"
        text = [
            ("text", f"{record.frames} messages, {config.tokens_per_s or 0:g} tokens per second"),
            ("after the text", as_ms(record.after_text_s, " from the last token to the first audio")),
            ("pacing lag", as_ms(record.pacing_lag_p99_s, " at p99: how late our own pieces were")),
        ]
        return [
            ("total", as_ms(record.total_s)),
            ("first audio", finished if record.first_audio_s is None else as_ms(record.first_audio_s)),
            *(text if config.tokens_per_s else ()),
            ("longest gap", as_ms(record.gap_max_s)),
            ("underruns", "none" if record.underruns is None else str(record.underruns)),
            ("audio", f"{record.audio_s:.2f} s"),
            ("RTF", "none" if record.rtf is None else f"{record.rtf:.3f}"),
        ]

    @classmethod
    def retry_options(cls, config: RunConfig, record: UtteranceRecord) -> Mapping[str, Any]:
        return {}


class TtsAttempt:
    """One text of one listener."""

    def __init__(self, workload: TtsWorkload, request: SpeechRequest) -> None:
        self._workload = workload
        self._request = request
        self._begun_at_s = time.monotonic()

    @property
    def state(self) -> str:
        return "waiting"

    def run(self) -> Measured:
        self._begun_at_s = time.monotonic()
        return self._measure(self._request.run())

    def interrupt(self, why: str) -> Measured:
        return self._measure(self._request.interrupt(why))

    def _measure(self, result: TtsResult) -> Measured:
        sent = self._request.sent
        begun_at_s = self._begun_at_s if sent is None else sent.stream_start_s
        figures = self._workload.figures(result, max(0.0, time.monotonic() - begun_at_s))
        return (figures,) if sent is None else (figures, sent)


def tts_client(config: RunConfig, credentials: Credentials, is_shared: bool = False) -> SpeechClient:
    """The client of the texts of a run. `is_shared`: they are spoken beside each other, by the callers of Locust."""
    api = TTS_APIS[config.dialect]
    common = (config.timeout_s, credentials, not config.insecure, config.connect_limit_s)
    return speech_client(api, config.stt_url, config.dialect_options, config.tokens_per_s, *common, is_shared)


def speech_client(
    api: TtsApi | TextStreamApi,
    url: str,
    options: Options,
    tokens_per_s: float | None,
    timeout_s: float,
    credentials: Credentials,
    checks_certificate: bool,
    connect_timeout_s: float,
    is_shared: bool = False,
) -> SpeechClient:
    """The client of one speech API, whichever way it takes its text."""
    if isinstance(api, TtsApi):
        return TtsClient(api, url, options, timeout_s, credentials, checks_certificate, connect_timeout_s)
    driver, make_socket = (greenlet_driver(), plain_socket) if is_shared else (InlineDriver(), socket.socket)
    return TextStreamClient(
        api,
        url,
        options,
        api.pace_of_text(tokens_per_s),
        timeout_s,
        driver,
        credentials,
        checks_certificate,
        connect_timeout_s,
        make_socket,
    )
