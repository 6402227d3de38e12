"""The named instants of one utterance, and the latencies between them.

    dialled ─ opened ─ ready ─ speech start ─ speech end ─ last frame ─ end sent
       connect_s  ready_s  │        ╎   ╎         │              │            │
                           └────────╎───╎─ texts ─┴── eos ───────┴ stream end ┴ finalise ─▶ completed

Every `*_at_s` is monotonic seconds, None where it has not happened. Start and end of speech lie on the schedule, so
that neither our own lateness nor the size of a frame moves them. What each latency means stands in `UtteranceRecord`.
"""

from __future__ import annotations

import msgspec

from stt_load.audio.clip import BOUNDS_PRECISION_S, Clip
from stt_load.metrics.model_tags import says_something
from stt_load.records import Figures
from stt_load.session.schedule import Schedule


class Latencies(Figures, frozen=True, gc=False):
    """Seconds between two instants of one utterance; None where one of them has not happened."""

    connect_s: float | None
    ready_s: float | None
    first_partial_s: float | None
    eos_latency_s: float | None = None
    stream_end_latency_s: float | None = None
    settled_latency_s: float | None = None
    finalise_latency_s: float | None = None


class Timestamps(msgspec.Struct):
    """When it happened: on our side, on the schedule, and as messages arrived."""

    dialled_at_s: float
    opened_at_s: float | None = None  # the upgrade is done
    ready_at_s: float | None = None  # the server takes audio
    schedule: Schedule | None = None  # what is sent when, and was; None before the stream starts
    end_sent_at_s: float | None = None

    speech_start_at_s: float | None = None  # never, where nobody speaks
    speech_end_at_s: float | None = None  # where the EOS clock starts
    stream_end_at_s: float | None = None  # the last frame is due

    last_message_at_s: float | None = None  # the latest that said anything: not a gauge, not an unknown one
    last_pending_at_s: float | None = None  # the latest segment that the server cut and owes a text
    first_text_at_s: float | None = None
    last_text_at_s: float | None = None  # a final with words, or a cumulative transcript with other words than before
    first_answer_at_s: float | None = None  # the first since the end of speech, whatever it says; never before that
    turn_ended_at_s: float | None = None  # the server's endpointer heard the end of a turn
    settled_at_s: float | None = None  # the server said that nothing more comes

    def on_stream(self, schedule: Schedule, clip: Clip) -> None:
        """The microphone is switched on, or will be."""
        self.schedule = schedule
        if not clip.is_silent:
            self.speech_start_at_s = schedule.stream_start_s + clip.speech_start_s
        self.speech_end_at_s = schedule.stream_start_s + clip.speech_end_s
        self.stream_end_at_s = schedule.end_s

    @property
    def last_frame_at_s(self) -> float | None:
        """When the latest frame was handed over."""
        return None if self.schedule is None else self.schedule.last_sent_at_s

    def on_partial(self, arrived_s: float, text: str) -> None:
        if self.first_text_at_s is None and says_something(text):
            self.first_text_at_s = arrived_s

    def on_final(self, arrived_s: float, text: str, is_new: bool = True, ends_turn: bool = False) -> None:
        """A final, or a cumulative transcript; `is_new`: false where it repeats the last one. `ends_turn`: it is what
        the server says at the end of a turn."""
        self.on_partial(arrived_s, text)
        self._on_answer(arrived_s, ends_turn)
        if is_new and says_something(text):
            self.last_text_at_s = arrived_s

    def on_turn_end(self, arrived_s: float) -> None:
        """The server's endpointer heard the end of a turn."""
        self.turn_ended_at_s = arrived_s
        self._on_answer(arrived_s, ends_turn=True)

    def on_settled(self, at_s: float) -> None:
        """The server said that nothing more comes."""
        self.settled_at_s = at_s if self.speech_end_at_s is None else max(at_s, self.speech_end_at_s)
        self._on_answer(at_s, ends_turn=True)

    def is_at_end(self, arrived_s: float) -> bool:
        """Whether a server that is done at that moment may have heard all of the speech, as far as its end is known."""
        return self.speech_end_at_s is not None and arrived_s > self.speech_end_at_s - BOUNDS_PRECISION_S

    def _on_answer(self, arrived_s: float, ends_turn: bool) -> None:
        """The server answered. Where that ends a turn less before the end of speech than that is known, it counts as
        told at the end; any other text then is one of those that come while somebody speaks."""
        end_s = self.speech_end_at_s
        if self.first_answer_at_s is not None or end_s is None:
            return
        if arrived_s >= end_s or (ends_turn and self.is_at_end(arrived_s)):
            self.first_answer_at_s = max(arrived_s, end_s)

    @property
    def is_end_answered(self) -> bool:
        """Whether an answer came after the end of speech, be it empty: earlier ones can't hold the last words."""
        return self.first_answer_at_s is not None

    @property
    def completed_at_s(self) -> float | None:
        """When the message arrived that completed the transcript: the last text. One that adds no words completes
        nothing, except where all words came before the end of speech: then the first answer after it is the one that
        confirms them, however often the server says them again."""
        end_s, text_s = self.speech_end_at_s, self.last_text_at_s
        if text_s is not None and end_s is not None and text_s < end_s and self.first_answer_at_s is not None:
            return self.first_answer_at_s
        return text_s

    @property
    def _final_answer_at_s(self) -> float | None:
        """When the server's last word answered the end message. Words that came before that answer nothing."""
        answered_s = self.completed_at_s if self.settled_at_s is None else self.settled_at_s
        if answered_s is None or self.end_sent_at_s is None or answered_s < self.end_sent_at_s:
            return None
        return answered_s

    def latencies(self, is_complete: bool) -> Latencies:
        """What lies between the instants. `is_complete`: the transcript was completed; otherwise it has no latency."""
        connect_s = _difference(self.opened_at_s, self.dialled_at_s)
        ready_s = _difference(self.ready_at_s, self.opened_at_s)
        first_partial_s = _difference(self.first_text_at_s, self.speech_start_at_s)
        if not is_complete:
            return Latencies(connect_s, ready_s, first_partial_s)
        completed_s = self.completed_at_s
        return Latencies(
            connect_s=connect_s,
            ready_s=ready_s,
            first_partial_s=first_partial_s,
            eos_latency_s=_difference(completed_s, self.speech_end_at_s),
            stream_end_latency_s=_difference(completed_s, self.last_frame_at_s),
            settled_latency_s=_difference(self.settled_at_s, self.speech_end_at_s),
            finalise_latency_s=_difference(self._final_answer_at_s, self.end_sent_at_s),
        )


def _difference(later_s: float | None, earlier_s: float | None) -> float | None:
    return None if later_s is None or earlier_s is None else later_s - earlier_s
