"""Callers who stream: a clip at microphone pace over one connection, one utterance after the other."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.clock import Clock
from stt_load.config import RunConfig
from stt_load.credentials import Credentials
from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Event, Message
from stt_load.net.tcp import MakeSocket
from stt_load.net.transport import Transport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.greenlet_driver import greenlet_driver, plain_socket
from stt_load.pacing.in_flight import Watcher
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.process.log import messages_log, show_messages
from stt_load.records import Measured, UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.advice import find_cause
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session
from stt_load.workloads.run_clips import dialect_of, dialects_of, encode_clips, frame_rule, load_clips
from stt_load.workloads.workload import AsSent, Caller, Facts, Show, as_ms, shown_text

MORE_SILENCE_S = 1.0  # what a probe that timed out tries next


class StreamWorkload:
    """Clips are encoded once for all callers of this process, and one loop speaks for all of them."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], credentials: Credentials) -> None:
        self._config = config
        self._connect_limit_s, self._ready_limit_s = config.connect_limit_s, config.ready_limit_s
        self._new_dialect = dialects_of(config, credentials)
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
        rules = SessionRules(self._config.timeout_s, phase_s, self._ready_limit_s)
        session = Session(connection.dialect, audio, rules, self._driver.clock())
        watch = (
            _message_logger(f"{caller.name} {clip.clip_id}", session, connection.as_sent)
            if self._config.verbose
            else None
        )
        return StreamAttempt(connection, session, self._driver.clock, watch)

    @classmethod
    def probe(cls, config: RunConfig, clip: Clip, credentials: Credentials, show: Show) -> Measured:
        dialect, driver = dialect_of(config, credentials), InlineDriver()
        audio = encode_clip(clip, frame_rule(config), config.trailing_silence_s, dialect)
        rules = SessionRules(config.timeout_s, ready_timeout_s=config.ready_limit_s)
        session = Session(dialect, audio, rules, driver.clock())
        show("times are seconds from the end of speech")
        transport = _transport_of(dialect, config, socket.socket)
        connection = CallerConnection(
            dialect, transport, config.stt_url, driver, connect_timeout_s=config.connect_limit_s
        )
        printer = MessagePrinter(session, show, connection.as_sent)
        return StreamAttempt(connection, session, driver.clock, printer.watch).run()

    @classmethod
    def probe_facts(cls, config: RunConfig, record: UtteranceRecord) -> Facts:
        rule = frame_rule(config)
        return [
            ("frames", rule.note or f"{rule.frame_ms:g} ms, {rule.frame_bytes} bytes, as asked"),
            ("end of utterance", _end_rule(config, record)),
            ("EOS latency", as_ms(record.eos_latency_s)),
            ("stream end", as_ms(record.stream_end_latency_s, " after the last frame")),
            ("first partial", as_ms(record.first_partial_s, " after the start of speech")),
            ("pacing lag", as_ms(record.pacing_lag_p99_s, " at p99: how late our own frames were")),
        ]

    @classmethod
    def retry_options(cls, config: RunConfig, record: UtteranceRecord) -> Mapping[str, Any]:
        """Those of the one other dialect that the server seems to speak, or more silence where that is what the server
        may wait for."""
        if len(record.other_dialects) == 1:
            return {"dialect": record.other_dialects[0], "dialect_option": (), "trailing_silence": None, "end": None}
        cause = find_cause(record)
        if cause is None or not cause.needs_silence:
            return {}
        return {"trailing_silence": f"{config.trailing_silence_s + MORE_SILENCE_S:g}s"}

    def _connection_of(self, caller: Caller) -> CallerConnection:
        """The connection that the caller has, or a new one."""
        connection, config = caller.connection, self._config
        if isinstance(connection, CallerConnection) and connection.prepare_reuse():
            return connection
        dialect = self._new_dialect()
        connection = CallerConnection(
            dialect,
            _transport_of(dialect, config, plain_socket),
            config.stt_url,
            self._driver,
            config.utterances_per_connection,
            self._connect_limit_s,
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


class MessagePrinter:
    """Shows what goes over the wire; of the frames only the first, the one that ends the speech, and the last.
    `as_sent`: of the connection."""

    def __init__(self, session: Session, show: Show, as_sent: AsSent) -> None:
        self._session = session
        self._show = show
        self._as_sent = as_sent
        clip, rule = session.audio.clip, session.audio.rule
        n_frames = len(session.audio.frames)
        self._named = {
            n_frames: f"last frame sent, {n_frames} in all",
            math.ceil(clip.speech_end_s / rule.frame_s): "end of speech sent",
            1: "first frame sent",
        }

    def watch(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        """A `Watcher`."""
        if direction == ">":
            what = self._sent(message)
        else:
            kinds = ", ".join(type(event).__name__ for event in events)
            what = shown_text(message) + (f"   ({kinds})" if kinds else "")
        if what is not None:
            zero_s = self._session.speech_end_at_s
            when = "         " if zero_s is None else f"{at_s - zero_s:+9.3f}"
            self._show(f"{when} {direction} {what}")

    def _sent(self, message: Message | str) -> str | None:
        """What is said of a message that was sent; None of a frame like any other. It is counted as sent already."""
        schedule, frames = self._session.schedule, self._session.audio.frames
        latest = [part.message for part in frames[schedule.n_sent - 1]] if schedule and schedule.n_sent else []
        if schedule is None or message not in latest:
            return shown_text(self._as_sent(message))
        return self._named.get(schedule.n_sent) if message == latest[-1] else None


def _transport_of(dialect: Dialect, config: RunConfig, make_socket: MakeSocket) -> Transport:
    """A connection that is yet to be dialled, of the kind that carries this dialect."""
    transport: Transport = dialect.carrier.transport_class()(not config.insecure, make_socket)
    return transport


def _end_rule(config: RunConfig, record: UtteranceRecord) -> str:
    """Who ends an utterance, and when it counts as complete."""
    if config.end == "client":
        who = "the client says so when the audio has been sent"
    else:
        who = f"the server notices {config.trailing_silence_s:g} s of silence"
    if record.settled_latency_s is not None:
        return f"{who}; complete when the server said so, {as_ms(record.settled_latency_s)} after the end of speech"
    is_counted = dialect_of(config).capabilities.counts_segments
    return f"{who}; complete {'as soon as every queued segment has its text' if is_counted else 'after a quiet period'}"


def _message_logger(who: str, session: Session, as_sent: AsSent) -> Watcher:
    """Logs what goes over the wire. `who`: caller and clip."""

    def watch(at_s: float, direction: str, message: Message, events: Sequence[Event]) -> None:
        zero_s = session.speech_end_at_s
        message = as_sent(message) if direction == ">" else message
        when = "before the stream" if zero_s is None else f"{at_s - zero_s:+8.3f} s from end of speech"
        shown = f"{len(message)} bytes" if isinstance(message, bytes) else message[:500]
        messages_log.info("%s %s %s %s", who, when, direction, shown)

    return watch
