"""Rows that were too many to be scored at the door come to the same figures afterwards."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import pytest
from made_run import START_S, TEXTS, MadeRun, made_run, utterance

from stt_load.audio.clip import ClipWord
from stt_load.metrics.foreign import Origin
from stt_load.metrics.normaliser import CHINESE, ENGLISH
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.wer import scored
from stt_load.records import OnScreen, UtteranceRecord
from stt_load.report.build import build_report
from stt_load.report.json_file import summary_json
from stt_load.report.late_scores import LateScores
from stt_load.report.model import RunReport
from stt_load.report.report_files import read_report

LIMIT_S = 40.0


def unscored(record: UtteranceRecord) -> UtteranceRecord:
    """The record as it came from its worker."""
    raw = copy(record)
    for name in ("normaliser", "wer", "cer", "substitutions", "deletions", "insertions", "reference_words"):
        setattr(raw, name, None)
    raw.character_errors = raw.reference_characters = raw.foreign_text = raw.late_text = None
    return raw


class Everybody:
    """Others speak every clip, and nobody has spoken before."""

    def was_just_spoken(self, clip_id: str) -> bool:
        return False

    def is_of_others(self, clip_id: str) -> bool:
        return True

    def was_own(self, clip_id: str) -> bool:
        return False


EVERYBODY = Everybody()


def report_of(made: MadeRun, records: list[UtteranceRecord]) -> RunReport:
    return build_report(made.run, made.transitions, [records[:7], records[7:]], made.samples)


def test_unscored_rows_give_the_same_report_as_scored_ones() -> None:
    made = made_run(ladder=(1, 30), per_stage=20)
    made.utterances[3].outcome = "timed_out"
    made.utterances[4].outcome = "interrupted"
    scorer = Scorer({record.clip_id: record.reference for record in made.utterances})
    for record in made.utterances:
        record.messages = [(1.0, record.text)]
        scorer.fill(record, EVERYBODY)
    every_third = [unscored(row) if n % 3 else copy(row) for n, row in enumerate(made.utterances)]
    raw = [unscored(row) for row in made.utterances]
    expected = summary_json(report_of(made, made.utterances))
    assert summary_json(report_of(made, every_third)) == expected
    assert summary_json(report_of(made, raw)) == expected


@pytest.mark.parametrize("has_words", [True, False])
def test_what_was_on_the_screen_and_cut_is_scored_late_as_it_is_in_time(tmp_path: Path, has_words: bool) -> None:
    """Through the files of a run folder. Where the clips have no words, the server's own times give the ages."""
    made = made_run(ladder=(1, 30), per_stage=6)
    words: dict[str, list[ClipWord]] = {}
    for row in made.utterances:
        said = row.reference.split()
        if has_words:
            words[row.clip_id] = [ClipWord(word, n / 3, n / 3 + 0.3) for n, word in enumerate(said)]
        cut, n_told, speech_end_s = " ".join(said[:3]), 1 + len(" ".join(said[:3])), len(said) / 3
        row.text, row.speech_s = f"{cut} {' '.join(said[5:])}", speech_end_s  # two words are lost at the cut
        row.messages = [(1.5, cut), (9.0, row.text[n_told:])]
        row.turn_ends = [(1.5, n_told - 1), (speech_end_s + 0.4, len(row.text))]
        row.speech_bounds = (0.0, speech_end_s)
        row.screen = OnScreen([(1_400, 0, said[0], 1_300), (9_000, 0, row.text, 8_500)], [(said[0], 30, 200)])
    made.run["clips"]["with_words"] = len(words)
    made.clip_words = [
        {"clip_id": clip_id, "words": [(word.text, word.start_s, word.end_s) for word in timed]}
        for clip_id, timed in words.items()
    ]
    made.utterances = [unscored(row) for row in made.utterances]
    late = read_report(made.write(tmp_path / "late"))
    scorer = Scorer({row.clip_id: row.reference for row in made.utterances}, words=words)
    for row in made.utterances:
        scorer.fill(row, EVERYBODY)
        scorer.fill_screen(row)
    in_time = read_report(made.write(tmp_path / "in time"))
    assert summary_json(late) == summary_json(in_time)
    (figures, _) = (stage.figures for stage in late.stages)
    assert figures.distributions["audio_age"].n == figures.n == 6
    assert (figures.distributions["word_time_error"].n, figures.words_lost_at_cut) == (
        (6, 12) if has_words else (0, None)
    )


def test_what_can_be_said_of_a_screen_without_the_clips_is_said_late() -> None:
    made = made_run(ladder=(1,), per_stage=1)
    (row,) = made.utterances
    first, second = " ".join(row.reference.split()[:3]), row.reference
    row.screen = OnScreen([(700, 0, "wrong", 0), (900, 0, first, 800), (1_900, 0, second, 1_800)])
    row.messages, row.speech_s = [(1.9, second)], 2.0
    figures = report_of(made, [row]).stages[0].figures
    assert figures.distributions["flicker"].max == 0.5
    assert (figures.first_partial_wer, figures.first_final_wer) == (1.0, 0.0)
    assert figures.distributions["audio_age"].n == 0


def test_they_are_scored_under_the_normaliser_of_the_run() -> None:
    made = made_run(ladder=(1,), per_stage=1)
    made.run["normaliser"] = CHINESE.title
    (row,) = made.utterances
    row.reference, row.text = "我要退货。", "我要退號"
    by_door = report_of(made, [scored(row, CHINESE)])
    assert summary_json(report_of(made, [unscored(row)])) == summary_json(by_door)
    assert by_door.stages[0].figures.wer == 1 / 4


def spoken(
    index: int, began_s: float, lasted_s: float, *messages: str, phase: str = "hold", user: int | None = None
) -> UtteranceRecord:
    user = index % 4 if user is None else user
    record = utterance(0, 4, index, text=" ".join(messages), phase=phase, started_at=START_S + began_s, user=user)
    record.duration_s = lasted_s
    record.messages = [(1.0, message) for message in messages]
    return unscored(record)


@pytest.mark.parametrize(
    ("others", "foreign"),
    [
        ([(1, 3.0, 6.0)], 1),  # speaks at the same time
        ([(1, 7.9, 6.0)], 1),  # began while this one waited, and has ended later
        ([(1, -34.0, 3.0)], 1),  # its words may still have been under way
        ([(1, -36.0, 3.0)], 0),  # but not for so long
        ([(1, 8.1, 6.0)], 0),  # not yet begun
        ([(2, 3.0, 6.0)], 0),  # other words
        ([], 0),
        ([(1, -100.0, 3.0), (1, 3.0, 6.0), (1, 50.0, 3.0)], 1),
    ],
)
def test_whose_words_they_are_is_known_from_when_each_was_spoken(
    others: list[tuple[int, float, float]], foreign: int
) -> None:
    victim = spoken(0, 2.0, 6.0, TEXTS[0], TEXTS[1])
    batches = [[spoken(index, began_s, lasted_s) for index, began_s, lasted_s in others], [victim]]
    late = LateScores(ENGLISH, LIMIT_S)
    for records in batches:
        late.fill(records)
    assert late.found(batches) == ({(0, Origin.OTHERS): foreign} if foreign else {})
    assert victim.foreign_text is None  # a row is not changed by what another one says


@pytest.mark.parametrize(
    ("before", "origin"),
    [
        ([(1, 0, -8.0)], Origin.OWN),  # its own utterance just before
        ([(1, 0, -30.0), (2, 0, -20.0), (3, 0, -10.0)], Origin.OWN),
        ([(1, 0, -36.0), (2, 0, -27.0), (3, 0, -18.0), (4, 0, -9.0)], Origin.OWN),  # nobody else has spoken it
        ([(1, 0, -36.0), (2, 0, -27.0), (3, 0, -18.0), (4, 0, -9.0), (1, 1, -4.0)], Origin.OTHERS),
        ([(1, 0, -8.0), (1, 1, -4.0)], Origin.OWN),
        ([(1, 1, -4.0)], Origin.OTHERS),
        ([(1, 0, -60.0), (2, 0, -50.0), (3, 0, -45.0), (4, 0, -42.0)], None),  # too long ago
    ],
)
def test_an_answer_to_an_earlier_utterance_of_the_same_caller_is_no_foreign_text(
    before: list[tuple[int, int, float]], origin: Origin | None
) -> None:
    victim = spoken(0, 2.0, 6.0, TEXTS[0], TEXTS[1], user=0)
    batches = [[spoken(index, began_s, 3.0, user=user) for index, user, began_s in before], [victim]]
    late = LateScores(ENGLISH, LIMIT_S)
    for records in batches:
        late.fill(records)
    assert late.found(batches) == ({(0, origin): 1} if origin else {})


def test_utterances_are_not_read_again_without_a_candidate() -> None:
    late = LateScores(ENGLISH, LIMIT_S)
    late.fill([spoken(0, 2.0, 6.0, TEXTS[0]), spoken(0, 2.0, 6.0, TEXTS[1], phase="ramp")])
    assert late.found(iter(())) == {}


def test_rows_that_were_judged_at_the_door_are_not_judged_again() -> None:
    judged = scored(spoken(0, 2.0, 6.0, TEXTS[0], TEXTS[1]))
    judged.foreign_text = 0
    late = LateScores(ENGLISH, LIMIT_S)
    late.fill([judged, spoken(1, 2.0, 6.0)])
    assert late.found([[judged, spoken(1, 2.0, 6.0)]]) == {}
