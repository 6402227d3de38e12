from __future__ import annotations

import signal
import threading
from itertools import pairwise

import numpy as np
import pytest

from stt_load.audio.speech_bounds import SpeechBounds, find_pauses
from stt_load.clips.espeak import speak, speak_words
from stt_load.errors import ConfigError

SENTENCE = "Thank you for calling."


def test_the_same_text_gives_the_same_samples_whatever_was_spoken_before() -> None:
    first = speak(SENTENCE, "en-us")
    speak("Something else altogether, and rather longer.", "en-us")
    again = speak(SENTENCE, "en-us")
    assert first.sample_rate_hz == 22050
    assert len(first.samples) > 22050
    assert np.array_equal(first.samples, again.samples)


def test_voices_differ() -> None:
    assert not np.array_equal(speak(SENTENCE, "en-us").samples, speak(SENTENCE, "en").samples)


def test_text_beyond_ascii_is_spoken() -> None:
    assert len(speak("Grüße aus München", "de").samples) > len(speak("", "de").samples) + 11025


def test_threads_do_not_disturb_each_other() -> None:
    alone = speak(SENTENCE, "en-us").samples
    together: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: together.append(speak(SENTENCE, "en-us").samples)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(together) == 4
    assert all(np.array_equal(alone, samples) for samples in together)


def test_what_a_signal_handler_raises_is_never_lost_in_a_callback() -> None:
    class Interrupted(BaseException):  # as KeyboardInterrupt is
        pass

    speak(SENTENCE, "en-us")  # what is looked up once is looked up now
    fired = raised = 0

    def interrupt(*_: object) -> None:
        nonlocal fired
        fired += 1
        raise Interrupted

    def speak_interrupted(after_s: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, after_s)
        try:
            speak(SENTENCE, "en-us")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for step in range(60):  # another moment of the same few milliseconds each time
            try:
                speak_interrupted(after_s=0.0001 * (step + 1))
            except Interrupted:
                raised += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert raised == fired > 0


def test_an_unknown_voice_is_one_line() -> None:
    with pytest.raises(ConfigError, match="no voice 'klingon-42'"):
        speak(SENTENCE, "klingon-42")


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("One of the 25 men, who's here, said: today I am. Does it, then?", "en-us"),
        ("Grüße aus München, 3,50 Euro; für dich.", "de"),
        ("Please call, tomorrow, at nine.", "en"),
    ],
)
def test_words_are_where_the_samples_are_loud_to_a_few_milliseconds(text: str, voice: str) -> None:
    """The pauses are found from the samples alone, by another way than the bounds of the words."""
    spoken = speak_words(text, voice)
    samples, rate_hz = spoken.pcm.samples, spoken.pcm.sample_rate_hz
    assert " ".join(word.text for word in spoken.words) == text
    for word in spoken.words:
        first, last = round(word.start_s * rate_hz), round(word.end_s * rate_hz) - 1
        assert samples[first] and samples[last]
    gaps = [(word.end_s, after.start_s) for word, after in pairwise(spoken.words) if after.start_s - word.end_s > 0.1]
    bounds = SpeechBounds(spoken.words[0].start_s, spoken.words[-1].end_s)
    pauses = [(pause.start_s, pause.start_s + pause.length_s) for pause in find_pauses(samples, rate_hz, bounds)]
    for end_s, start_s in gaps:
        assert any(abs(pause_s - end_s) <= 0.025 and abs(until_s - start_s) <= 0.010 for pause_s, until_s in pauses), (
            end_s,
            start_s,
            pauses,
        )
    assert len(gaps) >= 2


def test_a_voice_with_an_echo_has_its_words_where_it_has_sounds() -> None:
    words = speak_words("Please call, tomorrow, at nine.", "en-us+f3").words
    gaps_s = [after.start_s - word.end_s for word, after in pairwise(words)]
    assert gaps_s == pytest.approx([0.049, 0.189, 0.150, 0.0], abs=0.001)  # as espeak makes them for any voice


def test_events_that_are_asked_for_change_no_sample() -> None:
    assert np.array_equal(speak(SENTENCE, "en-us").samples, speak_words(SENTENCE, "en-us").pcm.samples)
