"""One upload as values: its instants, and what came of it. No socket, no clock.

    dialled ─ connected ─ first byte handed over ─ all handed over ─ first text ─ last byte of the answer
       connect_s          └──────────── first_text_s ───────────────────┘                   │
                          └──────────── total_s ────────────────────────────────────────────┘

Every `*_at_s` is monotonic seconds, None where it has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass

from stt_load.audio.clip import Clip
from stt_load.errors import Outcome, Refusal, SttLoadError
from stt_load.kinds import UPLOAD
from stt_load.records import Stamp, UtteranceRecord
from stt_load.session.http_status import outcome_of, refusal_of
from stt_load.uploads.answers import Answer


@dataclass(slots=True)
class Exchange:
    """The shell notes instants and ends it with one of the `on_…`; the first end holds."""

    clip: Clip
    dialled_at_s: float | None = None
    connected_at_s: float | None = None
    begun_at_s: float | None = None
    sent_at_s: float | None = None
    ended_at_s: float | None = None
    stamp: Stamp = "read"
    outcome: Outcome | None = None
    refusal: Refusal | None = None
    error: str | None = None
    answer: Answer | None = None

    @property
    def doing(self) -> str:
        """Where it stands, as a live view shows it."""
        if self.begun_at_s is None:
            return "connecting"
        return "speaking" if self.sent_at_s is None else "waiting"

    def on_answer(self, answer: Answer, ended_at_s: float) -> None:
        """2xx, and the whole body. `ended_at_s`: when its last byte arrived."""
        self.answer, self.ended_at_s = answer, ended_at_s
        if answer.error is not None:
            self._end(Outcome.SERVER_ERROR, answer.error)
        elif not answer.is_whole:
            self._end(Outcome.DISCONNECTED, "the answer ended before its last event")
        elif not answer.text:
            self._end(Outcome.NO_FINAL, "the server answered without any text")
        else:
            self._end(Outcome.OK, None)

    def on_fault(self, fault: SttLoadError) -> None:
        self._end(outcome_of(fault), str(fault), refusal_of(fault))

    def interrupt(self, why: str) -> None:
        self._end(Outcome.INTERRUPTED, why)

    def measure_into(self, record: UtteranceRecord, now_s: float) -> None:
        """Every figure of this upload; times of the answer only where it is a transcript."""
        record.kind = UPLOAD.name
        record.outcome = self.outcome or Outcome.INTERRUPTED
        record.error, record.refusal = self.error, self.refusal
        record.end, record.stamp = "client", self.stamp
        record.speech_s = self.clip.speech_s
        record.audio_s = 0.0 if self.sent_at_s is None else self.clip.duration_s
        record.connect_s = _between(self.dialled_at_s, self.connected_at_s)
        began_at_s = self.dialled_at_s if self.begun_at_s is None else self.begun_at_s
        record.duration_s = _between(began_at_s, now_s)
        if self.answer is None or self.begun_at_s is None:
            return
        record.text = self.answer.text
        record.messages = [[round(at_s - self.begun_at_s, 6), text] for at_s, text in self.answer.messages]
        record.server_ms = dict(self.answer.server_ms) or None
        if self.outcome is Outcome.OK:
            record.total_s = _between(self.begun_at_s, self.ended_at_s)
            record.first_text_s = _between(self.begun_at_s, self.answer.first_text_at_s)

    def _end(self, outcome: Outcome, error: str | None, refusal: Refusal | None = None) -> None:
        if self.outcome is None:
            self.outcome, self.error, self.refusal = outcome, error, refusal


def _between(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else end_s - start_s
