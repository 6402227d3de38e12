"""Scores of many transcripts as one: rates of the whole corpus, rates of the mean row, and the worst rows.

    corpus rate    errors of all rows / reference words of all rows      a long row weighs more than a short one
    mean rate      mean of the rows' own rates                           each row weighs the same

A row whose reference has no words has no rate: its insertions are errors of the corpus, and the mean leaves it out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stt_load.metrics.stage import ErrorCount
from stt_load.metrics.wer import Scores


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """The scores of a whole corpus: ratios (0 to 1, more if much was inserted) and counts. None: no reference words."""

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


def corpus_figures(scores: Sequence[Scores]) -> CorpusFigures:
    """Adds up the scores of all rows, in any order."""
    return CorpusFigures(
        rows=len(scores),
        rows_without_reference=sum(not row.reference_words for row in scores),
        rows_without_transcript=sum(not row.transcript_words for row in scores),
        words=ErrorCount(
            sum(row.word_errors for row in scores), sum(row.reference_words for row in scores), len(scores)
        ),
        characters=ErrorCount(
            sum(row.character_errors for row in scores), sum(row.reference_characters for row in scores), len(scores)
        ),
        mean_wer=_mean([row.wer for row in scores if row.wer is not None]),
        mean_cer=_mean([row.cer for row in scores if row.cer is not None]),
        substitutions=sum(row.substitutions for row in scores),
        deletions=sum(row.deletions for row in scores),
        insertions=sum(row.insertions for row in scores),
    )


def worst_first(scores: Sequence[Scores]) -> list[int]:
    """Indices of the rows with errors, the highest rate first; of equal rates the one with more errors.

    Words heard where nothing was said rank as if one word had been said.
    """

    def badness(index: int) -> tuple[float, int]:
        row = scores[index]
        return row.word_errors / max(1, row.reference_words), row.word_errors

    wrong = [index for index, row in enumerate(scores) if row.word_errors]
    return sorted(wrong, key=badness, reverse=True)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
