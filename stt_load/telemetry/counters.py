"""What has been counted of a run so far: figures that only grow, fed row by row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.session.outcomes import CLOSE_OUTCOMES
from stt_load.telemetry.histogram import LatencyHistogram

UNKNOWN = "unknown"
OWN_FAULT = "own_fault"
"""The reason of an utterance that the load generator itself failed to play."""


@dataclass(slots=True)
class RunCounters:
    """Counts over the utterances that the report counts too: those that began in a hold. `headline`: the one time that
    the kind of load is about, of completed utterances. `failures`: by outcome and reason. Word errors are those of
    utterances that were scored as they came: a master that is behind scores the rest for the report."""

    outcomes: Counter[str] = field(default_factory=lambda: Counter({str(outcome): 0 for outcome in Outcome}))
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    headline: LatencyHistogram = field(default_factory=LatencyHistogram)
    frames: int = 0
    frames_late: int = 0
    word_errors: int = 0
    reference_words: int = 0
    audio_s: float = 0.0

    def add(self, record: UtteranceRecord) -> None:
        if not record.is_counted:
            return
        outcome = str(record.outcome)
        self.outcomes[outcome] += 1
        self.frames += record.frames
        self.frames_late += record.frames_late
        self.audio_s += record.audio_s
        if record.is_ok:
            self._add_completed(record)
        elif outcome != Outcome.INTERRUPTED or record.is_own_fault:
            self.failures[outcome, reason_of(record)] += 1

    def _add_completed(self, record: UtteranceRecord) -> None:
        if record.headline_s is not None:
            self.headline.add(record.headline_s)
        if record.reference_words:
            self.word_errors += record.word_errors
            self.reference_words += record.reference_words


def reason_of(record: UtteranceRecord) -> str:
    """Why an utterance failed, as one of a few words: a label may not have as many values as servers have sentences.

    It is what the server's refusal says (`full`, `auth`, …), else a close code that means something (`close_1011`).
    """
    if record.is_own_fault:
        return OWN_FAULT
    if record.refusal is not None:
        return record.refusal
    return f"close_{record.close_code}" if record.close_code in CLOSE_OUTCOMES else UNKNOWN
