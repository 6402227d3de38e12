"""Texts that are fed to a speech server token by token, over a websocket, in the pacing loop.

Pieces of text are frames like those of audio: encoded once, due at their moments, sent by the one loop of the process.
So thousands of listeners cost little, and how late each piece was is known.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Event, Message
from stt_load.net.tcp import MakeSocket
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.in_flight import Driver
from stt_load.records import Figures
from stt_load.session.actions import SessionRules
from stt_load.tts.apis import Options
from stt_load.tts.speech_reader import TtsResult
from stt_load.tts.text_pieces import EncodedText, encode_text
from stt_load.tts.text_session import TextSession
from stt_load.tts.text_stream import TextStreamApi
from stt_load.workloads.workload import Show, shown_text


class SentText(Figures, frozen=True, gc=False):
    """The pieces of text that were handed to the kernel, and how late: fields of `UtteranceRecord`."""

    frames: int
    text_s: float
    stream_start_s: float
    pacing_lag_p99_s: float | None
    pacing_lag_max_s: float | None
    pacing_lag_counts: dict[int, int] | None
    frames_late: int
    late_runs: list[tuple[int, int]] | None
    frames_held_up: int
    frames_missed: int


@dataclass(frozen=True, slots=True)
class TextStreamClient:
    """A speech server that takes text in pieces, and how it is fed. `timeout_s`: from the last token to the end of the
    speech. `driver` plays the texts, over sockets of `make_socket`."""

    api: TextStreamApi
    url: str
    options: Options
    tokens_per_s: float
    timeout_s: float
    driver: Driver
    credentials: Credentials = NO_CREDENTIALS
    checks_certificate: bool = True
    connect_timeout_s: float = 10.0
    make_socket: MakeSocket = socket.socket
    _encoded: dict[str, EncodedText] = field(default_factory=dict)

    def request(self, text: str, show: Show | None = None, phase: float = 0.0) -> TextStreamRequest:
        """A text that is yet to be fed. `phase`: the part of a token by which it begins later."""
        settings = Settings(self.options, "client", self.credentials)
        dialect = self.api.dialect(settings)
        if text not in self._encoded:
            self._encoded[text] = encode_text(text, dialect, self.tokens_per_s)
        encoded = self._encoded[text]
        connection = CallerConnection(
            dialect,
            WebSocketTransport(self.checks_certificate, self.make_socket),
            self.url,
            self.driver,
            connect_timeout_s=self.connect_timeout_s,
        )
        rules = SessionRules(self.timeout_s, phase * encoded.frame_s, self.connect_timeout_s)
        return TextStreamRequest(connection, TextSession(dialect, encoded, rules, self.driver.clock()), show)

    def synthesise(self, text: str) -> TtsResult:
        """Has one text spoken. Every fault ends up in what is returned."""
        return self.request(text).run()


class TextStreamRequest:
    """One text that a server is to speak while it is written, on a connection of its own."""

    def __init__(self, connection: CallerConnection, session: TextSession, show: Show | None) -> None:
        self._connection = connection
        self._session = session
        self._show = show

    def run(self) -> TtsResult:
        """Every fault ends up in what is returned; what a greenlet is killed with is raised: `interrupt` then."""
        self._connection.run(self._session, self._watch if self._show else None)
        return self._result

    def interrupt(self, why: str) -> TtsResult:
        """What was measured of a text that did not come to its end."""
        self._session.interrupt(why)
        return self._result

    @property
    def sent(self) -> SentText | None:
        """What was sent of the text; None where it never began."""
        schedule = self._session.schedule
        if schedule is None:
            return None
        sent = msgspec.structs.asdict(schedule.sent_audio())
        return SentText(text_s=sent.pop("audio_s"), stream_start_s=schedule.stream_start_s, **sent)

    @property
    def _result(self) -> TtsResult:
        return self._session.result(self._connection.latest_use.stamp)

    def _watch(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        """A `Watcher`."""
        assert self._show is not None
        since_s = self._session.since_first_token_s(at_s)
        when = " " * 9 if since_s is None else f"{since_s:+9.3f}"
        what = f"{len(message)} bytes of audio" if isinstance(message, bytes) else shown_text(message)
        self._show(f"{when} {direction} {what}")
