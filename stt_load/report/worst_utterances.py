"""The worst utterances of a stage, kept while millions go by: those that took longest, and those with the most wrong
words.

Only counted utterances that completed are here: of the others, `metrics.failures` tells what came.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from stt_load.errors import Outcome
from stt_load.metrics.normaliser import Normaliser
from stt_load.metrics.wer import align
from stt_load.records import UtteranceRecord

MOST = 5
"""How many of each sort are kept."""

_OK = str(Outcome.OK)
_LONGEST_TEXT = 1_500  # characters of a text that are compared: a page has no room for more


@dataclass(slots=True)
class Worst:
    """The `MOST` utterances with the largest value; of equal ones, those that came first."""

    value: Callable[[UtteranceRecord], float | None]
    found: list[tuple[float, int, UtteranceRecord]] = field(default_factory=list)  # a heap, the smallest first
    _order: int = 0

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        floor = self.found[0][0] if len(self.found) == MOST else 0.0
        if max(filter(None, map(self.value, records)), default=0.0) <= floor:
            return  # as nearly every time, and so it is decided without a loop
        for value, record in zip(map(self.value, records), records, strict=True):
            if value is None or value <= floor:
                continue
            self._order -= 1
            if len(self.found) < MOST:
                heapq.heappush(self.found, (value, self._order, record))
            else:
                heapq.heapreplace(self.found, (value, self._order, record))
            floor = self.found[0][0] if len(self.found) == MOST else 0.0

    @property
    def records(self) -> list[UtteranceRecord]:
        """The worst first."""
        return [record for _, _, record in sorted(self.found, key=itemgetter(0, 1), reverse=True)]


@dataclass(slots=True)
class WorstUtterances:
    """The worst utterances of one stage. `headline`: the field of the record with the time that its load is about."""

    headline: str
    _slowest: Worst = field(init=False)
    _most_wrong: Worst = field(init=False)

    def __post_init__(self) -> None:
        self._slowest = Worst(attrgetter(self.headline))
        self._most_wrong = Worst(attrgetter("wer"))

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        completed = [record for record in records if record.outcome == _OK and record.phase == "hold"]
        self._slowest.add(completed)
        self._most_wrong.add(completed)

    @property
    def slowest(self) -> tuple[UtteranceRecord, ...]:
        return tuple(self._slowest.records)

    @property
    def most_wrong(self) -> tuple[UtteranceRecord, ...]:
        return tuple(self._most_wrong.records)


def word_diff(reference: str, text: str, normaliser: Normaliser) -> Iterator[tuple[str | None, str | None]]:
    """The words as they are compared: of the reference and of the transcript. None: the other has no match. Words that
    agree are joined."""
    same: list[str] = []
    for wanted, heard in align(reference[:_LONGEST_TEXT], text[:_LONGEST_TEXT], normaliser):
        if wanted is not None and wanted == heard:
            same.append(wanted)
            continue
        if same:
            yield " ".join(same), " ".join(same)
            same = []
        yield wanted, heard
    if same:
        yield " ".join(same), " ".join(same)
