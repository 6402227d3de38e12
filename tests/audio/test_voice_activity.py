from __future__ import annotations

import numpy as np
import pytest
from recordings import RATE_HZ, placed, sentence
from tones import tone

from stt_load.audio.codec import to_int16
from stt_load.audio.resample import resample
from stt_load.audio.voice_activity import CHUNK_S, speech_probabilities

SPOKEN = to_int16(placed(sentence(0))[0])


def test_speech_is_likely_where_somebody_speaks_and_nowhere_else() -> None:
    _, start_s, end_s = placed(sentence(0))
    likely = np.flatnonzero(speech_probabilities(SPOKEN, RATE_HZ) >= 0.5) * CHUNK_S
    assert likely[0] == pytest.approx(start_s, abs=0.1)
    assert likely[-1] + CHUNK_S == pytest.approx(end_s, abs=0.15)


def test_a_tone_is_no_speech() -> None:
    assert np.max(speech_probabilities(to_int16(tone(1.0, RATE_HZ, 0.3, 0.3)), RATE_HZ)) < 0.5


def test_what_was_heard_before_changes_nothing() -> None:
    first = speech_probabilities(SPOKEN, RATE_HZ)
    speech_probabilities(to_int16(tone(1.0, RATE_HZ)), RATE_HZ)
    assert np.array_equal(first, speech_probabilities(SPOKEN, RATE_HZ))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
def test_a_chunk_is_as_long_at_every_rate(rate_hz: int) -> None:
    n_chunks = len(speech_probabilities(resample(SPOKEN, RATE_HZ, rate_hz), rate_hz))
    assert abs(n_chunks - len(speech_probabilities(SPOKEN, RATE_HZ))) <= 1


def test_nothing_is_one_chunk_of_silence() -> None:
    assert len(speech_probabilities(np.zeros(0, np.int16), RATE_HZ)) == 1
