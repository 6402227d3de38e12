"""The worst utterances: which are kept, and how their words are told."""

from __future__ import annotations

from made_run import made_run, made_speech, utterance

from stt_load.metrics.normaliser import ENGLISH
from stt_load.report.build import build_report
from stt_load.report.worst_table import worst_groups
from stt_load.report.worst_utterances import MOST, WorstUtterances, word_diff


def test_the_slowest_and_the_most_wrong_are_kept_worst_first_and_of_equals_the_first() -> None:
    worst = WorstUtterances("eos_latency_s")
    late = [utterance(0, 1, index, eos_latency_s=value) for index, value in enumerate((3, 9, 1, 9, 7, 2, 8))]
    wrong = utterance(0, 1, 0, text="please send me a cup", eos_latency_s=0.1)
    uncounted = utterance(0, 1, 0, phase="ramp", eos_latency_s=99.0)
    failed = utterance(0, 1, 0, outcome="timed_out", eos_latency_s=None, text="")
    worst.add([*late[:3], uncounted])
    worst.add([*late[3:], failed, wrong])
    assert worst.slowest == (late[1], late[3], late[6], late[4], late[0])
    assert worst.most_wrong == (wrong,)


def test_words_are_told_as_they_were_compared() -> None:
    pieces = list(word_diff("We'd like two tickets, please", "we would like two stickers", ENGLISH))
    assert pieces == [("we would like 2", "we would like 2"), ("tickets", "stickers"), ("please", None)]


def test_the_page_has_those_of_the_stages_that_decide() -> None:
    made = made_run(ladder=(1, 10, 30, 40), per_stage=60)
    slowest, wrong = worst_groups(build_report(made.run, made.transitions, [made.utterances]))
    assert len(slowest.utterances) == len(wrong.utterances) == MOST
    assert {row.figures[0] for row in slowest.utterances} == {"30 callers"}
    assert any(sort == "missing" for row in wrong.utterances for sort, _ in row.words)


def test_speech_has_no_words_to_compare() -> None:
    made = made_speech()
    (slowest,) = worst_groups(build_report(made.run, made.transitions, [made.utterances]))
    assert slowest.title == "Longest total time"
    assert {sort for row in slowest.utterances for sort, _ in row.words} == {"same"}


def test_messages_are_few_and_short() -> None:
    made = made_run(ladder=(1,), per_stage=20)
    made.utterances[0].eos_latency_s = 9.0
    made.utterances[0].messages = [(float(at), "word " * 200) for at in range(30)]
    slowest, *_ = worst_groups(build_report(made.run, made.transitions, [made.utterances]))
    assert slowest.utterances[0].n_messages == 30
    assert len(slowest.utterances[0].messages) == 6
    assert all(len(text) <= 300 for _, text in slowest.utterances[0].messages)
