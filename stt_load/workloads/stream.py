"""Callers who stream: a clip at microphone pace over a websocket, one utterance after the other."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.clock import Clock
from stt_load.config import RunConfig
from stt_load.dialects.events import Event, Message
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.greenlet_driver import greenlet_driver, plain_socket
from stt_load.pacing.in_flight import Watcher
from stt_load.records import Measured
from stt_load.session.actions import SessionRules
from stt_load.session.session import Session
from stt_load.workloads.message_log import messages_log, show_messages
from stt_load.workloads.run_clips import dialect_of, dialects_of, encode_clips, load_clips
from stt_load.workloads.workload import Caller


class StreamWorkload:
    """Clips are encoded once for all callers of this process, and one loop speaks for all of them."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], api_key: str | None) -> None:
        self._config = config
        self._new_dialect = dialects_of(config, api_key)
        self._encoded = encode_clips(config, clips)
        self._driver = greenlet_driver()
        if config.verbose:
            show_messages()

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return load_clips(config, dialect_of(config).capabilities.sample_rate_hz)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> StreamAttempt:
        audio, connection = self._encoded[clip.clip_id], self._connection_of(caller)
        phase_s = 0.0 if is_together else caller.random.uniform(0.0, audio.rule.frame_s)
        rules = SessionRules(timeout_s=self._config.timeout_s, phase_s=phase_s)
        session = Session(connection.dialect, audio, rules, self._driver.clock())
        watch = _watcher(f"{caller.name} {clip.clip_id}", session) if self._config.verbose else None
        return StreamAttempt(connection, session, self._driver.clock, watch)

    def _connection_of(self, caller: Caller) -> CallerConnection:
        """The connection that the caller has, or a new one."""
        connection, config = caller.connection, self._config
        if isinstance(connection, CallerConnection) and connection.prepare_reuse():
            return connection
        connection = CallerConnection(
            self._new_dialect(),
            WebSocketTransport(not config.insecure, plain_socket),
            config.stt_url,
            self._driver,
            config.utterances_per_connection,
        )
        caller.connection = connection
        return connection


class StreamAttempt:
    """One utterance of one caller over its connection."""

    __slots__ = ("_clock", "_connection", "_session", "_watch")

    def __init__(self, connection: CallerConnection, session: Session, clock: Clock, watch: Watcher | None) -> None:
        self._connection = connection
        self._session = session
        self._clock = clock
        self._watch = watch

    @property
    def state(self) -> str:
        return self._session.state

    def run(self) -> Measured:
        self._connection.run(self._session, self._watch)
        return self._measure()

    def interrupt(self, why: str) -> Measured:
        self._session.interrupt(why)
        return self._measure()

    def _measure(self) -> Measured:
        return *self._session.measure(self._clock()), self._connection.latest_use


def _watcher(who: str, session: Session) -> Watcher:
    """Logs what goes over the wire. `who`: caller and clip."""

    def watch(at_s: float, direction: str, message: Message, events: Sequence[Event]) -> None:
        zero_s = session.speech_end_at_s
        when = "before the stream" if zero_s is None else f"{at_s - zero_s:+8.3f} s from end of speech"
        shown = f"{len(message)} bytes" if isinstance(message, bytes) else message[:500]
        messages_log.info("%s %s %s %s", who, when, direction, shown)

    return watch
