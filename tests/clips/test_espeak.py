from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

from stt_load.clips.espeak import speak
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
