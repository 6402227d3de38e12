"""Scores of many transcripts as one: rates of the whole corpus, rates of the mean row, and the worst rows.

    corpus rate    errors of all rows / reference words of all rows      a long row weighs more than a short one
    mean rate      mean of the rows' own rates                           each row weighs the same

A row whose reference has no words has no rate: its insertions are errors of the corpus, and the mean leaves it out.
Rows are added one after the other; of a million, their counts take 40 MB.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stt_load.metrics.bootstrap import RISK, Limits, error_rate_limits
from stt_load.metrics.clip_errors import ErrorCount
from stt_load.metrics.pairs import Pair
from stt_load.metrics.wer import Scores

_COUNTS = (
    *("substitutions", "deletions", "insertions", "reference_words"),
    *("character_errors", "reference_characters"),
)


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """The scores of a whole corpus: ratios (0 to 1, more if much was inserted) and counts. None: no reference words.

    `references`: how many different ones there are. `interval`: where the corpus rate of words lies, at 95 %: rows with
    the same reference are drawn together, since one hard sentence heard ten times is one piece of evidence.
    """

    rows: int
    rows_without_reference: int  # no word in it: left out of both means
    rows_without_transcript: int
    words: ErrorCount
    characters: ErrorCount
    mean_wer: float | None
    mean_cer: float | None
    substitutions: int
    deletions: int
    insertions: int
    references: int
    interval: Limits


class Corpus:
    """The scores of a corpus: `add` each row, then `close`. `n_worst`: how many of the worst rows are kept whole."""

    def __init__(self, n_worst: int = 0) -> None:
        self._lines = array("q")
        self._references = array("q")  # a hash each: equal ones are the same text
        self._counts = {name: array("i") for name in _COUNTS}
        self._n_worst = n_worst
        self._worst: list[tuple[tuple[float, int, int], Pair, Scores]] = []  # a heap, the least bad first
        self._without_transcript = 0

    def add(self, pair: Pair, scores: Scores) -> None:
        self._lines.append(pair.line)
        self._references.append(hash(pair.reference))
        for name, column in self._counts.items():
            column.append(getattr(scores, name))
        self._without_transcript += not scores.transcript_words
        if self._n_worst and scores.word_errors:
            # Words heard where nothing was said rank as if one word had been said.
            badness = (scores.word_errors / max(1, scores.reference_words), scores.word_errors, -len(self._lines))
            if len(self._worst) < self._n_worst:
                heapq.heappush(self._worst, (badness, pair, scores))
            elif badness > self._worst[0][0]:
                heapq.heapreplace(self._worst, (badness, pair, scores))

    @property
    def worst(self) -> list[tuple[Pair, Scores]]:
        """The rows with errors, the highest rate first; of equal rates the one with more errors, then the earlier."""
        return [(pair, scores) for _, pair, scores in sorted(self._worst, key=lambda row: row[0], reverse=True)]

    def rows(self) -> Iterator[dict[str, Any]]:
        """The line, rates and counts of every row."""
        for line, *values in zip(self._lines, *self._counts.values(), strict=True):
            counts = dict(zip(_COUNTS, values, strict=True))
            errors = counts["substitutions"] + counts["deletions"] + counts["insertions"]
            words, characters = counts["reference_words"], counts["reference_characters"]
            wer = errors / words if words else None
            cer = counts["character_errors"] / characters if characters else None
            yield {"line": line, "wer": wer, "cer": cer, **counts}

    def close(self) -> CorpusFigures:
        """The figures of all rows that were added, in any order."""
        n = len(self._lines)
        counts = {name: np.asarray(column, np.int64) for name, column in self._counts.items()}
        errors = counts["substitutions"] + counts["deletions"] + counts["insertions"]
        words, characters = counts["reference_words"], counts["reference_characters"]
        places = self._places()
        interval = error_rate_limits(
            np.bincount(places, errors), np.bincount(places, words), np.bincount(places), risk=RISK / 2
        )
        return CorpusFigures(
            rows=n,
            rows_without_reference=int((words == 0).sum()),
            rows_without_transcript=self._without_transcript,
            words=ErrorCount(int(errors.sum()), int(words.sum()), n),
            characters=ErrorCount(int(counts["character_errors"].sum()), int(characters.sum()), n),
            mean_wer=_mean_rate(errors, words),
            mean_cer=_mean_rate(counts["character_errors"], characters),
            substitutions=int(counts["substitutions"].sum()),
            deletions=int(counts["deletions"].sum()),
            insertions=int(counts["insertions"].sum()),
            references=int(places.max()) + 1 if n else 0,
            interval=interval,
        )

    def _places(self) -> np.ndarray[Any, Any]:
        """Each row's place among the different references, in the order in which they came (hashes have another)."""
        _, first, places = np.unique(np.asarray(self._references, np.int64), return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[places]


def _mean_rate(errors: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any]) -> float | None:
    has_words = lengths > 0
    rates = errors[has_words] / lengths[has_words]
    return math.fsum(rates) / len(rates) if len(rates) else None
