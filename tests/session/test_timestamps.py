"""Instants of one utterance: speech from 0.1 to 0.6 s of a clip of 0.8 s, in a stream that runs from 10 to 11 s."""

from __future__ import annotations

import pytest
from fakes import clip

from stt_load.session.schedule import Schedule
from stt_load.session.timestamps import Timestamps


def streamed() -> Timestamps:
    made = Timestamps(9.0, opened_at_s=9.5, ready_at_s=9.75)
    schedule = Schedule(10.0, 0.1, 10)
    made.on_stream(schedule, clip(duration_s=0.8))  # the file goes on after the speech, as recordings do
    for k in range(10):
        schedule.on_sent(10.0 + 0.1 * (k + 1))
    return made


def test_each_latency_lies_between_its_two_instants() -> None:
    timestamps = streamed()
    timestamps.end_sent_at_s = 11.25
    timestamps.on_partial(10.5, "hel")
    timestamps.on_final(11.5, "hello")
    latencies = timestamps.latencies(is_complete=True)
    assert (latencies.connect_s, latencies.ready_s) == (0.5, 0.25)
    assert latencies.first_partial_s == pytest.approx(0.4)
    assert latencies.eos_latency_s == pytest.approx(0.9)
    assert latencies.stream_end_latency_s == pytest.approx(0.5)
    assert latencies.finalise_latency_s == pytest.approx(0.25)


def test_an_answer_before_the_last_frame_is_a_negative_latency_from_there() -> None:
    timestamps = streamed()
    timestamps.on_final(10.75, "hello")
    assert timestamps.latencies(is_complete=True).stream_end_latency_s == pytest.approx(-0.25)


def test_an_utterance_that_failed_has_no_latency_of_its_transcript() -> None:
    timestamps = streamed()
    timestamps.on_final(11.5, "hello")
    latencies = timestamps.latencies(is_complete=False)
    assert (latencies.eos_latency_s, latencies.stream_end_latency_s, latencies.finalise_latency_s) == (None, None, None)
    assert latencies.first_partial_s == pytest.approx(1.4)


def test_what_did_not_happen_has_no_latency() -> None:
    latencies = Timestamps(9.0).latencies(is_complete=True)
    assert (latencies.connect_s, latencies.ready_s, latencies.first_partial_s, latencies.eos_latency_s) == (None,) * 4


def test_the_first_text_is_the_first_with_words_in_it() -> None:
    timestamps = streamed()
    timestamps.on_partial(10.2, "")
    timestamps.on_final(10.3, "")
    timestamps.on_final(10.5, "hello")
    timestamps.on_partial(10.6, "again")
    assert timestamps.first_text_at_s == 10.5


def test_an_empty_final_completes_only_what_was_still_to_be_heard() -> None:
    """All words before the end of speech at 10.6: the empty final answers the rest. After it: it adds nothing."""
    early, late = streamed(), streamed()
    early.on_final(10.5, "hello")
    late.on_final(10.7, "hello")
    assert (early.is_end_answered, late.is_end_answered) == (False, True)
    for timestamps in (early, late):
        for at_s in (10.9, 11.2):
            timestamps.on_final(at_s, "")
    assert (early.is_end_answered, early.completed_at_s) == (True, 10.9)
    assert (late.is_end_answered, late.completed_at_s) == (True, 10.7)


def test_the_first_answer_after_the_end_of_speech_completes_words_that_came_before_it() -> None:
    """A repetition, the end of a turn or the server's last word: the first of them, however many follow."""
    repeated, turn_ended, closed = streamed(), streamed(), streamed()
    for timestamps in (repeated, turn_ended, closed):
        timestamps.on_final(10.58, "hello")
    repeated.on_final(10.62, "hello", is_new=False)
    repeated.on_turn_end(12.9)
    turn_ended.on_turn_end(10.7)
    turn_ended.on_final(10.8, "hello", is_new=False)
    closed.on_settled(11.1)
    assert [each.completed_at_s for each in (repeated, turn_ended, closed)] == [10.62, 10.7, 11.1]
    repeated.on_final(13.0, "hello there")
    assert repeated.completed_at_s == 13.0


def test_without_an_answer_the_words_before_the_end_of_speech_are_all_there_is() -> None:
    timestamps = streamed()
    timestamps.on_final(10.48, "hello")
    timestamps.on_turn_end(10.49)
    assert (timestamps.is_end_answered, timestamps.completed_at_s) == (False, 10.48)


def test_tags_of_the_model_are_no_words() -> None:
    """SenseVoice answers silence with tags and nothing else."""
    timestamps = streamed()
    timestamps.on_partial(10.3, "<|zh|>")
    timestamps.on_final(11.5, "<|en|><|NEUTRAL|><|Speech|>hello")
    timestamps.on_final(11.9, "<|nospeech|><|EMO_UNKNOWN|>")
    latencies = timestamps.latencies(is_complete=True)
    assert latencies.first_partial_s == pytest.approx(1.4)
    assert latencies.eos_latency_s == pytest.approx(0.9)
