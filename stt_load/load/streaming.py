"""Callers who stream: a clip at microphone pace over a websocket, one turn after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from stt_load.audio.clip import Clip
from stt_load.config import RunConfig
from stt_load.dialects.events import Event, Message
from stt_load.load.manner import Caller
from stt_load.load.material import dialects_of, encode_clips
from stt_load.load.pacing import Pacing, pacing, plain_socket
from stt_load.records import UtteranceRecord
from stt_load.stream.actions import SessionRules
from stt_load.stream.call import Watcher
from stt_load.stream.line import Line
from stt_load.stream.session import Session
from stt_load.stream.ws import WebSocketTransport

messages_log = logging.getLogger("stt_load.messages")


def log_messages() -> None:
    """Whatever Locust's --loglevel says of the rest."""
    messages_log.setLevel(logging.INFO)


def who_is(record: UtteranceRecord) -> str:
    """Whose message it is, for the log of --verbose."""
    return f"worker {record.worker} caller {record.user} {record.clip_id}"


class Streaming:
    """Clips are encoded once for all callers of this process, and one loop speaks for all of them."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], api_key: str | None) -> None:
        self._config = config
        self._new_dialect = dialects_of(config, api_key)
        self._encoded = encode_clips(config, clips)
        self._pacing = pacing()
        if config.verbose:
            log_messages()

    def new_turn(self, caller: Caller, clip: Clip, is_together: bool) -> StreamTurn:
        audio, line = self._encoded[clip.clip_id], self._line_of(caller)
        phase_s = 0.0 if is_together else caller.random.uniform(0.0, audio.rule.frame_s)
        rules = SessionRules(timeout_s=self._config.timeout_s, phase_s=phase_s)
        session = Session(line.dialect, audio, rules, self._pacing.clock())
        return StreamTurn(line, session, self._pacing, self._config.verbose)

    def hang_up(self, caller: Caller) -> None:
        if isinstance(caller.keeps, Line):
            caller.keeps.close()
        caller.keeps = None

    def _line_of(self, caller: Caller) -> Line:
        """The connection that the caller has, or a new one."""
        line, config = caller.keeps, self._config
        if isinstance(line, Line) and line.can_go_on():
            return line
        line = Line(
            self._new_dialect(),
            WebSocketTransport(not config.insecure, plain_socket),
            config.stt_url,
            self._pacing,
            config.utterances_per_connection,
        )
        caller.keeps = line
        return line


class StreamTurn:
    __slots__ = ("_is_verbose", "_line", "_pacing", "_session")

    def __init__(self, line: Line, session: Session, pacing: Pacing, is_verbose: bool) -> None:
        self._line = line
        self._pacing = pacing
        self._session = session
        self._is_verbose = is_verbose

    @property
    def doing(self) -> str:
        return self._session.doing

    def run(self, record: UtteranceRecord) -> None:
        self._line.carry(self._session, record, _watcher(record, self._session) if self._is_verbose else None)

    def interrupt(self, why: str) -> None:
        self._session.interrupt(why)

    def measure_into(self, record: UtteranceRecord) -> None:
        self._session.measure_into(record, self._pacing.clock())


def _watcher(record: UtteranceRecord, session: Session) -> Watcher:
    who = who_is(record)

    def watch(at_s: float, direction: str, message: Message, events: Sequence[Event]) -> None:
        zero_s = session.speech_end_at_s
        when = "before the stream" if zero_s is None else f"{at_s - zero_s:+8.3f} s from end of speech"
        shown = f"{len(message)} bytes" if isinstance(message, bytes) else message[:500]
        messages_log.info("%s %s %s %s", who, when, direction, shown)

    return watch
