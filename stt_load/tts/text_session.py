"""One text that is fed to a speech server at the pace of a language model, and the audio that comes back meanwhile.

    dialled ─ opened ─ ready ┬ first token due ── tokens ── last token due, end message ──▶ session.done
                             │       └────────── first audio ──────▶ │                       │
                             │                                       └─ after the text ─▶    │
                             │       └────────────────────────── total ─────────────────────▶┘

Audio may begin before the text has ended. All clocks start when a token is due, so that our own lateness counts against
the server rather than for it; how late the tokens were is the pacing lag, as of frames of audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stt_load.credentials import Credentials
from stt_load.dialects.events import (
    Event,
    Finished,
    Message,
    Ready,
    ServerError,
    SpeechAudio,
    SpeechFormat,
)
from stt_load.errors import ConnectionLost, Outcome, ProtocolError, Refusal, SttLoadError
from stt_load.records import Stamp
from stt_load.session.actions import Action, Done, Send, SendFrames, SessionRules, WaitUntil
from stt_load.session.outcomes import Ending, ending_of_request
from stt_load.session.prepared_message import PreparedMessage
from stt_load.session.schedule import Schedule
from stt_load.tts.speech_reader import SpeechReader, TtsResult
from stt_load.tts.text_pieces import EncodedText
from stt_load.tts.text_stream import TextStreamDialect


class TextSession:
    """One text as it goes on: a `PlayedSession`. `result` is good at any time."""

    __slots__ = (
        "_is_text_ended",
        "_late_s",
        "_outbox",
        "_reader",
        "_result",
        "_rules",
        "_started_dialling_s",
        "_text",
        "dialect",
        "opened_at_s",
        "schedule",
    )

    def __init__(
        self, dialect: TextStreamDialect, text: EncodedText, rules: SessionRules, started_dialling_s: float
    ) -> None:
        self.dialect = dialect
        self.schedule: Schedule | None = None
        self.opened_at_s: float | None = None
        self._text = text
        self._rules = rules
        self._started_dialling_s = started_dialling_s
        self._outbox: list[Message] = []
        self._is_text_ended = False  # the end message is in the outbox, or was sent
        self._reader = SpeechReader("pcm")
        self._result: TtsResult | None = None  # None as long as it goes on
        self._late_s: float | None = None  # how long before their times its first or last audio may have arrived

    # what happened ---------------------------------------------------------------------------------------

    def on_open(self, opened_s: float, first_messages: Sequence[Message] = ()) -> None:
        self.opened_at_s = opened_s
        self._outbox.extend(first_messages)
        if not self.dialect.capabilities.has_ready:
            self._start(opened_s)

    def on_reuse(self, now_s: float) -> None:
        raise AssertionError("a connection carries one text")

    def on_sent(self, now_s: float) -> None:
        self._outbox.pop(0)

    def on_message(self, arrived_s: float, message: Message, late_s: float | None = None) -> Sequence[Event]:
        was_silent = not self._reader.arrivals
        try:
            events = self.dialect.read(message)
            for event in events:
                self._on_event(arrived_s, event)
        except ProtocolError as error:
            self.on_fault(error, arrived_s)
            return ()
        if late_s is not None and (was_silent or self._result is not None):
            self._late_s = max(self._late_s or 0.0, late_s)
        return events

    def on_fault(self, error: SttLoadError, now_s: float) -> None:
        if self._result is not None:
            return
        ending, hint = ending_of_request(error), self.dialect.capabilities.unanswered_end
        if isinstance(error, ConnectionLost) and self.schedule is not None and hint:
            ending = ending._replace(error=f"{ending.error} ({hint})")
        self._result = self._reader.end(ending)

    def interrupt(self, why: str) -> None:
        """The run ends now; the text is counted apart."""
        self._end(Outcome.INTERRUPTED, why)

    def _on_event(self, arrived_s: float, event: Event) -> None:
        match event:
            case SpeechAudio(data):
                self._reader.feed(self._since_text_s(arrived_s, "audio"), data)
            case SpeechFormat(rate_hz, channels):
                # Of several channels, samples come in turn: so many bytes a second as of one at a higher rate.
                self._reader.begin_samples(rate_hz * channels)
            case Finished() if self._result is None:
                total_s = self._since_text_s(arrived_s, "the end of the speech")
                if not self._is_text_ended:
                    raise ProtocolError("the server ended the speech before the text had ended")
                self._result = self._reader.close(total_s)
            case Ready() if self.schedule is None and self.opened_at_s is not None:
                self._start(max(arrived_s, self.opened_at_s))
            case ServerError(message, refusal):
                self._end(Outcome.REFUSED if refusal else Outcome.SERVER_ERROR, message, refusal)
            case _:
                pass

    # what to do ------------------------------------------------------------------------------------------

    def next_action(self, now_s: float) -> Action:
        if self._result is not None:
            return Done(self._result.outcome)
        if self._outbox:
            return Send(self._outbox[0])
        if now_s >= self.deadline_s:
            self._time_out()
            return Done(Outcome.TIMED_OUT)
        if self.schedule is None:
            return WaitUntil(self.deadline_s)
        if not self.schedule.is_all_sent:
            return SendFrames(len(self._text.frames))
        if not self._is_text_ended:
            self._is_text_ended = True
            self._outbox.extend(self.dialect.finalise())
            return Send(self._outbox[0])
        return WaitUntil(self.deadline_s)

    @property
    def deadline_s(self) -> float:
        """When it is given up: `timeout_s` after its last token is due; before the text starts, when the server should
        have been ready."""
        if self.schedule is not None:
            return self.schedule.end_s + self._rules.timeout_s
        if self.opened_at_s is not None:
            return self.opened_at_s + self._rules.ready_timeout_s
        return self._started_dialling_s + self._rules.timeout_s

    @property
    def frames(self) -> Sequence[Sequence[PreparedMessage]]:
        return self._text.frames

    @property
    def credentials(self) -> Credentials:
        return self.dialect.settings.credentials

    @property
    def is_complete(self) -> bool:
        return self._result is not None and self._result.is_ok

    @property
    def state(self) -> str:
        """What the listener does right now, as the live view shows it."""
        return "connecting" if self.schedule is None else "waiting"

    def since_first_token_s(self, at_s: float) -> float | None:
        """Seconds since the first token was due; None before the text starts."""
        return None if self.schedule is None else at_s - self._first_due_s

    # inside ----------------------------------------------------------------------------------------------

    @property
    def _first_due_s(self) -> float:
        assert self.schedule is not None
        return self.schedule.stream_start_s + self.schedule.frame_s

    def _since_text_s(self, arrived_s: float, what: str) -> float:
        """Seconds since the first token was due. Raises ProtocolError where none was: nothing can be an answer yet."""
        if self.schedule is None or arrived_s < self._first_due_s:
            raise ProtocolError(f"{what} came before any text was sent")
        return arrived_s - self._first_due_s

    def _start(self, now_s: float) -> None:
        self.schedule = Schedule(now_s + self._rules.phase_s, self._text.frame_s, len(self._text.frames))

    def _time_out(self) -> None:
        if self.schedule is None:
            limit_s = self._rules.ready_timeout_s
            self._end(Outcome.TIMED_OUT, f"the server did not say within {limit_s:g} s that it is configured")
        else:
            limit_s = self._rules.timeout_s
            self._end(Outcome.TIMED_OUT, f"the speech had not ended {limit_s:g} s after the last token")

    def _end(self, outcome: Outcome, error: str, refusal: Refusal | None = None) -> None:
        if self._result is None:
            self._result = self._reader.end(Ending(outcome, error, refusal))

    # what came of it -------------------------------------------------------------------------------------

    def result(self, stamp: Stamp) -> TtsResult:
        """What the text came to so far. `stamp`: where the arrival times come from."""
        schedule, opened_s = self.schedule, self.opened_at_s
        result = self._result or self._reader.end(Ending(Outcome.INTERRUPTED))
        return replace(
            result,
            error=result.error and self.credentials.hide(result.error),
            connect_s=None if opened_s is None else opened_s - self._started_dialling_s,
            text_s=None if schedule is None else schedule.end_s - self._first_due_s,
            stamp=stamp,
            arrival_late_s=self._late_s if result.is_ok else None,
        )
