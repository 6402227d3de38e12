"""Callers who upload: a clip as one file in one request, at once, one request after the other.

    dialled ─ connected ─ first byte handed over ─ all handed over ─ first text ─ last byte of the answer
       connect_s          └──────────── first_text_s ───────────────────┘                   │
                          └──────────── total_s ────────────────────────────────────────────┘

Everything that doesn't change from request to request (WAV, form, headers) is made once for all callers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.credentials import Credentials
from stt_load.dialects.base import End
from stt_load.errors import Outcome, Refusal, SttLoadError
from stt_load.net.http import HttpClient
from stt_load.process.log import messages_log, show_messages
from stt_load.records import Figures, Measured, Stamp, UtteranceRecord
from stt_load.session.outcomes import Ending, ending_of_request
from stt_load.uploads.answers import UploadAnswer
from stt_load.uploads.apis import SAMPLE_RATE_HZ, UPLOAD_APIS
from stt_load.uploads.event_reader import reader_of
from stt_load.uploads.forms import Form, clip_form
from stt_load.workloads.run_clips import load_clips
from stt_load.workloads.workload import Caller, Facts, Show, as_ms, shown_text

MAX_ANSWER_BYTES = 16 << 20  # verbose JSON with a time for each word stays far below

AnswerWatcher = Callable[[float, bytes], None]
"""Told each piece of a body, and how many seconds after the request's first byte it arrived."""


class UploadFigures(Figures, frozen=True, gc=False):
    """What came of one upload, besides its transcript: fields of `UtteranceRecord`."""

    outcome: Outcome
    error: str | None
    refusal: Refusal | None
    is_own_fault: bool
    stamp: Stamp
    arrival_late_s: float | None
    speech_s: float
    audio_s: float
    connect_s: float | None
    duration_s: float | None
    end: End = "client"


class TranscriptFigures(Figures, frozen=True, gc=False):
    """What an upload was answered: fields of `UtteranceRecord`. Times only where it is a transcript."""

    text: str
    messages: list[tuple[float, str]]
    server_ms: dict[str, float] | None
    total_s: float | None
    first_text_s: float | None


class UploadAttempt:
    """One upload of one clip, on a connection of its own. `asked_for`: the `response_format` of its form."""

    def __init__(
        self,
        client: HttpClient,
        clip: Clip,
        form: Form,
        watch: AnswerWatcher | None = None,
        asked_for: str | None = None,
    ) -> None:
        self._client = client
        self._post = client.post(form.body, form.content_type)
        self._clip = clip
        self._watch = watch
        self._asked_for = asked_for
        self._answer: UploadAnswer | None = None

    @property
    def state(self) -> str:
        if self._post.connected_at_s is None:
            return "connecting"
        return "speaking" if self._post.sent_at_s is None else "waiting"

    def run(self) -> Measured:
        try:
            self._answer = self._exchange()
        except SttLoadError as fault:
            return self._measure(ending_of_request(fault))
        return self._measure(self._answer.ending)

    def interrupt(self, why: str) -> Measured:
        return self._measure(Ending(Outcome.INTERRUPTED, why))

    def _exchange(self) -> UploadAnswer:
        with self._post as post:
            post.send()
            reader = reader_of(post.headers.get("content-type", ""), self._asked_for, self._clip.duration_s)
            for at_s, data in post:
                reader.feed(data, at_s)
                if self._watch is not None:
                    self._watch(post.since_start_s(at_s) or 0.0, data)
            return reader.close()

    def _measure(self, ending: Ending) -> Measured:
        post, answer = self._post, self._answer
        begun_at_s = post.dialled_at_s if post.connected_at_s is None else post.connected_at_s
        request = UploadFigures(
            *ending._replace(error=self._client.hide(ending.error)),
            stamp=post.stamp,
            arrival_late_s=post.arrival_late_s if ending.outcome is Outcome.OK else None,
            speech_s=0.0 if post.sent_at_s is None else self._clip.speech_s,
            audio_s=0.0 if post.sent_at_s is None else self._clip.duration_s,
            connect_s=post.connect_s,
            duration_s=None if begun_at_s is None else time.monotonic() - begun_at_s,
        )
        if answer is None:
            return (request,)
        is_ok = ending.outcome is Outcome.OK
        return request, TranscriptFigures(
            text=answer.text,
            messages=[(round(post.since_start_s(at_s) or 0.0, 6), text) for at_s, text in answer.messages],
            server_ms=dict(answer.server_ms) or None,
            total_s=post.since_start_s(post.ended_at_s) if is_ok else None,
            first_text_s=post.since_start_s(answer.first_text_at_s) if is_ok else None,
        )


class UploadWorkload:
    """Clips are made into forms once for all callers of this process. Nothing of a caller stays open between two
    uploads."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], credentials: Credentials) -> None:
        self._client = http_client(config, credentials)
        self._asked_for = _format_asked_for(config)
        self._is_verbose = config.verbose
        if config.verbose:
            show_messages()
        self._forms = {clip.clip_id: clip_form(clip, config.dialect_options) for clip in clips}

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return load_clips(config, SAMPLE_RATE_HZ)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> UploadAttempt:
        watch = _answer_logger(f"{caller.name} {clip.clip_id}", self._client.credentials) if self._is_verbose else None
        return UploadAttempt(self._client, clip, self._forms[clip.clip_id], watch, self._asked_for)

    @classmethod
    def probe(cls, config: RunConfig, clip: Clip, credentials: Credentials, show: Show) -> Measured:
        show("times are seconds from the first byte of the request")
        form = clip_form(clip, config.dialect_options)

        def watch(since_start_s: float, data: bytes) -> None:
            show(f"{since_start_s:+9.3f} < {shown_text(_said(data, credentials))}")

        return UploadAttempt(http_client(config, credentials), clip, form, watch, _format_asked_for(config)).run()

    @classmethod
    def probe_facts(cls, config: RunConfig, record: UtteranceRecord) -> Facts:
        streamed = "the server did not stream" if record.is_ok else "none"
        return [
            ("total", as_ms(record.total_s)),
            ("first text", streamed if record.first_text_s is None else as_ms(record.first_text_s)),
            ("audio", f"{record.audio_s:.2f} s"),
            ("RTF", "none" if record.rtf is None else f"{record.rtf:.3f}, {1 / record.rtf:.1f} times real time"),
        ]

    @classmethod
    def retry_options(cls, config: RunConfig, record: UtteranceRecord) -> Mapping[str, Any]:
        return {}


def _format_asked_for(config: RunConfig) -> str | None:
    return config.dialect_options.get("response_format")


def http_client(config: RunConfig, credentials: Credentials) -> HttpClient:
    """The client of all uploads of a run."""
    headers = UPLOAD_APIS[config.dialect].headers(credentials.api_key)
    return HttpClient(
        config.stt_url,
        headers,
        config.timeout_s,
        MAX_ANSWER_BYTES,
        credentials,
        not config.insecure,
        config.connect_limit_s,
    )


def _answer_logger(who: str, credentials: Credentials) -> AnswerWatcher:
    """Logs what the server answers. `who`: caller and clip."""

    def watch(since_start_s: float, data: bytes) -> None:
        when = f"{since_start_s:+8.3f} s from the request's first byte"
        messages_log.info("%s %s < %s", who, when, _said(data, credentials)[:500])

    return watch


def _said(data: bytes, credentials: Credentials) -> str:
    """A piece of an answer as it is shown."""
    return credentials.hide(data.decode("utf-8", "replace").strip())
