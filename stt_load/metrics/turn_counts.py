"""What became of the turns of a stage: how many utterances a server cut early, split, or left open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stt_load.metrics.estimates import Share
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class TurnCounts:
    """Counts over the utterances of one stage whose server tells of its turns.

    `judged`: utterances of which it is known whether a turn was ended too early; `cut`, `split`: those where one was,
    and those that became several turns. `placed`: those of whose words the place in the audio is known, `words_lost`:
    the words that they lost at early ends. `left_open`: those whose turn the server was to end, and told no end of.
    `eager_told`: utterances whose server tells of ends that it may take back, `eager`: those that had one, `resumed`:
    how many were taken back.
    """

    judged: int = 0
    cut: int = 0
    split: int = 0
    placed: int = 0
    words_lost: int = 0
    left_open: int = 0
    eager_told: int = 0
    eager: int = 0
    resumed: int = 0

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        for record in records:
            self.left_open += record.is_left_open
            if record.cut_early is None:
                continue
            self.judged += 1
            self.cut += record.cut_early
            self.split += record.is_split
            if record.words_lost_at_cut is not None:
                self.placed += 1
                self.words_lost += record.words_lost_at_cut
            if record.eager_turn_ends is not None:
                self.eager_told += 1
                self.eager += bool(record.eager_turn_ends)
                self.resumed += record.turns_resumed or 0

    def estimates(self) -> dict[str, Share]:
        """The rates, by name of the figure; none that nobody told of."""
        shares = {
            "cut_early_rate": (self.cut, self.judged),
            "split_rate": (self.split, self.judged),
            "eager_end_rate": (self.eager, self.eager_told),
        }
        return {name: Share(n, of) for name, (n, of) in shares.items() if of}
