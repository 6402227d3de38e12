"""One text spoken by a server over HTTP: what is posted, and who hears the answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from stt_load.errors import SttLoadError
from stt_load.net.http import Poster
from stt_load.records import Stamp
from stt_load.tts.answer import Answer, Spoken
from stt_load.tts.apis import Options, TtsApi

LARGEST_BODY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Speaker:
    """A server, and how it is asked. `timeout_s`: from the first byte of the request to the last of the answer."""

    api: TtsApi
    url: str
    options: Options
    timeout_s: float
    api_key: str | None = field(default=None, repr=False)
    checks_certificate: bool = True

    def speak(self, text: str) -> Spoken:
        """Every fault ends up in what is returned; what a greenlet is killed with is raised."""
        poster = Poster(
            self.url, self._headers(), self.timeout_s, LARGEST_BODY_BYTES, self.api_key, self.checks_certificate
        )
        hearer = _Hearer(str(self.options.get("response_format") or ""))
        try:
            ended_at_s = poster.post(self._body(text), "application/json", hearer)
        except SttLoadError as fault:
            return hearer.answer.end(time.monotonic(), fault)
        return hearer.answer.end(ended_at_s)

    def _body(self, text: str) -> bytes:
        return json.dumps(self.api.body(text, self.options)).encode()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key.strip()}"} if self.api_key else {}


class _Hearer:
    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._dialled_at_s = 0.0
        self.answer = Answer(asked, 0.0)

    def on_dial(self, at_s: float) -> None:
        self._dialled_at_s = at_s

    def on_connected(self, at_s: float, stamp: Stamp) -> None:
        self.answer = Answer(self._asked, at_s, at_s - self._dialled_at_s, stamp)

    def on_sent(self, at_s: float) -> None:
        """A text is sent in no time."""

    def on_answer(self, headers: Mapping[str, str]) -> None:
        self.answer.begin(headers)

    def on_piece(self, at_s: float, data: bytes) -> None:
        self.answer.take(at_s, data)
