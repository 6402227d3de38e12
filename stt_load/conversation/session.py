"""One turn of a conversation: the caller speaks, the server answers in speech, the caller listens or breaks in.

    stream start ── speech end ──▶ first audio ── more audio ──▶ response.done ─▶ (heard to its end)
                         └ voice to voice ┘ └─ barge_in_s ─▶ onset ──▶ last audio, and the server's word
                                                                └ barge-in stop ┘

End of speech and onset lie on the schedule, so that our own lateness counts against the server. An answer that began
before the caller had finished is no answer to what it said: it is counted, and the turn waits for the next one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from stt_load.conversation.microphone import MicrophoneFrames
from stt_load.conversation.realtime import ConversationDialect
from stt_load.credentials import Credentials
from stt_load.dialects.base import End
from stt_load.dialects.events import (
    AnswerBegins,
    AnswerEnded,
    CallerHeard,
    Event,
    Message,
    Ready,
    Remark,
    ServerError,
    SpeechAudio,
    SpeechFormat,
)
from stt_load.errors import Outcome, ProtocolError, Refusal, SttLoadError
from stt_load.records import Figures, Measured
from stt_load.session.actions import Action, Done, Send, SendFrames, WaitUntil
from stt_load.session.encoded_clip import EncodedClip
from stt_load.session.outcomes import Ending, ending_of_request
from stt_load.session.prepared_message import PreparedMessage
from stt_load.session.schedule import Schedule
from stt_load.tts.playback import AudioArrival, Playback, gaps_s, play

_BYTES_PER_SAMPLE = 2
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
        "_arrivals",
        "_audio",
        "_bytes_per_s",
        "_early",
        "_ended_at_s",
        "_ending",
        "_frames",
        "_heard_at_s",
        "_heard_to_s",
        "_is_finalised",
        "_is_understood",
        "_late_s",
        "_onset_at_s",
        "_outbox",
        "_owes_cancel",
        "_ready_at_s",
        "_remarks",
        "_rules",
        "_speech_end_at_s",
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
        self._speech_end_at_s = math.inf
        self._outbox: list[Message] = []
        self._is_finalised = dialect.settings.end == "server"
        self._ending: Ending | None = None  # None as long as it goes on
        self._is_understood = False
        self._remarks: list[str] = []
        self._late_s: float | None = None  # how long before its time the first audio may have arrived
        self._bytes_per_s = float(_BYTES_PER_SAMPLE * dialect.answer_rate_hz)
        self._early: set[str] = set()  # answers that began before the caller had finished
        self._answer: str | None = None  # the one that answers this turn
        self._arrivals: list[AudioArrival] = []  # of its audio, seconds after the end of speech
        self._ended_at_s: float | None = None  # the server sends no more of it
        self._heard_to_s: float | None = None  # a player has played all of it
        self._onset_at_s: float | None = None  # the caller breaks in
        self._heard_at_s: float | None = None  # and the server said that it hears it
        self._owes_cancel = False

    # what happened ---------------------------------------------------------------------------------------

    def on_open(self, opened_s: float, first_messages: Sequence[Message] = ()) -> None:
        self.opened_at_s = opened_s
        self._outbox.extend(first_messages)

    def on_reuse(self, now_s: float) -> None:
        self._is_understood = True
        self._start(now_s)

    def on_sent(self, now_s: float) -> None:
        self._outbox.pop(0)

    def on_message(self, arrived_s: float, message: Message, late_s: float | None = None) -> Sequence[Event]:
        was_silent = not self._arrivals
        try:
            events = self.dialect.read(message)
            for event in events:
                self._on_event(arrived_s, event)
        except ProtocolError as error:
            self.on_fault(error, arrived_s)
            return ()
        if was_silent and self._arrivals:
            self._late_s = late_s
        return events

    def on_fault(self, error: SttLoadError, now_s: float) -> None:
        if self._ending is None:
            ending = ending_of_request(error)
            self._ending = ending._replace(error="; the server said before: ".join([str(ending.error), *self._remarks]))

    def interrupt(self, why: str) -> None:
        """The run ends now; the turn is counted apart."""
        self._end(Outcome.INTERRUPTED, why)

    def _on_event(self, arrived_s: float, event: Event) -> None:
        match event:
            case SpeechAudio(data, answer):
                self._on_audio(arrived_s, data, answer)
            case AnswerBegins(answer):
                self._name_answer(arrived_s, answer)
            case AnswerEnded(answer, error):
                self._on_answer_ended(arrived_s, answer, error)
            case CallerHeard() if self._onset_at_s is not None and arrived_s >= self._onset_at_s:
                self._heard_at_s = self._heard_at_s or arrived_s
            case SpeechFormat(rate_hz, channels):
                self._bytes_per_s = float(_BYTES_PER_SAMPLE * rate_hz * channels)
            case Ready() if self.schedule is None and self.opened_at_s is not None:
                self._start(max(arrived_s, self.opened_at_s))
            case ServerError(message, refusal):
                self._end(Outcome.REFUSED if refusal else Outcome.SERVER_ERROR, message, refusal)
            case Remark(text) if len(self._remarks) < _REMARKS_KEPT:
                self._remarks.append(text)
            case _:
                return
        self._is_understood = True

    def _name_answer(self, arrived_s: float, answer: str) -> None:
        """Finds out whether an answer is one to what was said, or began before the caller had finished."""
        if answer in self._early or answer == self._answer:
            return
        if arrived_s < self._speech_end_at_s:
            self._early.add(answer)
        elif self._answer is None:
            self._answer = answer

    def _on_audio(self, arrived_s: float, data: bytes, answer: str) -> None:
        self._name_answer(arrived_s, answer)
        if answer == self._answer and data and self._ended_at_s is None:
            self._arrivals.append(AudioArrival(arrived_s - self._speech_end_at_s, len(data)))

    def _on_answer_ended(self, arrived_s: float, answer: str, error: str) -> None:
        self._name_answer(arrived_s, answer)
        if answer != self._answer or self._ended_at_s is not None:
            return
        if error:
            self._end(Outcome.SERVER_ERROR, error)
        elif not self._arrivals:
            self._end(Outcome.NO_FINAL, "the server answered without speech")
        self._ended_at_s = arrived_s
        heard_s = self._arrivals[0].at_s + self._answer_s + self._playback.stall_s if self._arrivals else 0.0
        self._heard_to_s = self._speech_end_at_s + heard_s

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
        """Breaks in where it is time, and ends the turn where all is heard or the server is given up."""
        break_in_s = self._breaks_in_at_s
        if break_in_s is not None and now_s >= break_in_s:
            self._break_in(schedule)
        if self._owes_cancel and self._onset_at_s is not None and now_s >= self._onset_at_s:
            self._owes_cancel = False
            if self._ended_at_s is None:
                self._outbox.append(self.dialect.cancel())
        if self._is_over(now_s):
            self._end(Outcome.OK, None)
        elif now_s >= self.deadline_s:
            self._time_out()

    def _break_in(self, schedule: Schedule) -> None:
        number = schedule.n_sent
        self._frames.speak_over(number)
        self._onset_at_s = schedule.stream_start_s + number * schedule.frame_s + self._frames.onset_s
        self._owes_cancel = self.dialect.interrupts

    def _is_over(self, now_s: float) -> bool:
        if self._onset_at_s is not None:
            return self._stopped_at_s is not None
        return self._heard_to_s is not None and now_s >= self._heard_to_s

    @property
    def _breaks_in_at_s(self) -> float | None:
        """When the caller will break in; None where it won't, or has."""
        if self._rules.barge_in_s is None or self._onset_at_s is not None or not self._arrivals:
            return None
        at_s = self._speech_end_at_s + self._arrivals[0].at_s + self._rules.barge_in_s
        return None if self._heard_to_s is not None and at_s >= self._heard_to_s else at_s

    @property
    def _stopped_at_s(self) -> float | None:
        """When the server had stopped for a caller who broke in: it has told so, and no audio came after that. None as
        long as it hasn't, or where nobody broke in."""
        onset_s, ended_s = self._onset_at_s, self._ended_at_s
        if onset_s is None or ended_s is None:
            return None
        if self.dialect.interrupts:
            return max(onset_s, ended_s)
        told_s = self._heard_at_s if self._heard_at_s is not None else ended_s if ended_s > onset_s else None
        last_audio_s = self._speech_end_at_s + self._arrivals[-1].at_s
        return None if told_s is None else max(told_s, last_audio_s, onset_s)

    @property
    def _barge_in_stop_s(self) -> float | None:
        """None where nobody broke in, or on an answer that had been sent, of which a client's word stops nothing."""
        onset_s, stopped_s, ended_s = self._onset_at_s, self._stopped_at_s, self._ended_at_s
        if (
            onset_s is None
            or stopped_s is None
            or (self.dialect.interrupts and ended_s is not None and ended_s <= onset_s)
        ):
            return None
        return stopped_s - onset_s

    @property
    def _wakes_at_s(self) -> float:
        """When the session has to be asked again, whatever comes."""
        moments = (self._breaks_in_at_s, self._onset_at_s if self._owes_cancel else None, self._listens_until_s)
        return min([self.deadline_s, *(at_s for at_s in moments if at_s is not None)])

    @property
    def _listens_until_s(self) -> float | None:
        return self._heard_to_s if self._onset_at_s is None else None

    def _send_until(self, at_s: float, schedule: Schedule) -> SendFrames:
        """Frames of the microphone up to that moment, and the one that is due next in any case."""
        due = math.ceil((at_s - schedule.stream_start_s) / schedule.frame_s - 1e-9)
        until = max(schedule.n_sent + 1, due)
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
        if self.schedule is None:
            opened_s = self.opened_at_s
            return (self._started_dialling_s if opened_s is None else opened_s) + self._rules.ready_timeout_s
        begun_s = self._onset_at_s or self._ended_at_s or self._speech_end_at_s
        return begun_s + self._rules.timeout_s

    @property
    def frames(self) -> Sequence[Sequence[PreparedMessage]]:
        return self._frames

    @property
    def credentials(self) -> Credentials:
        return self.dialect.settings.credentials

    @property
    def is_complete(self) -> bool:
        return self._ending is not None and self._ending.outcome is Outcome.OK and self._onset_at_s is None

    @property
    def state(self) -> str:
        """What the caller does right now, as the live view shows it."""
        if self.schedule is None:
            return "connecting"
        return "waiting" if self.schedule.n_sent >= len(self._audio.frames) else "speaking"

    @property
    def speech_end_at_s(self) -> float | None:
        """End of speech on the schedule; None before the stream starts."""
        return None if self.schedule is None else self._speech_end_at_s

    # inside ----------------------------------------------------------------------------------------------

    def _start(self, now_s: float) -> None:
        self._ready_at_s = now_s
        self.schedule = Schedule(now_s + self._rules.phase_s, self._audio.rule.frame_s, len(self._frames))
        self._speech_end_at_s = self.schedule.stream_start_s + self._audio.clip.speech_end_s
        self._outbox.extend(self.dialect.begin(self._audio.length))

    def _time_out(self) -> None:
        limit = f"{self._rules.timeout_s:g} s"
        if self._onset_at_s is not None:
            told = "stop" if self._ended_at_s is None else "say that it hears the caller"
            error = f"the server did not {told} within {limit} of being spoken over"
        elif self._heard_to_s is not None:
            error = f"the answer could not be heard within {limit} of its end"
        elif self._arrivals:
            error = f"the answer had not ended {limit} after the end of speech"
        elif self._early:
            error = f"the server answered before the caller had finished, and not within {limit} after that"
        else:
            error = f"no answer within {limit} of the end of speech"
        self._end(Outcome.TIMED_OUT, error)

    def _end(self, outcome: Outcome, error: str | None, refusal: Refusal | None = None) -> None:
        if self._ending is None:
            told = error if error is None else "; the server said before: ".join([error, *self._remarks])
            self._ending = Ending(outcome, told, refusal)

    # what came of it -------------------------------------------------------------------------------------

    @property
    def _answer_s(self) -> float:
        return sum(arrival.n_bytes for arrival in self._arrivals) / self._bytes_per_s

    @property
    def _playback(self) -> Playback:
        return play(self._arrivals, self._bytes_per_s)

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
            early_answers=None if schedule is None else len(self._early),
            **(self._of_answer() if ending.outcome is Outcome.OK else {}),
        )
        return (figures,) if schedule is None else (figures, schedule.sent_audio())

    def _of_answer(self) -> dict[str, Any]:
        playback = self._playback
        return {
            "voice_to_voice_s": self._arrivals[0].at_s,
            "barge_in_stop_s": self._barge_in_stop_s,
            "answer_s": self._answer_s,
            "gap_max_s": max(gaps_s(self._arrivals), default=0.0),
            "underruns": playback.underruns,
            "stall_s": playback.stall_s,
        }

    @property
    def _speech_sent_s(self) -> float:
        clip, schedule = self._audio.clip, self.schedule
        sent_s = 0.0 if schedule is None else schedule.n_sent * schedule.frame_s
        return max(0.0, min(sent_s, clip.speech_end_s) - clip.speech_start_s)
