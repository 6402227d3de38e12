"""Transcripts that don't belong to what was spoken: when that is found, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from made_run import TEXTS, utterance

from stt_load.metrics.normaliser import BASIC, CHINESE, ENGLISH, Normaliser
from stt_load.metrics.slo import parse_slo
from stt_load.metrics.stage import StageStats
from stt_load.metrics.transcript_fit import TranscriptSample, find_misfit
from stt_load.metrics.wer import scored
from stt_load.records import UtteranceRecord

OTHERS = (
    "nobody knows why the lift stops between two floors",
    "green apples are cheaper on the market than in the shop",
    "her uncle plays the violin every sunday after lunch",
    "a storm is coming from the west this evening",
    "these shoes were too small for him last winter",
    "write your name in the upper corner of each page",
)


def spoken(
    answers: Sequence[str],
    users: int = 1,
    texts: Sequence[str] = TEXTS,
    normaliser: Normaliser = ENGLISH,
    **what: object,
) -> list[UtteranceRecord]:
    """One caller after the other speaks the texts in turn; `answers` are what came back."""
    return [
        scored(
            utterance(
                0,
                users,
                index,
                clip_id=f"clip-{index % len(texts)}",
                reference=texts[index % len(texts)],
                text=answer,
                started_at=float(index),
                **what,
            ),
            normaliser,
        )
        for index, answer in enumerate(answers)
    ]


def misfit_of(
    *stages: Sequence[UtteranceRecord], slos: Sequence[str] = (), normaliser: Normaliser = ENGLISH
) -> str | None:
    made = []
    for number, records in enumerate(stages):
        stats, sample = StageStats(number, 1), TranscriptSample()
        stats.add(records)
        sample.add(records)
        made.append((stats.close(made[0][0] if made else None), sample))
    return find_misfit(made, map(parse_slo, slos), normaliser)


def late_by(n: int, answers: Sequence[str] = TEXTS) -> list[str]:
    """What a server gives that is always `n` utterances behind."""
    return ["uh", "well", "hm"][:n] + [*answers, *answers][:-n]


def test_transcripts_that_fit_are_no_misfit_and_neither_are_some_errors() -> None:
    half = [" ".join(text.split()[: (len(text.split()) + 1) // 2]) for text in TEXTS]
    assert misfit_of(spoken(TEXTS)) is None
    assert misfit_of(spoken(half)) is None  # up to half of the words


def test_a_server_that_answers_with_the_utterance_before_is_found_and_told() -> None:
    found = misfit_of(spoken(late_by(1)))
    assert found is not None
    assert found.startswith("WER ")
    assert found.endswith(
        "% in 12 utterances of the quiet server: 11 of 12 wrong transcripts have the words of the utterance that the "
        "same caller spoke before"
    )


def test_the_utterance_before_is_the_callers_own_one() -> None:
    two = spoken(late_by(2), users=2)  # two callers in turn: each gets its own text before
    assert (misfit_of(two) or "").endswith("have the words of the utterance that the same caller spoke before")
    wrong = spoken(late_by(1), users=2)  # each gets the other's
    assert (misfit_of(wrong) or "").endswith("11 of 12 wrong transcripts have the words of another clip")


SAME = "thank you for watching"
RUSSIAN = "добрый вечер и спокойной ночи всем кто нас слышит"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([SAME] * 6, f"6 of 6 transcripts are the same text, '{SAME}'"),
        ([SAME] * 5 + [TEXTS[5]], f"5 of 6 transcripts are the same text, '{SAME}'"),
        (
            [*TEXTS[3:], *TEXTS[:3]] * 2,
            "12 of 12 wrong transcripts have the words of another clip, always the same one: clips and texts don't "
            "match",
        ),
        (
            [f"{TEXTS[n - 1]} {TEXTS[n]}" for n in range(6)],
            "6 of 6 wrong transcripts hold what was spoken, and more besides: repetitions, other text, tags of the "
            "model",
        ),
        (
            [f"{RUSSIAN} {n}" for n in ("один", "два", "три", "десять", "сорок", "сто")],
            "6 of 6 wrong transcripts are in Cyrillic letters, and the texts in Latin ones",
        ),
        (OTHERS, "another language, other texts than were spoken, or a model that does not understand them"),
    ],
    ids=["one text", "nearly one text", "clips mixed up", "more than was said", "another script", "nothing known"],
)
def test_the_reason_is_told_where_it_can_be_seen(answers: Sequence[str], told: str) -> None:
    found = misfit_of(spoken(answers, users=len(answers)))
    assert found is not None
    assert found.endswith(told)


def test_characters_are_compared_where_no_blanks_part_words() -> None:
    texts = ("今天天气很好我们去公园", "请把窗户关上外面太吵了", "他昨天买了一辆新的汽车", "火车从九号站台开出")
    answers = ["嗯", *texts, *texts][:-1]
    found = misfit_of(spoken(answers, texts=texts, normaliser=CHINESE), normaliser=CHINESE)
    assert found is not None
    assert found.startswith("CER ")
    assert found.endswith("7 of 8 wrong transcripts have the words of the utterance that the same caller spoke before")
    assert misfit_of(spoken(texts * 2, texts=texts, normaliser=CHINESE), normaliser=CHINESE) is None


def test_the_same_text_with_other_blanks_fits() -> None:
    texts = (
        "나는 오늘 아침에 학교에 갔다",
        "우리는 내일 바다에 간다",
        "그 사람은 책을 많이 읽는다",
        "비가 와서 집에 있었다",
    )
    joined = [text.replace(" ", "", 3) for text in texts]
    records = spoken(joined * 2, texts=texts, normaliser=BASIC)
    assert all((record.wer or 0.0) > 0.5 for record in records)
    assert misfit_of(records, normaliser=BASIC) is None


def test_a_server_that_gets_bad_under_load_is_a_matter_for_objectives() -> None:
    assert misfit_of(spoken(TEXTS), spoken(late_by(1))) is None
    assert misfit_of(spoken(TEXTS[:1]), spoken(late_by(1))) is None  # however short its quiet stage was


def test_few_words_are_not_enough_until_the_next_stage_has_more() -> None:
    few = spoken(late_by(1)[:2])
    assert misfit_of(few) is None
    assert misfit_of(few, spoken(late_by(1))) is not None
    assert misfit_of([], spoken(late_by(1))) is not None
    assert misfit_of(few, spoken([*TEXTS] * 3)) is None  # all in all they fit


def test_what_did_not_complete_or_count_says_nothing() -> None:
    assert misfit_of(spoken(late_by(1), outcome="timed_out")) is None
    assert misfit_of(spoken(late_by(1), phase="ramp")) is None


@pytest.mark.parametrize(
    ("slos", "is_allowed"),
    [
        (["wer<90%"], True),
        (["eos_latency:p95<1s", "wer<=150%"], True),
        (["wer<20%"], False),
        (["wer_delta<90%"], False),
    ],
)
def test_who_sets_an_objective_above_the_limit_has_decided(slos: list[str], is_allowed: bool) -> None:
    assert (misfit_of(spoken(OTHERS), slos=slos) is None) == is_allowed


def test_a_long_run_keeps_only_the_beginning() -> None:
    sample = TranscriptSample()
    for _ in range(2):
        sample.add(spoken(TEXTS * 50))
    assert len(sample.heard) == 500
