"""What a server told callers who never speak: words from nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stt_load.errors import Outcome
from stt_load.metrics.bootstrap import RISK, rate_limits
from stt_load.metrics.estimates import Resampled
from stt_load.metrics.failures import has_failed
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class SilenceCounts:
    """Counts over the utterances of one stage in which nobody spoke. `ok`, `failed`: how they ended. `words`: by clip,
    the words that were told and the minutes of audio that were sent."""

    ok: int = 0
    failed: int = 0
    words: dict[str, tuple[int, float]] = field(default_factory=dict)

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        for record in records:
            if record.outcome == Outcome.INTERRUPTED:
                continue
            self.ok += record.is_ok
            self.failed += has_failed(record)
            words, minutes = self.words.get(record.clip_id, (0, 0.0))
            told = record.words_from_nothing or 0
            self.words[record.clip_id] = words + told, minutes + record.audio_s / 60

    @property
    def n(self) -> int:
        """Utterances that were not interrupted."""
        return self.ok + self.failed

    @property
    def minutes(self) -> float:
        """Minutes of audio without speech that were sent."""
        return sum(minutes for _, minutes in self.words.values())

    def estimate(self) -> Resampled | None:
        """Words a minute, with the limits of a bootstrap over clips; one more utterance may be as bad as the worst
        clip, and tell one word at least. None where nothing was sent."""
        told, minutes = ([pair[part] for pair in self.words.values()] for part in (0, 1))
        if not sum(minutes):
            return None
        mean = sum(minutes) / self.n
        limits = rate_limits(told, minutes, best=(0.0, mean), worst=(max(*told, 1), mean), risk=RISK)
        return Resampled(sum(told) / sum(minutes), *limits, self.n)
