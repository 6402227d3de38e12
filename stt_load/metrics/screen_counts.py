"""What a stage has of its callers' screens beside one value an utterance: errors of first texts, and the drift of the
server's times of words over a connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from stt_load.metrics.clip_errors import ClipErrors, error_rate
from stt_load.metrics.estimates import Resampled
from stt_load.metrics.screen_scores import drift
from stt_load.records import UtteranceRecord

_SHORTEST_DRIFT_S = 5.0  # between the youngest connection and the oldest: all that carry one utterance are as young
_MOST_TIMES = 100_000  # a soak has millions: every other one says the same of their drift

Value = TypeVar("Value")


@dataclass(slots=True)
class ScreenCounts:
    """Sums over the completed utterances of one stage. `word_times_off`: age of the connection, and how far the times
    of an utterance's words are off, in seconds. `drifts_s`: how much that grows within each utterance. `interim`:
    utterances with a text on the screen that was not final."""

    first_partials: ClipErrors = field(default_factory=ClipErrors, compare=False)
    first_finals: ClipErrors = field(default_factory=ClipErrors, compare=False)
    word_times_off: list[tuple[float, float]] = field(default_factory=list)
    drifts_s: list[float] = field(default_factory=list)
    interim: int = 0

    def add(self, completed: Iterable[UtteranceRecord]) -> None:
        for record in completed:
            screen = record.screen
            if screen is None:
                continue
            self.interim += len(screen.changes) > len(record.messages)
            if screen.first_partial_words:
                self.first_partials.add(record.clip_id, screen.first_partial_errors, screen.first_partial_words)
            if screen.first_final_words:
                self.first_finals.add(record.clip_id, screen.first_final_errors, screen.first_final_words)
            if screen.word_time_drift_s is not None:
                _keep(self.drifts_s, screen.word_time_drift_s)
            if screen.word_time_off_s is not None and record.connection_age_s is not None:
                _keep(self.word_times_off, (record.connection_age_s, screen.word_time_off_s))

    def estimates(self) -> dict[str, Resampled | None]:
        """The error rates, by name of the figure."""
        return {
            "first_partial_wer": error_rate(self.first_partials.close()),
            "first_final_wer": error_rate(self.first_finals.close()),
        }

    def copy(self) -> ScreenCounts:
        """The sums as they are now, of which a closed stage keeps no more than it shows."""
        return ScreenCounts(
            word_times_off=list(self.word_times_off), drifts_s=list(self.drifts_s), interim=self.interim
        )

    @property
    def drift_s(self) -> float | None:
        """The seconds by which the server's times of words go wrong over the median utterance, signed."""
        return median(self.drifts_s) if self.drifts_s else None

    @property
    def drift_s_per_min(self) -> float | None:
        """The seconds by which the server's times of words go wrong per minute of their connection; None where no
        connection carried several utterances."""
        ages_s = [age_s for age_s, _ in self.word_times_off]
        span_s = max(ages_s, default=0.0) - min(ages_s, default=0.0)
        grown_s = drift(self.word_times_off) if span_s >= _SHORTEST_DRIFT_S else None
        return None if grown_s is None else 60 * grown_s / span_s


def _keep(values: list[Value], value: Value) -> None:
    """Adds a value. Where there are too many, every other one goes."""
    values.append(value)
    if len(values) > _MOST_TIMES:
        del values[::2]
