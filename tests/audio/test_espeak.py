from __future__ import annotations

import threading

import numpy as np
import pytest

from stt_load.audio.espeak import speak
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


def test_an_unknown_voice_is_one_line() -> None:
    with pytest.raises(ConfigError, match="no voice 'klingon-42'"):
        speak(SENTENCE, "klingon-42")
