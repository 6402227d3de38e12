"""Callers who converse: each says a clip at microphone pace, hears the server's answer, and may break in on it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.clock import Clock
from stt_load.config import RunConfig
from stt_load.conversation.dialect import ConversationDialect
from stt_load.conversation.microphone import Frame, MicrophoneFrames
from stt_load.conversation.session import Turn, TurnRules
from stt_load.credentials import Credentials
from stt_load.dialects.events import Event, Message, SilentAudio, SpeechAudio
from stt_load.net.tcp import MakeSocket
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.greenlet_driver import greenlet_driver, plain_socket
from stt_load.pacing.in_flight import Driver, Watcher
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.process.log import messages_log, show_messages
from stt_load.records import Measured, UtteranceRecord
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.workloads.run_clips import dialect_of, dialects_of, encode_clips, frame_rule, load_clips
from stt_load.workloads.workload import AsSent, Caller, Facts, Show, as_ms, shown_text


class ConversationWorkload:
    """Clips are encoded once for all callers of this process, and one loop speaks for all of them."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], credentials: Credentials) -> None:
        self._config = config
        self._new_dialect = dialects_of(config, credentials)
        self._encoded = encode_clips(config, clips)
        self._silence = silence_of(config)
        self._driver: Driver = greenlet_driver()
        if config.verbose:
            show_messages()

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return load_clips(config, dialect_of(config).capabilities.sample_rate_hz)

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> TurnAttempt:
        audio, connection = self._encoded[clip.clip_id], self._connection_of(caller)
        phase_s = 0.0 if is_together else caller.random.uniform(0.0, audio.rule.frame_s)
        turn = _turn(self._config, connection, audio, self._silence, self._driver.clock, phase_s)
        show = partial(messages_log.info, "%s %s", f"{caller.name} {clip.clip_id}") if self._config.verbose else None
        return TurnAttempt(connection, turn, self._driver.clock, show)

    @classmethod
    def probe(cls, config: RunConfig, clip: Clip, credentials: Credentials, show: Show) -> Measured:
        show("times are seconds from the end of speech")
        dialect, driver = dialect_of(config, credentials), InlineDriver()
        audio = encode_clip(clip, frame_rule(config), 0.0, dialect)
        connection = _connection(config, dialect, driver, socket.socket)
        turn = _turn(config, connection, audio, silence_of(config), driver.clock)
        return TurnAttempt(connection, turn, driver.clock, show).run()

    @classmethod
    def probe_facts(cls, config: RunConfig, record: UtteranceRecord) -> Facts:
        broke_in = as_ms(record.barge_in_stop_s, " from the caller's first sound to the end of the answer")
        return [
            ("voice to voice", as_ms(record.voice_to_voice_s, " from the end of speech to the first audio")),
            ("answer", "none" if record.answer_s is None else f"{record.answer_s:.2f} s of audio"),
            ("longest gap", as_ms(record.gap_max_s)),
            ("underruns", "none" if record.underruns is None else str(record.underruns)),
            *([] if config.barge_in_s is None else [("barge-in", broke_in)]),
            ("early answers", str(record.early_answers or 0)),
            ("pacing lag", as_ms(record.pacing_lag_p99_s, " at p99: how late our own frames were")),
        ]

    @classmethod
    def retry_options(cls, config: RunConfig, record: UtteranceRecord) -> Mapping[str, Any]:
        return {}

    def _connection_of(self, caller: Caller) -> CallerConnection:
        """The connection that the caller has, or a new one."""
        connection = caller.connection
        if isinstance(connection, CallerConnection) and connection.prepare_reuse():
            return connection
        connection = _connection(self._config, self._new_dialect(), self._driver, plain_socket)
        caller.connection = connection
        return connection


class TurnAttempt:
    """One turn of one caller over its connection. `show`: is told what goes over the wire, but for silence."""

    def __init__(self, connection: CallerConnection, turn: Turn, clock: Clock, show: Show | None) -> None:
        self._connection = connection
        self._turn = turn
        self._clock = clock
        self._watch: Watcher | None = None if show is None else _Teller(show, turn, connection.as_sent)

    @property
    def state(self) -> str:
        return self._turn.state

    def run(self) -> Measured:
        self._connection.run(self._turn, self._watch)
        return self._measure()

    def interrupt(self, why: str) -> Measured:
        self._turn.interrupt(why)
        return self._measure()

    def _measure(self) -> Measured:
        return *self._turn.measure(self._clock()), self._connection.latest_use


def silence_of(config: RunConfig) -> Frame:
    """A frame of silence, ready to be sent."""
    dialect = dialect_of(config)
    prepare = dialect.carrier.prepared_class()
    return tuple(map(prepare, dialect.encode(bytes(frame_rule(config).frame_bytes))))


def _connection(config: RunConfig, dialect: Any, driver: Driver, make_socket: MakeSocket) -> CallerConnection:
    transport = dialect.carrier.transport_class()(not config.insecure, make_socket)
    return CallerConnection(
        dialect, transport, config.stt_url, driver, config.utterances_per_connection, config.connect_limit_s
    )


def _turn(
    config: RunConfig,
    connection: CallerConnection,
    audio: EncodedClip,
    silence: Frame,
    clock: Clock,
    phase_s: float = 0.0,
) -> Turn:
    dialect = connection.dialect
    assert isinstance(dialect, ConversationDialect)
    rules = TurnRules(config.timeout_s, phase_s, config.ready_limit_s, config.barge_in_s)
    return Turn(dialect, audio, MicrophoneFrames(audio, silence), rules, clock())


class _Teller:
    """Shows what goes over the wire with its time: not the caller's frames, of which there are up to fifty a second; of
    as many that a telephone line brings, the first with sound and the first without."""

    def __init__(self, show: Show, turn: Turn, as_sent: AsSent) -> None:
        self._show = show
        self._turn = turn
        self._as_sent = as_sent
        self._latest: tuple[type[Event], ...] = ()

    def __call__(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        dialect = self._turn.dialect
        if direction == ">" and dialect.is_frame(message):
            return
        kinds = tuple(type(event) for event in events)
        is_more = dialect.is_line and kinds == self._latest and kinds in ((SpeechAudio,), (SilentAudio,))
        self._latest = kinds if direction == "<" else self._latest
        if is_more:
            return
        zero_s = self._turn.speech_end_at_s
        when = " " * 9 if zero_s is None else f"{at_s - zero_s:+9.3f}"
        names = ", ".join(kind.__name__ for kind in kinds)
        message = self._as_sent(message) if direction == ">" else message
        self._show(f"{when} {direction} {shown_text(message)}" + (f"   ({names})" if names else ""))
