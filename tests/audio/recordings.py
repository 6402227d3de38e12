"""Recordings with known bounds of speech: sentences of espeak in rooms, noise and accidents made from a seed.

espeak makes the noise of its fricatives anew in each process, so no two runs have the same samples: what is asserted of
them leaves room for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stt_load.audio import noises
from stt_load.audio.clip import PcmArray
from stt_load.audio.codec import to_int16
from stt_load.audio.derived import gain_of as gain
from stt_load.audio.derived import rms
from stt_load.audio.resample import resample
from stt_load.audio.speech_bounds import find_sound
from stt_load.clips import espeak

RATE_HZ = 16_000
MARGIN_S = 0.5  # before and behind what is said
SPEECH_DBFS = -23.0
SENTENCES = (
    "I would like to move my appointment to Monday.",
    "Could you tell me how long the repair will take?",
    "The train to the airport leaves from platform nine.",
    "Please send me a copy of my last three bills.",
    "My brother lost his wallet on the way home.",
    "There was a loud noise and then every light went out.",
)
VOICES = ("en-us", "en", "en-us+f3", "en-us+m3", "en+f2", "en+m5")

Wave = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Wave]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Mono samples at RATE_HZ, and where in them the speech is."""

    samples: PcmArray
    start_s: float
    end_s: float


@cache
def sentence(number: int) -> Wave:
    """One sentence without silence around it. What is louder than a twentieth of its peak has -23 dBFS in the mean."""
    pcm = espeak.speak(SENTENCES[number % len(SENTENCES)], VOICES[number % len(VOICES)])
    samples = resample(pcm.samples, pcm.sample_rate_hz, RATE_HZ)
    bounds = find_sound(samples, RATE_HZ)
    wave = samples[round(bounds.start_s * RATE_HZ) : round(bounds.end_s * RATE_HZ)] / 32768.0
    levels = np.sqrt(np.mean(wave[: len(wave) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    return np.asarray(wave * gain(SPEECH_DBFS) / np.sqrt(np.mean(levels[levels > levels.max() / 20] ** 2)))


def placed(wave: Wave, lead_s: float = 0.6, tail_s: float = 1.2) -> tuple[Wave, float, float]:
    """The speech with silence around it, and its bounds."""
    silences = (np.zeros(round(lead_s * RATE_HZ)), np.zeros(round(tail_s * RATE_HZ)))
    return np.concatenate([silences[0], wave, silences[1]]), lead_s, lead_s + len(wave) / RATE_HZ


def coloured(power: float) -> Noise:
    """Noise whose amplitude falls with the frequency to that power, at 0 dBFS."""
    return lambda rng, n: noises.coloured(rng, n, RATE_HZ, power)


def hum(rng: np.random.Generator, n: int) -> Wave:
    turns = 2 * np.pi * 50 * (np.arange(n) / RATE_HZ + rng.uniform(0, 0.02))
    wave = np.sin(turns) + 0.5 * np.sin(3 * turns) + 0.2 * np.sin(5 * turns)
    return np.asarray(wave / rms(wave))


def street(rng: np.random.Generator, n: int) -> Wave:
    return noises.street(rng, n, RATE_HZ)


def babble(rng: np.random.Generator, n: int) -> Wave:
    """Six people who talk at the same time."""
    wave = np.zeros(n)
    for number in range(len(SENTENCES)):
        wave += np.roll(np.resize(sentence(number), n), rng.integers(n))
    return np.asarray(wave / rms(wave))


NOISES: dict[str, Noise] = {
    "white": coloured(0.0),
    "pink": coloured(0.5),
    "brown": coloured(1.0),
    "hum": hum,
    "street": street,
}


@cache
def in_noise(number: int, noise: Noise, snr_db: float, margin_s: float) -> Recording:
    """A sentence with that noise all over it, and `margin_s` before and behind it."""
    wave, start_s, end_s = placed(sentence(number), margin_s, margin_s)
    rng = np.random.default_rng([number, int(snr_db), round(100 * margin_s)])
    return Recording(to_int16(wave + noise(rng, len(wave)) * gain(SPEECH_DBFS - snr_db)), start_s, end_s)


def room(rng: np.random.Generator, n: int) -> Wave:
    """The quiet of a room: pink noise 47 dB under the speech."""
    return coloured(0.5)(rng, n) * gain(-70)


def with_accident(number: int, sound: Wave, behind_s: float) -> Recording:
    """A sentence in a quiet room, and a sound so long behind its end."""
    wave, start_s, end_s = placed(sentence(number))
    first = round((end_s + behind_s) * RATE_HZ)
    wave[first : first + len(sound)] += sound
    return Recording(to_int16(wave + room(np.random.default_rng(number), len(wave))), start_s, end_s)


def breath(dbfs: float = -45.0) -> Wave:
    n = round(0.3 * RATE_HZ)
    return coloured(0.5)(np.random.default_rng(1), n) * np.hanning(n) * gain(dbfs)


def click(seconds: float = 0.040, dbfs: float = -30.0) -> Wave:
    n = round(seconds * RATE_HZ)
    return coloured(0.5)(np.random.default_rng(2), n) * np.exp(-np.arange(n) / (0.2 * n)) * gain(dbfs)


def beep(dbfs: float = -30.0) -> Wave:
    n = round(0.3 * RATE_HZ)
    return np.asarray(np.sin(2 * np.pi * 1_000 * np.arange(n) / RATE_HZ) * np.hanning(n) * gain(dbfs + 3))


def with_offset(number: int, offset: float) -> Recording:
    """A sentence in silence that is not zero."""
    wave, start_s, end_s = placed(sentence(number))
    return Recording(to_int16(wave + offset), start_s, end_s)


def reverberant(number: int, rt60_s: float) -> Recording:
    """A sentence in a room that rings: its sound falls by 60 dB in `rt60_s`."""
    wave, start_s, end_s = placed(sentence(number))
    rng = np.random.default_rng(number)
    n = round(rt60_s * RATE_HZ)
    response = rng.standard_normal(n) * np.exp(-6.9 * np.arange(n) / n)
    response[0] = 3.0
    response /= np.sqrt(np.sum(response**2))
    size = 1 << int(np.ceil(np.log2(len(wave) + n)))
    rung = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
    return Recording(to_int16(rung + coloured(0.5)(rng, len(wave)) * gain(-60)), start_s, end_s)
