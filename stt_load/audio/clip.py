"""A clip: speech with its reference text, and where in it the speech starts and ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PcmArray = NDArray[np.int16]

BOUNDS_PRECISION_S = 0.1
"""Bounds of speech in recordings are good to about so much: the last sound of a word may be weaker than the noise."""


@dataclass(frozen=True, slots=True)
class ClipWord:
    """A word of a clip as its reference writes it, and where it sounds, in seconds from the clip's first sample.

    `text` is several words, with blanks between them, where they were spoken as one and nobody knows where the first
    of them ends ("does not").
    """

    text: str
    start_s: float
    end_s: float

    def moved(self, by_s: float) -> ClipWord:
        """The word where so much audio was put before it, or cut off there (below 0)."""
        return ClipWord(self.text, self.start_s + by_s, self.end_s + by_s)


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch without speech. `start_s` counts from the first sample."""

    start_s: float
    length_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Mono PCM with its reference text.

    `samples`: int16, shape (n_samples,), mono, at `sample_rate_hz`.
    `speech_start_s`, `speech_end_s`: seconds from the first sample, found from the samples themselves
    (a TTS file's end is not the end of its speech). The EOS clock starts at `speech_end_s`. `latest_end_s`: where
    speech has ended in any case, None where `speech_end_s` is exact. `origin`: the digest of the file it was read from,
    and where in it the clip begins; "" where it is from none. `words`: the words of the reference in order, empty where
    nobody knows when they sound.

    Of a clip that was derived from another (`derived.py`): `room` is what its microphone hears behind its end, int16,
    played again and again; None is digital silence. `pauses`: the pauses within its speech as the clip had them before
    noise filled them; None where they are to be found in the samples.
    """

    clip_id: str
    reference: str
    samples: PcmArray
    sample_rate_hz: int
    speech_start_s: float
    speech_end_s: float
    latest_end_s: float | None = None
    origin: str = ""
    words: tuple[ClipWord, ...] = ()
    room: PcmArray | None = None
    pauses: tuple[Pause, ...] | None = None

    @property
    def can_be_cut_at_s(self) -> float:
        """Where a client that ends the utterance may stop sending without losing anything of the last word."""
        return self.speech_end_s if self.latest_end_s is None else self.latest_end_s

    @property
    def is_silent(self) -> bool:
        """Nobody speaks in it: there are no words that a transcript could have."""
        return not self.reference

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz

    @property
    def speech_s(self) -> float:
        return self.speech_end_s - self.speech_start_s

    @property
    def sha256(self) -> str:
        """The digest of the samples as little-endian bytes."""
        return hashlib.sha256(self.samples.astype("<i2", copy=False).tobytes()).hexdigest()
