"""One turn of a conversation: the caller speaks, the server answers in speech, the caller listens or breaks in.

    stream start ── speech end ──▶ first audio ── more audio ──▶ (heard to its end)
                         └ voice to voice ┘ └─ barge_in_s ─▶ onset ──▶ the server has stopped
                                                                └ barge-in stop ┘

End of speech and onset lie on the schedule, so that our own lateness counts against the server. What is heard when, and
when all of it was, the turn's `Answer` knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from stt_load.conversation.dialect import ConversationDialect
from stt_load.conversation.microphone import MicrophoneFrames
from stt_load.credentials import Credentials
from stt_load.dialects.base import End
from stt_load.dialects.events import Event, HungUp, Message, Ready, Remark, ServerError
from stt_load.errors import ConnectionLost, Outcome, ProtocolError, Refusal, StreamEnded, SttLoadError
from stt_load.records import Figures, Measured
from stt_load.session.actions import Action, Done, Send, SendFrames, WaitUntil
from stt_load.session.encoded_clip import EncodedClip
from stt_load.session.outcomes import Ending, ending_of_request, is_orderly_end
from stt_load.session.prepared_message import PreparedMessage
from stt_load.session.schedule import Schedule

_REMARKS_KEPT = 2


class TurnRules(msgspec.Struct, frozen=True, gc=False):
    """How a caller behaves. `timeout_s`: from the end of its speech to the end of the answer, and from there to the end
    of its listening. `barge_in_s`: how long it has heard an answer when it breaks in; None: it listens to the end."""

    timeout_s: float = 30.0
    phase_s: float = 0.0
    ready_timeout_s: float = 10.0
    barge_in_s: float | None = None


class ConversationFigures(Figures, frozen=True, gc=False):
    """What came of one turn, besides its frames: fields of `UtteranceRecord`."""

    outcome: Outcome
    error: str | None
    refusal: Refusal | None
    is_own_fault: bool
    end: End
    connect_s: float | None
    ready_s: float | None
    speech_s: float
    duration_s: float
    stream_start_s: float | None
    arrival_late_s: float | None
    understood: bool | None
    voice_to_voice_s: float | None = None
    barge_in_stop_s: float | None = None
    answer_s: float | None = None
    early_answers: int | None = None
    gap_max_s: float | None = None
    underruns: int | None = None
    stall_s: float | None = None


class Turn:
    """One turn as it goes on: a `PlayedSession`. `measure` is good at any time."""

    __slots__ = (
        "_answer",
        "_audio",
        "_ending",
        "_first_frame",
        "_frames",
        "_is_finalised",
        "_is_hung_up",
        "_is_understood",
        "_late_s",
        "_outbox",
        "_owes_cancel",
        "_ready_at_s",
        "_remarks",
        "_rules",
        "_started_dialling_s",
        "dialect",
        "opened_at_s",
        "schedule",
    )

    def __init__(
        self,
        dialect: ConversationDialect,
        audio: EncodedClip,
        frames: MicrophoneFrames,
        rules: TurnRules,
        started_dialling_s: float,
    ) -> None:
        self.dialect = dialect
        self.schedule: Schedule | None = None
        self.opened_at_s: float | None = None
        self._audio = audio
        self._frames = frames
        self._rules = rules
        self._started_dialling_s = started_dialling_s
        self._ready_at_s: float | None = None
        self._first_frame: int | None = None  # with which the caller begins to say its clip; None before that is known
        self._outbox: list[Message] = []
        self._is_finalised = dialect.settings.end == "server"
        self._ending: Ending | None = None  # None as long as it goes on
        self._is_hung_up = False  # the server has ended the connection in good order
        self._is_understood = False
        self._remarks: list[str] = []
        self._late_s: float | None = None  # how long before its time the first audio may have arrived
        self._answer = dialect.new_answer()
        self._owes_cancel = False

    # what happened ---------------------------------------------------------------------------------------

    def on_open(self, opened_s: float, first_messages: Sequence[Message] = ()) -> None:
        self.opened_at_s = opened_s
        self._outbox.extend(first_messages)
        if self.dialect.is_line:
            self._start(opened_s)
            if self.dialect.capabilities.has_ready:
                self._frames.keep_silent()
            else:
                self._speak(0, opened_s)

    def on_reuse(self, now_s: float) -> None:
        self._is_understood = True
        self._start(now_s)
        self._speak(0, now_s)

    def on_sent(self, now_s: float) -> None:
        self._outbox.pop(0)

    def on_message(self, arrived_s: float, message: Message, late_s: float | None = None) -> Sequence[Event]:
        was_silent = self._answer.first_heard_s is None
        try:
            events = self.dialect.read(message)
            for event in events:
                self._on_event(arrived_s, event)
        except ProtocolError as error:
            self.on_fault(error, arrived_s)
            return ()
        if was_silent and self._answer.first_heard_s is not None:
            self._late_s = late_s
        return events

    def on_fault(self, error: SttLoadError, now_s: float) -> None:
        if isinstance(error, ConnectionLost) and (isinstance(error, StreamEnded) or is_orderly_end(error)):
            self._hang_up(now_s)
        self._end_with(ending_of_request(error))

    def interrupt(self, why: str) -> None:
        """The run ends now; the turn is counted apart."""
        self._end(Outcome.INTERRUPTED, why)

    def _on_event(self, arrived_s: float, event: Event) -> None:
        if self._answer.on_event(arrived_s, event):
            if self._answer.ending is not None:
                self._end_with(self._answer.ending)
            self._is_understood = True
            return
        match event:
            case Ready() if self.schedule is None and self.opened_at_s is not None:
                ready_s = max(arrived_s, self.opened_at_s)
                self._start(ready_s)
                self._speak(0, ready_s)
            case HungUp():
                self._hang_up(arrived_s)
            case ServerError(message, refusal):
                self._end(Outcome.REFUSED if refusal else Outcome.SERVER_ERROR, message, refusal)
            case Remark(text) if len(self._remarks) < _REMARKS_KEPT:
                self._remarks.append(text)
            case _:
                return
        self._is_understood = True

    def _hang_up(self, at_s: float) -> None:
        """The server has ended the connection in good order."""
        ending = self._answer.on_hang_up(at_s)
        if ending is not None:
            self._is_hung_up = True
            self._end_with(ending)

    # what to do ------------------------------------------------------------------------------------------

    def next_action(self, now_s: float) -> Action:
        if self._ending is not None:
            return Done(self._ending.outcome)
        if self._outbox:
            return Send(self._outbox[0])
        if self.schedule is None:
            return self._wait_for_ready(now_s)
        if not self._is_finalised and self.schedule.n_sent >= self._audio.n_before_end:
            self._is_finalised = True
            self._outbox.extend(self.dialect.finalise())
            return Send(self._outbox[0])
        self._consider(now_s, self.schedule)
        if self._ending is not None:
            return Done(self._ending.outcome)
        if self._outbox:
            return Send(self._outbox[0])
        return self._send_until(self._wakes_at_s, self.schedule)

    def _consider(self, now_s: float, schedule: Schedule) -> None:
        """Begins to speak, or breaks in, where it is time, and ends the turn where all is heard or the server is given
        up."""
        answer = self._answer
        self._outbox.extend(answer.replies(now_s))
        if self._first_frame is None and answer.greeted_at_s is not None and now_s >= answer.greeted_at_s:
            self._speak(schedule.n_sent, answer.end_greeting())
        break_in_s = self._breaks_in_at_s
        if break_in_s is not None and now_s >= break_in_s:
            self._break_in(schedule, break_in_s)
        if self._owes_cancel and answer.onset_s is not None and now_s >= answer.onset_s:
            self._owes_cancel = False
            if not answer.is_ended:
                self._outbox.append(self.dialect.cancel())
        over_at_s = answer.over_at_s
        if over_at_s is not None and now_s >= over_at_s:
            self._end(Outcome.OK, None)
        elif now_s >= self.deadline_s:
            self._end(Outcome.TIMED_OUT, self._missing)

    def _break_in(self, schedule: Schedule, at_s: float) -> None:
        """The caller speaks over the answer, with the first frame that begins then, or later."""
        number = max(schedule.n_sent, _frames_until(at_s, schedule))
        self._frames.speak_over(number)
        answer, clip = self._answer, self._audio.clip
        answer.onset_s = schedule.stream_start_s + number * schedule.frame_s + self._frames.onset_s
        answer.said_over_at_s = answer.onset_s + clip.speech_end_s - clip.speech_start_s
        self._owes_cancel = self.dialect.interrupts

    @property
    def _breaks_in_at_s(self) -> float | None:
        """When the caller will break in; None where it won't, or has."""
        heard_s = self._rules.barge_in_s
        return None if heard_s is None or self._answer.onset_s is not None else self._answer.breaks_in_at_s(heard_s)

    @property
    def _wakes_at_s(self) -> float:
        """When the session has to be asked again, whatever comes."""
        answer = self._answer
        moments = (
            self._breaks_in_at_s,
            answer.onset_s if self._owes_cancel else None,
            answer.over_at_s,
            answer.replies_at_s,
            answer.greeted_at_s if self._first_frame is None else None,
        )
        return min([self.deadline_s, *(at_s for at_s in moments if at_s is not None)])

    def _send_until(self, at_s: float, schedule: Schedule) -> SendFrames:
        """Frames of the microphone up to that moment, and the one that is due next in any case."""
        until = max(schedule.n_sent + 1, _frames_until(at_s, schedule))
        if not self._is_finalised:
            until = min(until, self._audio.n_before_end)
        return SendFrames(min(until, schedule.n_frames))

    def _wait_for_ready(self, now_s: float) -> Action:
        if now_s >= self.deadline_s:
            limit_s = self._rules.ready_timeout_s
            self._end(Outcome.TIMED_OUT, f"no session.updated within {limit_s:g} s of the upgrade")
            return Done(Outcome.TIMED_OUT)
        return WaitUntil(self.deadline_s)

    @property
    def deadline_s(self) -> float:
        """When it is given up, monotonic seconds."""
        if self._first_frame is None:
            opened_s = self.opened_at_s
            return (self._started_dialling_s if opened_s is None else opened_s) + self._rules.ready_timeout_s
        answer, timeout_s = self._answer, self._rules.timeout_s
        if answer.onset_s is not None:
            return answer.onset_s + timeout_s
        answer_due_s, since_s = answer.speech_end_at_s + timeout_s, answer.waited_since_s
        return answer_due_s if since_s is None or since_s > answer_due_s else since_s + timeout_s

    @property
    def _missing(self) -> str:
        """What the server still owed when it was given up."""
        if self._first_frame is None:
            return f"no greeting was heard to its end within {self._rules.ready_timeout_s:g} s of the connection"
        return self._answer.missing(f"{self._rules.timeout_s:g} s", self.deadline_s)

    @property
    def frames(self) -> Sequence[Sequence[PreparedMessage]]:
        return self._frames

    @property
    def credentials(self) -> Credentials:
        return self.dialect.settings.credentials

    @property
    def is_complete(self) -> bool:
        is_ok = self._ending is not None and self._ending.outcome is Outcome.OK
        return is_ok and not self._is_hung_up and self._answer.onset_s is None

    @property
    def state(self) -> str:
        """What the caller does right now, as the live view shows it."""
        if self.schedule is None or self._first_frame is None:
            return "connecting"
        return "waiting" if self.schedule.n_sent - self._first_frame >= len(self._audio.frames) else "speaking"

    @property
    def speech_end_at_s(self) -> float | None:
        """End of speech on the schedule; None before the caller begins."""
        return None if self._first_frame is None else self._answer.speech_end_at_s

    # inside ----------------------------------------------------------------------------------------------

    def _start(self, now_s: float) -> None:
        """The microphone is on."""
        self.schedule = Schedule(now_s + self._rules.phase_s, self._audio.rule.frame_s, len(self._frames))
        self._outbox.extend(self.dialect.begin(self._audio.length))

    def _speak(self, number: int, ready_s: float) -> None:
        """The caller says its clip, from the frame with this number on. `ready_s`: when the server was ready for it."""
        assert self.schedule is not None
        self._ready_at_s, self._first_frame = ready_s, number
        self._frames.speak(number)
        begins_s = self.schedule.stream_start_s + number * self.schedule.frame_s
        self._answer.speech_end_at_s = begins_s + self._audio.clip.speech_end_s

    def _end(self, outcome: Outcome, error: str | None, refusal: Refusal | None = None) -> None:
        self._end_with(Ending(outcome, error, refusal))

    def _end_with(self, ending: Ending) -> None:
        """The turn is over, unless it was before."""
        if self._ending is None:
            error = ending.error
            told = error if error is None else "; the server said before: ".join([error, *self._remarks])
            self._ending = ending._replace(error=told)

    # what came of it -------------------------------------------------------------------------------------

    def measure(self, now_s: float) -> Measured:
        """Every figure of this turn, whether it is over or was cut."""
        schedule = self.schedule
        ending = self._ending or Ending(Outcome.INTERRUPTED)
        begun_s = self._started_dialling_s if schedule is None else schedule.stream_start_s
        opened_s, ready_s = self.opened_at_s, self._ready_at_s
        figures = ConversationFigures(
            outcome=ending.outcome,
            error=ending.error and self.credentials.hide(ending.error),
            refusal=ending.refusal,
            is_own_fault=ending.is_own_fault,
            end=self.dialect.settings.end,
            connect_s=None if opened_s is None else opened_s - self._started_dialling_s,
            ready_s=None if opened_s is None or ready_s is None else ready_s - opened_s,
            speech_s=self._speech_sent_s,
            duration_s=max(0.0, now_s - begun_s),
            stream_start_s=None if schedule is None else schedule.stream_start_s,
            arrival_late_s=self._late_s if ending.outcome is Outcome.OK else None,
            understood=self._is_understood if opened_s is not None or schedule is not None else None,
            early_answers=None if schedule is None else self._answer.n_early,
            **(self._answer.figures() if ending.outcome is Outcome.OK else {}),
        )
        return (figures,) if schedule is None else (figures, schedule.sent_audio())

    @property
    def _speech_sent_s(self) -> float:
        clip, schedule, first = self._audio.clip, self.schedule, self._first_frame
        sent_s = 0.0 if schedule is None or first is None else (schedule.n_sent - first) * schedule.frame_s
        return max(0.0, min(sent_s, clip.speech_end_s) - clip.speech_start_s)


def _frames_until(at_s: float, schedule: Schedule) -> int:
    """How many frames have begun by then."""
    return math.ceil((at_s - schedule.stream_start_s) / schedule.frame_s - 1e-9)
