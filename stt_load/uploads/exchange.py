"""One upload as values: its instants, and what came of it. No socket, no clock.

    dialled ─ connected ─ first byte handed over ─ all handed over ─ first text ─ last byte of the answer
       connect_s          └──────────── first_text_s ───────────────────┘                   │
                          └──────────── total_s ────────────────────────────────────────────┘

Every `*_at_s` is monotonic seconds, None where it has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stt_load.audio.clip import Clip
from stt_load.dialects.base import End
from stt_load.errors import Outcome, Refusal, SttLoadError
from stt_load.records import Figures, Measured, Stamp
from stt_load.session.http_status import outcome_of, refusal_of
from stt_load.uploads.answers import Answer


class UploadFigures(Figures, frozen=True, gc=False):
    """What came of one upload, besides its transcript: fields of `UtteranceRecord`."""

    outcome: Outcome
    error: str | None
    refusal: Refusal | None
    stamp: Stamp
    speech_s: float
    audio_s: float
    connect_s: float | None
    duration_s: float | None
    end: End = "client"


class TranscriptFigures(Figures, frozen=True, gc=False):
    """What an upload was answered: fields of `UtteranceRecord`. Times only where it is a transcript."""

    text: str
    messages: list[list[Any]]
    server_ms: dict[str, float] | None
    total_s: float | None
    first_text_s: float | None


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
    def state(self) -> str:
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

    def measure(self, now_s: float) -> Measured:
        """Every figure of this upload; times of the answer only where it is a transcript."""
        start_s, answer = self.begun_at_s, self.answer
        request = UploadFigures(
            outcome=self.outcome or Outcome.INTERRUPTED,
            error=self.error,
            refusal=self.refusal,
            stamp=self.stamp,
            speech_s=self.clip.speech_s,
            audio_s=0.0 if self.sent_at_s is None else self.clip.duration_s,
            connect_s=_between(self.dialled_at_s, self.connected_at_s),
            duration_s=_between(self.dialled_at_s if start_s is None else start_s, now_s),
        )
        if answer is None or start_s is None:
            return (request,)
        is_ok = self.outcome is Outcome.OK
        return request, TranscriptFigures(
            text=answer.text,
            messages=[[round(at_s - start_s, 6), text] for at_s, text in answer.messages],
            server_ms=dict(answer.server_ms) or None,
            total_s=_between(start_s, self.ended_at_s) if is_ok else None,
            first_text_s=_between(start_s, answer.first_text_at_s) if is_ok else None,
        )

    def _end(self, outcome: Outcome, error: str | None, refusal: Refusal | None = None) -> None:
        if self.outcome is None:
            self.outcome, self.error, self.refusal = outcome, error, refusal


def _between(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else end_s - start_s
