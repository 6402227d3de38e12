"""One utterance as a state machine: told the time and what arrived, it says what to do next.

    dialling ─ on_open ─▶ (waiting for Ready) ─▶ streaming ─ last frame ─▶ waiting ─▶ done

It opens no socket and reads no clock, so the same logic runs under a fake clock in tests, under one greenlet
a caller, or under one loop for thousands. Every fault becomes an `Outcome` here and nowhere else,
by the tables of `outcomes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule, cut_frames
from stt_load.audio.speech_bounds import SpeechBounds, longest_pause_s
from stt_load.dialects.base import Capabilities, Dialect, Message
from stt_load.dialects.events import Event, Final, Finished, Ignored, Partial, PieceQueued, Ready, ServerError
from stt_load.errors import ConnectionLost, Outcome, ProtocolError, SttLoadError
from stt_load.records import UtteranceRecord
from stt_load.stream.marks import Marks
from stt_load.stream.outcomes import outcome_of_fault
from stt_load.stream.schedule import Schedule
from stt_load.stream.transcript import Transcript


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """A clip cut and encoded for one dialect: made once, shared by every caller that speaks it.

    `longest_pause_s`: within its speech. `audio_s`: with its trailing silence."""

    clip: Clip
    rule: FrameRule
    frames: Sequence[Message]
    longest_pause_s: float

    @property
    def audio_s(self) -> float:
        return len(self.frames) * self.rule.frame_s

    def is_one_piece_for(self, server: Capabilities) -> bool:
        """The server has no reason to cut the clip before its speech has ended."""
        return self.longest_pause_s < server.min_endpoint_s and self.clip.speech_end_s <= server.max_piece_s


def encode_clip(clip: Clip, rule: FrameRule, trailing_silence_s: float, dialect: Dialect) -> EncodedClip:
    frames = [dialect.encode(pcm) for pcm in cut_frames(clip, rule, trailing_silence_s)]
    bounds = SpeechBounds(clip.speech_start_s, clip.speech_end_s)
    return EncodedClip(clip, rule, frames, longest_pause_s(clip.samples, clip.sample_rate_hz, bounds))


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
        self._marks = Marks(started_dialling_s)
        server = dialect.capabilities
        self._transcript = Transcript(server, self._marks, audio.is_one_piece_for(server))
        self._outcome: Outcome | None = None
        self._outbox: list[Message] = []
        self._is_finalised = rules.end == "server"
        self._server_ms: dict[str, float] = {}

    # what happened ---------------------------------------------------------------------------------------

    def on_open(self, opened_s: float) -> None:
        """The upgrade was done at `opened_s`; the first messages are still to be sent."""
        self._marks.opened_at_s = opened_s
        if not self.dialect.capabilities.has_ready:
            self._start_stream(opened_s)

    def on_sent(self, now_s: float) -> None:
        """The message of the last `Send` was handed to the kernel at `now_s`."""
        if self._outbox:
            self._outbox.pop(0)
            self._marks.end_sent_at_s = now_s
        elif self.schedule is not None:
            self.schedule.on_sent(now_s)
            self._marks.last_frame_at_s = now_s

    def on_message(self, arrived_s: float, message: Message) -> Sequence[Event]:
        """A message arrived. Gives its events, for whoever wants to show them."""
        try:
            events = self.dialect.on_message(message)
        except ProtocolError as error:
            self.on_fault(error)
            return ()
        if not all(isinstance(event, Ignored) for event in events):
            self._marks.last_message_at_s = arrived_s
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
            if self._is_sent and self._transcript.is_complete_without(error.close_code):
                self._finish()
        self._end(outcome_of_fault(error), str(error))

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
            return self._marks.dialled_at_s + self.rules.timeout_s
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
        return self._marks.speech_end_at_s

    # inside ----------------------------------------------------------------------------------------------

    def _start_stream(self, now_s: float) -> None:
        self._marks.ready_at_s = now_s
        self.schedule = Schedule(now_s + self.rules.phase_s, self.audio.rule.frame_s, len(self.audio.frames))
        self._marks.on_stream(self.schedule.stream_start_s, self.schedule.end_s, self.audio.clip)

    def _on_event(self, arrived_s: float, event: Event) -> None:
        match event:
            case Ready() if self.schedule is None and self._marks.opened_at_s is not None:
                # A greeting that came in with the upgrade bears an earlier stamp than our reading of the upgrade.
                self._start_stream(max(arrived_s, self._marks.opened_at_s))
            case PieceQueued():
                self._transcript.on_queued(arrived_s)
            case Partial(text):
                self._marks.on_partial(arrived_s, text)
            case Final(text, is_last, server_ms):
                self._transcript.on_final(arrived_s, text)
                self._server_ms.update(server_ms)
                if is_last:
                    self._finish()
            case Finished():
                self._finish()
            case ServerError(message, is_refusal):
                self._end(Outcome.REFUSED if is_refusal else Outcome.SERVER_ERROR, message)
            case _:
                pass

    def _wait_for_ready(self, now_s: float) -> Action:
        opened_s = self._marks.opened_at_s
        limit_s = (self._marks.dialled_at_s if opened_s is None else opened_s) + self.rules.ready_timeout_s
        if now_s >= limit_s:
            self._end(
                Outcome.TIMED_OUT,
                f"no ready message within {self.rules.ready_timeout_s:g} s of the upgrade",
            )
            return Done(Outcome.TIMED_OUT)
        return WaitUntil(limit_s)

    def _wait_for_transcript(self, now_s: float) -> Action:
        settled_s = self._transcript.settled_at_s
        if settled_s is not None and now_s >= settled_s:
            self._finish()
        elif now_s >= self.deadline_s:
            self._time_out()
        if self._outcome is not None:
            return Done(self._outcome)
        return WaitUntil(self.deadline_s if settled_s is None else min(settled_s, self.deadline_s))

    def _time_out(self) -> None:
        error = f"no complete transcript within {self.rules.timeout_s:g} s of the last frame"
        missing = self._transcript.what_is_missing
        self._end(Outcome.TIMED_OUT, f"{error}; {missing}" if missing else error)

    @property
    def _is_sent(self) -> bool:
        return self.schedule is not None and self.schedule.is_all_sent

    def _finish(self) -> None:
        if self._transcript.has_words:
            self._end(Outcome.OK, None)
        else:
            self._end(Outcome.NO_FINAL, "the server ended the utterance without any text")

    def _end(self, outcome: Outcome, error: str | None) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self.error = error

    # what came of it -------------------------------------------------------------------------------------

    def measure_into(self, record: UtteranceRecord, now_s: float) -> None:
        """Write every figure of this utterance into `record`. Latencies only where the transcript was completed."""
        record.outcome = self._outcome or Outcome.INTERRUPTED
        record.error = self.error
        record.close_code = self.close_code
        record.end = self.rules.end
        record.speech_s = self.audio.clip.speech_s
        record.text = self.dialect.join(self._transcript.texts)
        record.server_ms = self._server_ms or None
        self._marks.measure_into(record)
        if self.schedule is None:
            record.duration_s = now_s - self._marks.dialled_at_s
            return
        start_s = self.schedule.stream_start_s
        record.duration_s = now_s - start_s
        record.messages = [[round(at_s - start_s, 6), text] for at_s, text in self._transcript.finals]
        self.schedule.measure_into(record)
