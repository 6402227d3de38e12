"""Noise that callers speak in: made from a seed, or of the other clips of a pool, so nothing has to be downloaded.

| name | what it is |
|---|---|
| `babble` | six other clips of the pool, all talking at once |
| `street` | noise that swells and falls by 12 dB within a second |
| `white` | the same power at every frequency |

A file is a fourth: a piece of it, from a random place on, again and again where it is too short.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.codec import to_int16
from stt_load.audio.derived import gain_of, is_speech, rms, sounding, speech_rms
from stt_load.audio.sound_levels import Wave, to_wave
from stt_load.audio.speech_bounds import pauses_of
from stt_load.errors import ConfigError

TALKERS = 6
_FEWEST_TALKERS = 2
_ROOM_S = 5.0  # of noise behind a clip, before it begins again
_LOWEST_HZ = 20.0

NoiseSource = Callable[[np.random.Generator, int, Clip, Sequence[Clip]], Wave]
"""Makes noise: random numbers, how many samples, the clip that it is for, and the whole pool."""


def coloured(rng: np.random.Generator, n: int, rate_hz: int, power: float) -> Wave:
    """Noise whose amplitude falls with the frequency to that power, with an RMS of 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    wave = np.fft.irfft(spectrum / np.maximum(np.fft.rfftfreq(n, 1 / rate_hz), _LOWEST_HZ) ** power, n)
    return np.asarray(wave / rms(wave))


def street(rng: np.random.Generator, n: int, rate_hz: int) -> Wave:
    """Noise that swells and falls by 12 dB within a second, with an RMS of 1."""
    step = rate_hz // 4
    swell = np.repeat(10 ** (rng.uniform(-9, 3, n // step + 2) / 20), step)
    wave = coloured(rng, n, rate_hz, 0.5) * _smoothed(swell, step // 2)[:n]
    return np.asarray(wave / rms(wave))


def _smoothed(wave: Wave, n: int) -> Wave:
    """The mean of `n` samples around each; a convolution would take a thousand times as long."""
    sums = np.concatenate([[0.0], np.cumsum(wave)])
    after = np.arange(len(wave)) + (n + 1) // 2
    return np.asarray(sums[np.minimum(after, len(wave))] - sums[np.maximum(after - n, 0)]) / n


def babble(rng: np.random.Generator, n: int, clip: Clip, pool: Sequence[Clip]) -> Wave:
    """Other clips of the pool, each as loud as the others and from a moment of its own on. ConfigError for a pool that
    has too few."""
    others = [other for other in pool if other.clip_id != clip.clip_id]
    if len(others) < _FEWEST_TALKERS:
        raise ConfigError(f"--noise babble: it takes {_FEWEST_TALKERS + 1} clips or more: add some, or name a file")
    wave = np.zeros(n)
    for at in rng.choice(len(others), min(TALKERS, len(others)), replace=False):
        other = others[at]
        first, after = (round(s * other.sample_rate_hz) for s in (other.speech_start_s, other.speech_end_s))
        speech = to_wave(other.samples[first:after]) / speech_rms(other)
        wave += np.roll(np.resize(speech, n), rng.integers(n))
    return wave


def white_noise(rng: np.random.Generator, n: int, clip: Clip, pool: Sequence[Clip]) -> Wave:
    return rng.standard_normal(n)


def street_noise(rng: np.random.Generator, n: int, clip: Clip, pool: Sequence[Clip]) -> Wave:
    """The beginning of as much of it as a Fourier transform is quick with."""
    return street(rng, 1 << (n - 1).bit_length(), clip.sample_rate_hz)[:n]


def of_file(recording: Wave) -> NoiseSource:
    """The noise of a recording at the rate of the clips."""

    def source(rng: np.random.Generator, n: int, clip: Clip, pool: Sequence[Clip]) -> Wave:
        return np.asarray(np.resize(np.roll(recording, -int(rng.integers(len(recording)))), n))

    return source


NOISES: dict[str, NoiseSource] = {
    "babble": babble,
    "street": street_noise,
    "white": white_noise,
}
_NAME = re.compile(rf"\+(?:{'|'.join(NOISES)})-?[0-9.]+(?=\+|$)")


def is_in_noise(clip_id: str) -> bool:
    """Whether a clip was put into one of `NOISES`, by its id. That of a file has whatever name the file has."""
    return _NAME.search(clip_id) is not None


@dataclass(frozen=True, slots=True)
class InNoise:
    """The step that puts clips into noise, and the noise behind them too, where trailing silence is sent.

    `snr_db`: how far the noise lies under the speech, both as RMS from the start to the end of the speech, pauses of
    0.2 s and more left out. Where the sum would be beyond full scale, the clip is turned down as far as it needs.
    """

    noise: str
    source: NoiseSource
    snr_db: float

    @property
    def name(self) -> str:
        return f"{self.noise}{self.snr_db:g}"

    @property
    def in_words(self) -> str:
        return f"{self.noise} {self.snr_db:g} dB"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        pool = [replace(clip, pauses=pauses_of(clip)) for clip in clips]  # found once, and not for each babble
        return [self._in_noise(clip, pool) for clip in pool]

    def _in_noise(self, clip: Clip, pool: Sequence[Clip]) -> Clip:
        n, n_room = len(clip.samples), round(_ROOM_S * clip.sample_rate_hz)
        rng = np.random.default_rng(list(hashlib.sha256(f"{clip.clip_id} {self.noise}".encode()).digest()))
        noise = self.source(rng, n + n_room, clip, pool)
        level = rms(noise[:n][is_speech(clip)])
        if level == 0.0:
            raise ConfigError(
                f"--noise {self.noise}: it is silent where it was cut for {clip.clip_id}: take another file"
            )
        noise *= speech_rms(clip) / level / gain_of(self.snr_db)
        noise[:n] += to_wave(clip.samples)
        mixed = to_int16(np.asarray(noise / max(1.0, float(np.abs(noise).max())), np.float32))
        return sounding(clip, mixed[:n], mixed[n:])
