"""One utterance as a state machine: told the time and what arrived, it says what to do next.

    dialling ─ on_open ─▶ (waiting for Ready) ─▶ streaming ─ last frame ─▶ waiting ─▶ done

It opens no socket and reads no clock, so the same logic runs under a fake clock in tests and under one loop for
thousands of callers. Every fault becomes an `Outcome` here and nowhere else, by the tables of `outcomes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.credentials import Credentials
from stt_load.dialects.base import Dialect, End
from stt_load.dialects.events import (
    NEUTRAL_EVENTS,
    CumulativeTranscript,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Final,
    Finished,
    Gauge,
    Ignored,
    Message,
    Partial,
    Ready,
    Remark,
    Reply,
    SegmentPending,
    ServerError,
    TurnResumed,
)
from stt_load.errors import (
    CallEnded,
    ConnectionLost,
    GeneratorFailure,
    Outcome,
    ProtocolError,
    Refusal,
    SttLoadError,
    UpgradeRefused,
)
from stt_load.records import Figures, Measured
from stt_load.session.actions import Action, Done, Send, SendFrames, SessionRules, WaitUntil
from stt_load.session.encoded_clip import EncodedClip
from stt_load.session.error_text import ErrorText
from stt_load.session.outcomes import is_orderly_end, outcome_of_fault, refusal_of_fault
from stt_load.session.prepared_message import PreparedMessage
from stt_load.session.schedule import Schedule
from stt_load.session.screen import Screen
from stt_load.session.timestamps import Timestamps
from stt_load.session.transcript import ALL_CAME_EARLY, ENDS_EARLIER, Transcript, ends_as_reference

_MOST_TIMINGS = 100  # that a server reports of itself, by name


class SessionResult(Figures, frozen=True, gc=False):
    """What came of one session, besides its latencies and its frames: fields of `UtteranceRecord`."""

    outcome: Outcome
    error: str | None
    refusal: Refusal | None
    is_own_fault: bool
    close_code: int | None
    end: End
    speech_s: float
    text: str
    server_ms: dict[str, float] | None
    duration_s: float
    stream_start_s: float | None
    messages: list[tuple[float, str]]
    understood: bool | None
    other_dialects: list[str]
    arrival_late_s: float | None


class Session:
    """One utterance as it goes on.

    The caller owes: `on_open` (or `on_fault`; `on_reuse` where the connection has carried another utterance), then
    `next_action` until `Done`, with `on_sent` after every `Send`, `schedule.on_sent` after every frame of a
    `SendFrames`, `on_message` for every message (stamped with its arrival), `on_fault` for every error. `measure` is
    good at any time.
    """

    __slots__ = (
        "_all_frames",
        "_audio_before_s",
        "_end_messages",
        "_error_text",
        "_frames_before_end",
        "_is_finalised",
        "_late_s",
        "_outbox",
        "_outcome",
        "_screen",
        "_server_ms",
        "_timestamps",
        "_transcript",
        "audio",
        "close_code",
        "dialect",
        "error",
        "is_own_fault",
        "refusal",
        "rules",
        "schedule",
    )

    def __init__(self, dialect: Dialect, audio: EncodedClip, rules: SessionRules, started_dialling_s: float) -> None:
        self.dialect = dialect
        self.audio = audio
        self.rules = rules
        self.error: str | None = None
        self.close_code: int | None = None
        self.refusal: Refusal | None = None
        self.is_own_fault = False
        self.schedule: Schedule | None = None
        self._timestamps = Timestamps(started_dialling_s)
        server = dialect.capabilities
        is_answered = dialect.settings.end == "client" and server.answers_end
        self._transcript = Transcript(
            server,
            self._timestamps,
            audio.cut_before_end_s,
            audio.most_segments,
            is_answered,
            is_of_silence=audio.clip.is_silent,
        )
        self._outcome: Outcome | None = None
        self._outbox: list[Message] = []  # a few at most
        self._end_messages: Sequence[Message] = ()
        self._is_finalised = dialect.settings.end == "server"
        self._frames_before_end, self._all_frames = SendFrames(audio.n_before_end), SendFrames(len(audio.frames))
        self._screen = Screen()
        self._audio_before_s = 0.0  # of the connection, before this utterance
        self._server_ms: dict[str, float] = {}
        self._late_s: dict[float, float] = {}  # of the arrivals that are not certain
        self._error_text = ErrorText(dialect)

    # what happened ---------------------------------------------------------------------------------------

    def on_open(self, opened_s: float, first_messages: Sequence[Message] = ()) -> None:
        """The upgrade was done at `opened_s`. `first_messages`: what the connection begins with, still to be sent."""
        self._timestamps.opened_at_s = opened_s
        self._outbox.extend(first_messages)
        if not self.dialect.capabilities.has_ready:
            self._start_stream(opened_s)

    def on_reuse(self, now_s: float) -> None:
        """The connection was opened for an earlier utterance, which came to a good end, and is quiet."""
        self._error_text.is_understood = True
        self._start_stream(now_s)

    def on_sent(self, now_s: float) -> None:
        """The message of the last `Send` was handed to the kernel at `now_s`."""
        message = self._outbox.pop(0)
        if self._end_messages and message is self._end_messages[-1]:
            self._timestamps.end_sent_at_s = now_s

    def on_message(self, arrived_s: float, message: Message, late_s: float | None = None) -> Sequence[Event]:
        """A message arrived. Gives its events, for whoever wants to show them. `late_s`: how long before `arrived_s` it
        may have been here, seconds; None where that is certain."""
        if late_s is not None:
            self._late_s[arrived_s] = late_s
        try:
            events = self.dialect.read(message)
        except ProtocolError as error:
            self._error_text.add_unknown(message)
            self.on_fault(error, arrived_s)
            return ()
        if all(isinstance(event, (Ignored, Remark)) for event in events):
            self._error_text.add_unknown(message)
        else:
            self._error_text.is_understood = True
        if self.schedule is not None and arrived_s > self.deadline_s:
            self._time_out()
        self._on_events(arrived_s, events)
        return events

    def on_fault(self, error: SttLoadError, now_s: float) -> None:
        """The connection failed. What was complete by then stays complete."""
        if self._outcome is not None:
            return
        if isinstance(error, UpgradeRefused):
            self._error_text.add_refusal(str(error))
        if isinstance(error, ConnectionLost):
            self.close_code = None if isinstance(error, CallEnded) else error.close_code
            is_close = is_orderly_end(error)
            if is_close and self._is_sent:
                self._on_events(now_s, self.dialect.on_end())
            if self._is_sent and self._transcript.is_complete_after(is_close):
                self._finish(now_s if is_close else None)
                return
        self.is_own_fault = isinstance(error, GeneratorFailure)
        self._end(outcome_of_fault(error), str(error), refusal_of_fault(error))

    def interrupt(self, why: str) -> None:
        """The run ends now; the utterance is counted apart."""
        self._end(Outcome.INTERRUPTED, why)

    # what to do ------------------------------------------------------------------------------------------

    def next_action(self, now_s: float) -> Action:
        if self._outcome is not None:
            return Done(self._outcome)
        if self._outbox:
            return Send(self._outbox[0])
        if self.schedule is None:
            return self._wait_for_ready(now_s)
        if not self._is_finalised and self.schedule.n_sent >= self.audio.n_before_end:
            self._is_finalised = True
            self._end_messages = tuple(self.dialect.finalise())
            self._outbox.extend(self._end_messages)
            return self.next_action(now_s)
        if self.schedule.is_all_sent:
            return self._wait_for_transcript(now_s)
        return self._all_frames if self._is_finalised else self._frames_before_end

    @property
    def deadline_s(self) -> float:
        """When the transcript is given up: on the schedule, so that our own lateness doesn't extend it."""
        if self.schedule is None:
            return self._timestamps.dialled_at_s + self.rules.timeout_s
        return self.schedule.end_s + self.rules.timeout_s

    @property
    def state(self) -> str:
        """What the caller does right now, as the live view shows it."""
        if self.schedule is None:
            return "connecting"
        return "waiting" if self.schedule.is_all_sent else "speaking"

    @property
    def frames(self) -> Sequence[Sequence[PreparedMessage]]:
        """The messages of each frame."""
        return self.audio.frames

    @property
    def credentials(self) -> Credentials:
        """What must not be shown of what goes over the wire."""
        return self.dialect.settings.credentials

    @property
    def opened_at_s(self) -> float | None:
        """When the upgrade was done; None before, and for a connection opened by an earlier utterance."""
        return self._timestamps.opened_at_s

    @property
    def is_complete(self) -> bool:
        """Whether the transcript was completed."""
        return self._outcome is Outcome.OK

    @property
    def speech_end_at_s(self) -> float | None:
        """End of speech on the schedule: where the EOS clock starts. None before the stream starts."""
        return self._timestamps.speech_end_at_s

    # inside ----------------------------------------------------------------------------------------------

    def _start_stream(self, now_s: float) -> None:
        self._timestamps.ready_at_s = now_s
        self.schedule = Schedule(now_s + self.rules.phase_s, self.audio.rule.frame_s, len(self.audio.frames))
        self._timestamps.on_stream(self.schedule, self.audio.clip)
        self._outbox.extend(self.dialect.begin(self.audio.length))
        self._audio_before_s = self.dialect.audio_begun_s
        self.dialect.audio_begun_s += self.audio.audio_s

    def _on_events(self, arrived_s: float, events: Sequence[Event]) -> None:
        try:
            for event in events:
                self._on_event(arrived_s, event)
        except ProtocolError as error:
            self.on_fault(error, arrived_s)

    def _on_event(self, arrived_s: float, event: Event) -> None:
        says_something = not isinstance(event, NEUTRAL_EVENTS)
        match event:
            case Ready() if self.schedule is None and self._timestamps.opened_at_s is not None:
                # A greeting that came in with the upgrade bears an earlier stamp than our reading of the upgrade.
                self._start_stream(max(arrived_s, self._timestamps.opened_at_s))
            case Reply(messages):
                self._outbox.extend(messages)
            case SegmentPending():
                self._transcript.on_segment_pending(arrived_s)
            case Partial(text, words, is_delta):
                self._timestamps.on_partial(arrived_s, text)
                self._screen.on_partial(arrived_s, text, words, is_delta)
            case Final(text, is_last, server_ms, words):
                self._transcript.on_final(arrived_s, text)
                self._screen.on_final(arrived_s, text, words)
                self._on_answer(arrived_s, is_last, server_ms)
            case CumulativeTranscript(text, is_last, server_ms, words):
                says_something = self._transcript.on_cumulative(arrived_s, text)
                self._screen.on_cumulative(arrived_s, text, words)
                self._on_answer(arrived_s, is_last, server_ms)
            case EndOfTurn():
                self._transcript.on_turn_end(arrived_s)
            case EagerEndOfTurn():
                self._transcript.on_eager_end(arrived_s)
            case TurnResumed():
                self._transcript.turns.n_resumed += 1
            case Gauge(server_ms):
                self._note_server_ms(server_ms)
            case Finished() if self._can_be_over(arrived_s):
                self._finish(arrived_s)
            case Remark(text):
                self._error_text.add_remark(text)
            case ServerError(message, refusal):
                self._end(Outcome.REFUSED if refusal else Outcome.SERVER_ERROR, message, refusal)
            case _:
                pass
        if says_something:
            self._timestamps.last_message_at_s = arrived_s

    def _on_answer(self, arrived_s: float, is_last: bool, server_ms: Mapping[str, float]) -> None:
        self._note_server_ms(server_ms)
        if is_last and self._can_be_over(arrived_s):
            self._finish(arrived_s)

    def _note_server_ms(self, server_ms: Mapping[str, float]) -> None:
        self._server_ms.update(server_ms)
        if len(self._server_ms) > _MOST_TIMINGS:
            raise ProtocolError(f"the server floods: timings of more than {_MOST_TIMINGS} names")

    def _can_be_over(self, at_s: float) -> bool:
        """A server that is done before the end of speech has not heard all of it: it speaks of an earlier utterance, or
        has stopped listening."""
        return self._timestamps.is_at_end(at_s)

    def _wait_for_ready(self, now_s: float) -> Action:
        opened_s = self._timestamps.opened_at_s
        limit_s = (self._timestamps.dialled_at_s if opened_s is None else opened_s) + self.rules.ready_timeout_s
        if now_s >= limit_s:
            self._end(
                Outcome.TIMED_OUT,
                f"no ready message within {self.rules.ready_timeout_s:g} s of the upgrade: a server that loads a model "
                "for each caller may need a longer --ready-timeout",
            )
            return Done(Outcome.TIMED_OUT)
        return WaitUntil(limit_s)

    def _wait_for_transcript(self, now_s: float) -> Action:
        settled_s = self._transcript.settled_at_s
        if settled_s is not None and now_s >= settled_s:
            self._finish(self._timestamps.turn_ended_at_s if settled_s == self._timestamps.turn_ended_at_s else None)
        elif now_s >= self.deadline_s:
            self._time_out()
        if self._outcome is not None:
            return Done(self._outcome)
        return WaitUntil(self.deadline_s if settled_s is None else min(settled_s, self.deadline_s))

    def _time_out(self) -> None:
        if self._transcript.is_rightly_empty:
            self._finish(None)
            return
        error = f"no complete transcript within {self.rules.timeout_s:g} s of the last frame"
        missing = self._transcript.what_is_missing
        text = self._transcript.assemble(self.dialect)
        if missing == ALL_CAME_EARLY and ends_as_reference(text, self.audio.clip.reference):
            missing = f"{missing}, {ENDS_EARLIER}"
        self._end(Outcome.TIMED_OUT, f"{error}; {missing}" if missing else error)

    @property
    def _completing_late_s(self) -> float | None:
        """How late the reading of the message that completed the transcript may be."""
        completed_s = self._timestamps.completed_at_s
        return None if completed_s is None or not self.is_complete else self._late_s.get(completed_s)

    @property
    def _speech_sent_s(self) -> float:
        """How much of the clip's speech was sent."""
        clip, schedule = self.audio.clip, self.schedule
        sent_s = 0.0 if schedule is None else schedule.n_sent * schedule.frame_s
        return max(0.0, min(sent_s, clip.speech_end_s) - clip.speech_start_s)

    @property
    def _is_understood(self) -> bool | None:
        """Whether the server sent a message that the dialect knows; None where it had no occasion to."""
        had_occasion = self._timestamps.opened_at_s is not None or self.schedule is not None
        if self._error_text.is_understood or (had_occasion and not self.audio.clip.is_silent):
            return self._error_text.is_understood
        return None

    @property
    def _is_sent(self) -> bool:
        return self.schedule is not None and self.schedule.is_all_sent

    def _finish(self, settled_at_s: float | None) -> None:
        """Nothing more comes; `settled_at_s`: when the server said so, None where it is only plain."""
        if self._outcome is None and settled_at_s is not None:
            self._timestamps.on_settled(settled_at_s)
        if self._transcript.has_words or self._transcript.is_rightly_empty:
            self._end(Outcome.OK, None)
        else:
            self._end(Outcome.NO_FINAL, "the server ended the utterance without any text")

    def _end(self, outcome: Outcome, error: str | None, refusal: Refusal | None = None) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self.error = error and self._error_text.describe(error)
            self.refusal = refusal

    # what came of it -------------------------------------------------------------------------------------

    def measure(self, now_s: float) -> Measured:
        """Every figure of this utterance, whether it is over or was cut."""
        schedule, messages = self.schedule, []
        if schedule is None:
            duration_s = now_s - self._timestamps.dialled_at_s
        else:
            start_s = schedule.stream_start_s
            duration_s = max(0.0, now_s - start_s)  # the random phase lies before it
            messages = [(round(at_s - start_s, 6), text) for at_s, text in self._transcript.finals]
        result = SessionResult(
            outcome=self._outcome or Outcome.INTERRUPTED,
            error=self.error,
            refusal=self.refusal,
            is_own_fault=self.is_own_fault,
            close_code=self.close_code,
            end=self.dialect.settings.end,
            speech_s=self._speech_sent_s,
            text=self._transcript.assemble(self.dialect),
            server_ms=self._server_ms or None,
            duration_s=duration_s,
            stream_start_s=None if schedule is None else schedule.stream_start_s,
            messages=messages,
            arrival_late_s=self._completing_late_s,
            understood=self._is_understood,
            other_dialects=self._error_text.other_dialects if self.error else [],
        )
        latencies = self._timestamps.latencies(self.is_complete and not self.audio.clip.is_silent)
        if schedule is None:
            return result, latencies
        turns = self._transcript.measure_turns(self.dialect, schedule.stream_start_s, self.audio.clip)
        screen = self._screen.measure(schedule.stream_start_s, self._audio_before_s)
        return result, latencies, schedule.sent_audio(), turns, screen
