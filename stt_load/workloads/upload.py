"""Callers who upload: a clip as one file in one request, at once, one request after the other.

Everything that doesn't change from request to request (WAV, form, headers) is made once for all callers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.records import Measured
from stt_load.uploads.apis import SAMPLE_RATE_HZ, UPLOADS
from stt_load.uploads.exchange import Exchange
from stt_load.uploads.forms import Form, clip_form
from stt_load.workloads.message_log import messages_log, show_messages
from stt_load.workloads.run_clips import load_clips
from stt_load.workloads.upload_http import HttpUpload, Watcher
from stt_load.workloads.workload import Caller


def http_upload(config: RunConfig, api_key: str | None) -> HttpUpload:
    headers = UPLOADS[config.dialect].headers(api_key)
    return HttpUpload(config.stt_url, headers, config.timeout_s, api_key, checks_certificate=not config.insecure)


class UploadWorkload:
    """A connection for each request: nothing of a caller stays open between two uploads."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], api_key: str | None) -> None:
        self._http = http_upload(config, api_key)
        self._is_verbose = config.verbose
        if config.verbose:
            show_messages()
        self._forms = {clip.clip_id: clip_form(clip, config.dialect_options) for clip in clips}

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return load_clips(config, SAMPLE_RATE_HZ)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> UploadAttempt:
        exchange = Exchange(clip)
        watch = _watcher(f"{caller.name} {clip.clip_id}", exchange) if self._is_verbose else None
        return UploadAttempt(self._http, exchange, self._forms[clip.clip_id], watch)


class UploadAttempt:
    """One upload of one caller."""

    def __init__(self, http: HttpUpload, exchange: Exchange, form: Form, watch: Watcher | None) -> None:
        self._http = http
        self._exchange = exchange
        self._form = form
        self._watch = watch

    @property
    def state(self) -> str:
        return self._exchange.state

    def run(self) -> Measured:
        self._http.run(self._exchange, self._form, self._watch)
        return self._exchange.measure(time.monotonic())

    def interrupt(self, why: str) -> Measured:
        self._exchange.interrupt(why)
        return self._exchange.measure(time.monotonic())


def _watcher(who: str, exchange: Exchange) -> Watcher:
    """Logs what the server answers. `who`: caller and clip."""

    def watch(at_s: float, data: bytes) -> None:
        when = f"{at_s - (exchange.begun_at_s or at_s):+8.3f} s from the request's first byte"
        messages_log.info("%s %s < %s", who, when, data.decode("utf-8", "replace").strip()[:500])

    return watch
