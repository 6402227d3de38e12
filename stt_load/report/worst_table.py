"""The worst utterances of a run as a page shows them: figures, the words that differ, and what the server sent when.

They are those of the stages that decide the answer: up to the first that does not pass. Above it everything is slow.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stt_load.metrics.figures import headline_of
from stt_load.metrics.normaliser import Normaliser, normaliser_titled
from stt_load.records import UtteranceRecord
from stt_load.report.figure_words import figure_title
from stt_load.report.model import RunReport, StageReport
from stt_load.report.wording import callers, names_of, percent, seconds
from stt_load.report.worst_utterances import MOST, word_diff

_MOST_MESSAGES = 6
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class WorstUtterance:
    """One utterance. `words`: pieces of text in order; each is `same`, `missing` from the transcript, or `added` to it.
    `messages`: when each came after the start of the audio, and its text; `n_messages`: how many there were."""

    figures: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    messages: tuple[tuple[str, str], ...]
    n_messages: int


@dataclass(frozen=True, slots=True)
class WorstGroup:
    title: str
    utterances: tuple[WorstUtterance, ...]


def worst_groups(report: RunReport) -> list[WorstGroup]:
    """The utterances that took longest, and those with the most wrong words; a group without any is left out."""
    limit = report.knee.breaks.users if report.knee.breaks else None
    stages = [stage for stage in report.stages if limit is None or stage.users <= limit]
    headline = headline_of(report.kind)
    slowest = _worst(stages, lambda stage: stage.slowest, lambda record: record.headline_s)
    wrong = _worst(stages, lambda stage: stage.most_wrong, lambda record: record.wer)
    groups = (
        (f"Longest {figure_title(headline)}", slowest),
        ("Most wrong words", wrong if report.kind.is_transcribed else []),
    )
    normaliser = normaliser_titled(str(report.run.get("normaliser", "")))
    names = names_of(report.stages)
    return [
        WorstGroup(title, tuple(_described(report, names[record.stage], record, normaliser) for record in records))
        for title, records in groups
        if records
    ]


def _worst(
    stages: Iterable[StageReport],
    found: Callable[[StageReport], Iterable[UtteranceRecord]],
    value: Callable[[UtteranceRecord], float | None],
) -> list[UtteranceRecord]:
    return heapq.nlargest(MOST, (record for stage in stages for record in found(stage)), key=lambda r: value(r) or 0.0)


def _described(report: RunReport, name: str, record: UtteranceRecord, normaliser: Normaliser) -> WorstUtterance:
    return WorstUtterance(
        figures=(
            callers(name, report.kind),
            f"clip {record.clip_id}",
            seconds(record.headline_s),
            *([f"{percent(record.wer)} of words wrong"] if record.wer is not None else []),
        ),
        words=tuple(_pieces(record, normaliser)) if record.is_transcribed else (("same", record.reference),),
        messages=tuple((f"{at_s:.2f} s", text[:_LONGEST_MESSAGE]) for at_s, text in record.messages[:_MOST_MESSAGES]),
        n_messages=len(record.messages),
    )


def _pieces(record: UtteranceRecord, normaliser: Normaliser) -> Iterator[tuple[str, str]]:
    for wanted, heard in word_diff(record.reference, record.text, normaliser):
        if wanted is not None and wanted == heard:
            yield "same", wanted
            continue
        if wanted is not None:
            yield "missing", wanted
        if heard is not None:
            yield "added", heard
