"""Carries one upload over HTTP: what is posted, and who reads the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stt_load.errors import SttLoadError
from stt_load.net.http import Poster
from stt_load.records import Stamp
from stt_load.uploads.answers import AnswerReader, WholeReader
from stt_load.uploads.event_reader import EventReader
from stt_load.uploads.exchange import Exchange
from stt_load.uploads.forms import Form

MAX_ANSWER_BYTES = 16 << 20  # verbose JSON with a time for each word stays far below

READERS: dict[str, Callable[[], AnswerReader]] = {
    "text/event-stream": EventReader,
    "text/plain": lambda: WholeReader(is_plain=True),
}

Watcher = Callable[[float, bytes], None]
"""Told each piece of a body and when it arrived, monotonic seconds."""


class HttpUpload:
    """`timeout_s`: from the first byte of the request to the last of the answer."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        api_key: str | None = None,
        checks_certificate: bool = True,
    ) -> None:
        self._poster = Poster(url, headers, timeout_s, MAX_ANSWER_BYTES, api_key, checks_certificate)

    def run(self, exchange: Exchange, form: Form, watch: Watcher | None = None) -> None:
        """From the dial to the last byte. Every fault ends up in the exchange; what the greenlet is killed with is
        raised."""
        hearer = _Hearer(exchange, watch)
        try:
            ended_at_s = self._poster.post(form.body, form.content_type, hearer)
            exchange.on_answer(hearer.reader.close(), ended_at_s)
        except SttLoadError as fault:
            exchange.on_fault(fault)


class _Hearer:
    """Notes what happens in the exchange, and has the body read."""

    def __init__(self, exchange: Exchange, watch: Watcher | None) -> None:
        self._exchange = exchange
        self._watch = watch
        self.reader: AnswerReader = WholeReader(is_plain=False)

    def on_dial(self, at_s: float) -> None:
        self._exchange.dialled_at_s = at_s

    def on_connected(self, at_s: float, stamp: Stamp) -> None:
        self._exchange.connected_at_s = self._exchange.begun_at_s = at_s
        self._exchange.stamp = stamp

    def on_sent(self, at_s: float) -> None:
        self._exchange.sent_at_s = at_s

    def on_answer(self, headers: Mapping[str, str]) -> None:
        """How the body is read follows from what it is said to be, without the parameters behind it."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        self.reader = READERS.get(kind, lambda: WholeReader(is_plain=False))()

    def on_piece(self, at_s: float, data: bytes) -> None:
        self.reader.feed(data, at_s)
        if self._watch is not None:
            self._watch(at_s, data)
