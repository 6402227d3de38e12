"""Callers who stream: a clip at microphone pace over a websocket, one turn after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.dialects.events import Event, Message
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.greenlet_driver import GreenletDriver, greenlet_driver, plain_socket
from stt_load.pacing.in_flight import Watcher
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.session import Session
from stt_load.workloads.run_clips import dialect_of, dialects_of, encode_clips, load_clips
from stt_load.workloads.workload import Caller

messages_log = logging.getLogger("stt_load.messages")


def log_messages() -> None:
    """Whatever Locust's --loglevel says of the rest."""
    messages_log.setLevel(logging.INFO)


def who_is(record: UtteranceRecord) -> str:
    """Whose message it is, for the log of --verbose."""
    return f"worker {record.worker} caller {record.user} {record.clip_id}"


class StreamWorkload:
    """Clips are encoded once for all callers of this process, and one loop speaks for all of them."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], api_key: str | None) -> None:
        self._config = config
        self._new_dialect = dialects_of(config, api_key)
        self._encoded = encode_clips(config, clips)
        self._pacing = greenlet_driver()
        if config.verbose:
            log_messages()

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return load_clips(config, dialect_of(config).capabilities.sample_rate_hz)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> StreamAttempt:
        audio, line = self._encoded[clip.clip_id], self._line_of(caller)
        phase_s = 0.0 if is_together else caller.random.uniform(0.0, audio.rule.frame_s)
        rules = SessionRules(timeout_s=self._config.timeout_s, phase_s=phase_s)
        session = Session(line.dialect, audio, rules, self._pacing.clock())
        return StreamAttempt(line, session, self._pacing, self._config.verbose)

    def hang_up(self, caller: Caller) -> None:
        if isinstance(caller.keeps, CallerConnection):
            caller.keeps.close()
        caller.keeps = None

    def _line_of(self, caller: Caller) -> CallerConnection:
        """The connection that the caller has, or a new one."""
        line, config = caller.keeps, self._config
        if isinstance(line, CallerConnection) and line.prepare_reuse():
            return line
        line = CallerConnection(
            self._new_dialect(),
            WebSocketTransport(not config.insecure, plain_socket),
            config.stt_url,
            self._pacing,
            config.utterances_per_connection,
        )
        caller.keeps = line
        return line


class StreamAttempt:
    __slots__ = ("_is_verbose", "_line", "_pacing", "_session")

    def __init__(
        self, line: CallerConnection, session: Session, greenlet_driver: GreenletDriver, is_verbose: bool
    ) -> None:
        self._line = line
        self._pacing = greenlet_driver
        self._session = session
        self._is_verbose = is_verbose

    @property
    def state(self) -> str:
        return self._session.doing

    def run(self, record: UtteranceRecord) -> None:
        self._line.run(self._session, record, _watcher(record, self._session) if self._is_verbose else None)

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
