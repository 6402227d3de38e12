"""One utterance as a state machine: told the time and what arrived, it says what to do next.

    dialling ─ on_open ─▶ (waiting for Ready) ─▶ streaming ─ last frame ─▶ waiting ─▶ done

It opens no socket and reads no clock, so the same logic runs under a fake clock in tests, under one greenlet
a caller, or under one loop for thousands. Every fault becomes an `Outcome` here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule, cut_frames
from stt_load.dialects.base import Dialect, Message
from stt_load.dialects.events import Event, Final, Finished, Partial, PieceQueued, Ready, ServerError
from stt_load.errors import (
    ConnectionLost,
    DeadlineExceeded,
    Outcome,
    ProtocolError,
    SttLoadError,
    UpgradeRefused,
)
from stt_load.records import UtteranceRecord
from stt_load.stream.schedule import Schedule

# RFC 6455 section 7.4.1 and the IANA registry. What is not listed counts as disconnected.
CLOSE_OUTCOMES: dict[int, Outcome] = {
    1008: Outcome.REFUSED,  # policy violation: what servers use for bad credentials
    1011: Outcome.SERVER_ERROR,  # internal error
    1013: Outcome.REFUSED,  # try again later: full
    1014: Outcome.SERVER_ERROR,  # bad gateway
    4401: Outcome.REFUSED,  # credentials, by custom of several servers
}
# The server says in good order that the utterance is over: 1000, or a close frame without a code (seen as 1005).
ORDERLY_CLOSES = frozenset({1000, 1005})
FAULT_OUTCOMES: dict[type[SttLoadError], Outcome] = {
    UpgradeRefused: Outcome.REFUSED,
    DeadlineExceeded: Outcome.TIMED_OUT,
    ProtocolError: Outcome.PROTOCOL_ERROR,
}


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """A clip cut and encoded for one dialect: made once, shared by every caller that speaks it."""

    clip: Clip
    rule: FrameRule
    frames: Sequence[Message]

    @property
    def audio_s(self) -> float:
        return len(self.frames) * self.rule.frame_s


def encode_clip(clip: Clip, rule: FrameRule, trailing_silence_s: float, dialect: Dialect) -> EncodedClip:
    frames = [dialect.encode(pcm) for pcm in cut_frames(clip, rule, trailing_silence_s)]
    return EncodedClip(clip, rule, frames)


@dataclass(frozen=True, slots=True)
class SessionRules:
    """`timeout_s`: from the moment the last frame is due to the deadline for the transcript.
    `ready_timeout_s`: from the upgrade to the server's ready message. `phase_s`: the microphone is switched on so
    long after the server is ready, so that callers don't send in lock-step."""

    timeout_s: float = 30.0
    ready_timeout_s: float = 10.0
    phase_s: float = 0.0
    end: Literal["client", "server"] = "server"


@dataclass(frozen=True, slots=True)
class Send:
    """Hand `message` to the kernel now, then call `on_sent`; give up at `deadline_s`."""

    message: Message
    deadline_s: float


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to do before `at_s` unless a message arrives."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """The utterance is over: close the connection."""

    outcome: Outcome


Action = Send | WaitUntil | Done


class Session:
    """One utterance. The caller owes: `on_open` (or `on_fault`), then `next_action` until `Done`, with `on_sent`
    after every `Send`, `on_message` for every message (stamped with its arrival), `on_fault` for every error."""

    def __init__(self, dialect: Dialect, audio: EncodedClip, rules: SessionRules, started_dialling_s: float) -> None:
        self.dialect = dialect
        self.audio = audio
        self.rules = rules
        self.error: str | None = None
        self.close_code: int | None = None
        self.schedule: Schedule | None = None
        self._dial_s = started_dialling_s
        self._open_s: float | None = None
        self._ready_s: float | None = None
        self._outcome: Outcome | None = None
        self._outbox: list[Message] = []
        self._end_sent_s: float | None = None
        self._is_finalised = rules.end == "server"
        self._last_sent_s: float | None = None
        self._last_message_s: float | None = None
        self._first_text_s: float | None = None
        self._last_text_s: float | None = None
        self._last_final_s: float | None = None
        self._last_queued_s: float | None = None
        self._n_owed = 0
        self._finals: list[tuple[float, str]] = []
        self._server_ms: dict[str, float] = {}

    # what happened ---------------------------------------------------------------------------------------

    def on_open(self, now_s: float) -> None:
        """The upgrade is done."""
        self._open_s = now_s
        if not self.dialect.capabilities.has_ready:
            self._start_stream(now_s)

    def on_sent(self, now_s: float) -> None:
        """The message of the last `Send` was handed to the kernel at `now_s`."""
        if self._outbox:
            self._outbox.pop(0)
            self._end_sent_s = now_s
        elif self.schedule is not None:
            self.schedule.on_sent(now_s)
            self._last_sent_s = now_s

    def on_message(self, arrived_s: float, message: Message) -> Sequence[Event]:
        """A message arrived. Gives its events, for whoever wants to show them."""
        self._last_message_s = arrived_s
        try:
            events = self.dialect.on_message(message)
        except ProtocolError as error:
            self.on_fault(error)
            return ()
        if self.schedule is not None and arrived_s > self.deadline_s:
            self._time_out()
        for event in events:
            self._on_event(arrived_s, event)
        return events

    def on_fault(self, error: SttLoadError) -> None:
        """The connection failed. What was complete by then stays complete."""
        if self._outcome is not None:
            return
        if isinstance(error, ConnectionLost):
            self.close_code = error.close_code
            if self._is_complete_without(error):
                self._finish()
            else:
                self._end(CLOSE_OUTCOMES.get(error.close_code, Outcome.DISCONNECTED), str(error))
            return
        outcome = next((o for kind, o in FAULT_OUTCOMES.items() if isinstance(error, kind)), Outcome.DISCONNECTED)
        self._end(outcome, str(error))

    def interrupt(self, why: str) -> None:
        """The run ends now; the utterance is counted apart."""
        self._end(Outcome.INTERRUPTED, why)

    # what to do ------------------------------------------------------------------------------------------

    def next_action(self, now_s: float) -> Action:
        if self._outcome is not None:
            return Done(self._outcome)
        if self.schedule is None:
            return self._wait_for_ready(now_s)
        if self._outbox:
            return Send(self._outbox[0], self.deadline_s)
        if not self.schedule.is_all_sent:
            due_s = self.schedule.next_due_s
            if due_s > now_s:
                return WaitUntil(due_s)
            return Send(self.audio.frames[self.schedule.n_sent], self.deadline_s)
        if not self._is_finalised:
            self._is_finalised = True
            self._outbox.extend(self.dialect.finalise())
            return self.next_action(now_s)
        return self._wait_for_transcript(now_s)

    @property
    def deadline_s(self) -> float:
        """When the transcript is given up: on the schedule, so that our own lateness doesn't extend it."""
        if self.schedule is None:
            return self._dial_s + self.rules.timeout_s
        return self.schedule.end_s + self.rules.timeout_s

    @property
    def doing(self) -> str:
        """What a live view shows of this caller."""
        if self.schedule is None:
            return "connecting"
        return "waiting" if self.schedule.is_all_sent else "speaking"

    @property
    def speech_end_at_s(self) -> float | None:
        """End of speech on the schedule: where the EOS clock starts. None before the stream starts."""
        return self._at(self.audio.clip.speech_end_s)

    # inside ----------------------------------------------------------------------------------------------

    def _start_stream(self, now_s: float) -> None:
        self._ready_s = now_s
        self.schedule = Schedule(now_s + self.rules.phase_s, self.audio.rule.frame_s, len(self.audio.frames))

    def _on_event(self, arrived_s: float, event: Event) -> None:
        match event:
            case Ready() if self.schedule is None and self._open_s is not None:
                # A greeting that came in with the upgrade bears an earlier stamp than our reading of the upgrade.
                self._start_stream(max(arrived_s, self._open_s))
            case PieceQueued():
                self._n_owed += 1
                self._last_queued_s = arrived_s
            case Partial(text):
                self._note_first_text(arrived_s, text)
            case Final(text, is_last, server_ms):
                # A text too many (said twice, or somebody else's) doesn't pay for a piece that is still to come.
                self._n_owed = max(0, self._n_owed - 1)
                self._last_final_s = arrived_s
                self._finals.append((arrived_s, text))
                self._note_first_text(arrived_s, text)
                if text:
                    self._last_text_s = arrived_s
                self._server_ms.update(server_ms)
                if is_last:
                    self._finish()
            case Finished():
                self._finish()
            case ServerError(message, is_refusal):
                self._end(Outcome.REFUSED if is_refusal else Outcome.SERVER_ERROR, message)
            case _:
                pass

    def _note_first_text(self, arrived_s: float, text: str) -> None:
        if text and self._first_text_s is None:
            self._first_text_s = arrived_s

    def _wait_for_ready(self, now_s: float) -> Action:
        limit_s = (self._open_s if self._open_s is not None else self._dial_s) + self.rules.ready_timeout_s
        if now_s >= limit_s:
            self._end(
                Outcome.TIMED_OUT,
                f"no ready message within {self.rules.ready_timeout_s:g} s of the upgrade",
            )
            return Done(Outcome.TIMED_OUT)
        return WaitUntil(limit_s)

    def _wait_for_transcript(self, now_s: float) -> Action:
        settled_s = self._settled_at_s()
        if settled_s is not None and now_s >= settled_s:
            self._finish()
        elif now_s >= self.deadline_s:
            self._time_out()
        if self._outcome is not None:
            return Done(self._outcome)
        return WaitUntil(self.deadline_s if settled_s is None else min(settled_s, self.deadline_s))

    def _time_out(self) -> None:
        why = ""
        if self._n_owed:
            why = f"; {self._n_owed} queued piece(s) never got their text"
        elif self._finals and not self._is_end_answered:
            why = "; every text came before the end of speech"
        self._end(Outcome.TIMED_OUT, f"no complete transcript within {self.rules.timeout_s:g} s of the last frame{why}")

    def _settled_at_s(self) -> float | None:
        """When the transcript may be taken as complete; None while something is owed or nothing came.

        Protocols with a last message never get here with an answer: `Final.is_last` ends the utterance. With
        counted pieces the utterance is over as soon as every queued piece has its text, if the last piece was
        queued while our audio still flowed and after the end of speech (a piece queued earlier is a pause inside
        the clip). A server that queues later than that is behind, and the piece may not be the last: then, as
        for servers that count nothing, only a quiet period says so. No quiet makes a transcript complete while
        all of its pieces were answered before the end of speech.
        """
        assert self.schedule is not None and self._last_sent_s is not None
        if not self._owes_nothing or self._last_message_s is None:
            return None
        if self.dialect.capabilities.counts_pieces:
            if self._is_last_piece_known():
                return self._last_sent_s
            if not self._is_end_answered:
                return None
        return max(self._last_sent_s, self._last_message_s) + self.dialect.capabilities.quiet_s

    def _is_last_piece_known(self) -> bool:
        assert self.schedule is not None
        speech_end_s = self.speech_end_at_s
        if self._last_queued_s is None or speech_end_s is None or self._last_text_s is None:
            return False
        earliest_s = speech_end_s + self.dialect.capabilities.min_endpoint_s
        return earliest_s <= self._last_queued_s <= self.schedule.end_s

    def _is_complete_without(self, loss: ConnectionLost) -> bool:
        """Nothing more would have come over the connection that was lost. That nothing is owed doesn't say so: the
        server may not have got to the last words yet. An orderly close does, and so does the last piece."""
        if not self._is_sent or self._n_owed:
            return False
        if not self.dialect.capabilities.counts_pieces:
            return loss.close_code in ORDERLY_CLOSES
        if self._finals and not self._is_end_answered:
            return False
        return loss.close_code in ORDERLY_CLOSES or self._is_last_piece_known()

    @property
    def _is_end_answered(self) -> bool:
        """A final (empty or not) came after the end of speech: earlier ones can't hold the last words."""
        end_s = self.speech_end_at_s
        return self._last_final_s is not None and end_s is not None and self._last_final_s >= end_s

    @property
    def _completed_s(self) -> float | None:
        """Arrival of the message that completed the transcript: the last text. An empty one adds nothing, except
        where all words came before the end of speech: then it is the answer to what was still to be heard."""
        end_s = self.speech_end_at_s
        if self._last_text_s is not None and end_s is not None and self._last_text_s < end_s:
            return self._last_final_s
        return self._last_text_s

    @property
    def _owes_nothing(self) -> bool:
        return self._n_owed == 0 and bool(self._finals)

    @property
    def _is_sent(self) -> bool:
        return self.schedule is not None and self.schedule.is_all_sent

    def _finish(self) -> None:
        self._end(
            Outcome.OK if self._last_text_s is not None else Outcome.NO_FINAL,
            None if self._last_text_s is not None else "the server ended the utterance without any text",
        )

    def _end(self, outcome: Outcome, error: str | None) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self.error = error if outcome is not Outcome.OK else None

    def _at(self, audio_offset_s: float) -> float | None:
        return None if self.schedule is None else self.schedule.stream_start_s + audio_offset_s

    # what came of it -------------------------------------------------------------------------------------

    def measure_into(self, record: UtteranceRecord, now_s: float) -> None:
        """Write every figure of this utterance into `record`. Latencies only where the transcript was completed."""
        clip = self.audio.clip
        record.outcome = self._outcome or Outcome.INTERRUPTED
        record.error = self.error
        record.close_code = self.close_code
        record.end = self.rules.end
        record.speech_s = clip.speech_s
        record.connect_s = _difference(self._open_s, self._dial_s)
        record.ready_s = _difference(self._ready_s, self._open_s)
        record.text = self.dialect.join([text for _, text in self._finals])
        record.server_ms = self._server_ms or None
        if self.schedule is None:
            record.duration_s = now_s - self._dial_s
            return
        start_s = self.schedule.stream_start_s
        record.duration_s = now_s - start_s
        record.frames = self.schedule.n_sent
        record.audio_s = self.schedule.n_sent * self.schedule.frame_s
        record.pacing_lag_p99_s = self.schedule.lag_p99_s
        record.pacing_lag_max_s = self.schedule.lag_max_s
        record.frames_late = self.schedule.n_late
        record.messages = [[round(at_s - start_s, 6), text] for at_s, text in self._finals]
        record.first_partial_s = _difference(self._first_text_s, self._at(clip.speech_start_s))
        if record.is_ok:
            record.eos_latency_s = _difference(self._completed_s, self.speech_end_at_s)
            record.stream_end_latency_s = _difference(self._completed_s, self._last_sent_s)
            record.finalise_latency_s = _difference(self._completed_s, self._end_sent_s)


def _difference(later_s: float | None, earlier_s: float | None) -> float | None:
    return None if later_s is None or earlier_s is None else later_s - earlier_s
