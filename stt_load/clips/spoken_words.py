"""Where each word of a text sounds in audio that a text-to-speech engine has made and marked.

    text      We moved house, last week
    markers   │  │     │      │    │          where the engine begins with each word
    audio     ▂▄▅▆▇▅▂▅▇▆▃_____▅▇▃▅▆▇▂__
    words     ├┤├────┤├──┤    ├──┤├──┤        from the first sound behind a marker to the last before the next

What lies between words is digital silence, or marked as silent, so that bounds are exact. An engine that speaks two
words as one ("does not") marks only the first: both are one `ClipWord` then. A number or an abbreviation that is spoken
as several words is one, too, as its reference has it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from stt_load.audio.clip import ClipWord
from stt_load.audio.codec import Pcm

# What blanks part, and each Chinese character: they are written without blanks, and each is marked.
_CHINESE = "\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CHINESE}]|[^\s{_CHINESE}]+")

_ECHO_BELOW = 16  # how many times quieter than the loudest sound of the next word an echo is: 24 dB


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an engine made of a text: the audio, unchanged, and where in it the words sound, as far as it tells."""

    pcm: Pcm
    words: tuple[ClipWord, ...] = ()


class Begins(Enum):
    """What an engine begins with at a marker."""

    WORD = 1  # maybe with a pause before its first sound
    SOUND = 2
    SILENCE = 3


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment that an engine tells: `character` of the text and `sample` of the audio, both from 0."""

    begins: Begins
    character: int
    sample: int


def spoken_words(text: str, markers: Sequence[Marker], pcm: Pcm) -> tuple[ClipWord, ...]:
    """The words of the text with their times. `markers`: in the order of the audio. What has no marker, or no sound
    behind it, belongs to the word before it."""
    begins = [match.start() for match in _WORD.finditer(text)]
    marked: dict[int, int] = {}  # beginning of a written word → the sample where it is marked first
    for marker in markers if begins else ():
        character = begins[max(0, bisect_right(begins, marker.character) - 1)]
        if marker.begins is Begins.WORD and character > max(marked, default=-1):
            marked[character] = marker.sample
    spans = {
        character: span
        for (character, first), after in zip(marked.items(), [*marked.values(), len(pcm.samples)][1:], strict=True)
        if (span := _sounding(pcm, first, after, markers))
    }
    starts = [0, *list(spans)[1:]]
    return tuple(
        ClipWord(" ".join(text[start:end].split()), first / pcm.sample_rate_hz, after / pcm.sample_rate_hz)
        for (first, after), start, end in zip(spans.values(), starts, [*starts[1:], len(text)], strict=False)
    )


def _sounding(pcm: Pcm, first: int, after: int, markers: Sequence[Marker]) -> tuple[int, int] | None:
    """From the first sound between two samples to the last; None where there is none.

    What the engine marks as silence, at either end, may hold the echo of a voice that has one. It marks some first
    sounds late, but never those after a pause.
    """
    inside = [marker for marker in markers if first <= marker.sample < after]
    sounds = [marker.sample for marker in inside if marker.begins is Begins.SOUND]
    if sounds:
        silences = [marker.sample for marker in inside if marker.begins is Begins.SILENCE]
        after = next((sample for sample in silences if sample >= sounds[-1] and sample > sounds[0]), after)
        level = np.abs(pcm.samples[first:after].astype(np.int32))
        if level[: sounds[0] - first].max(initial=0) * _ECHO_BELOW < level.max(initial=0):
            first = sounds[0]
    heard = np.flatnonzero(pcm.samples[first:after])
    return (first + int(heard[0]), first + int(heard[-1]) + 1) if len(heard) else None
