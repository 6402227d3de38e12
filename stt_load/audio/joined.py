"""Long utterances: the step that joins clips into one of a minute, or of however long somebody speaks."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain

import numpy as np

from stt_load.audio.clip import Clip

MOST_AUDIO_S = 3_600.0
"""The most that all joined clips have together, where a pool holds less: 115 MB at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The step that joins clips until they are `seconds` long, as they are, with the silence that they have around
    them. Each begins with another clip of the pool, and goes on with others by chance. There are as many as clips, or
    fewer where that would be more than an hour of audio, and more than the pool holds."""

    seconds: float

    @property
    def name(self) -> str:
        return f"join{self.seconds:g}s"

    @property
    def in_words(self) -> str:
        return f"joined to {self.seconds:g} s"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        return [self._from(at, clips) for at in range(self.number(len(clips), sum(clip.duration_s for clip in clips)))]

    def number(self, n_clips: int, pool_s: float) -> int:
        """How many joined clips there are of so many clips, which are so long together."""
        return min(n_clips, max(1, round(max(MOST_AUDIO_S, pool_s) / self.seconds)))

    def _from(self, first: int, clips: Sequence[Clip]) -> Clip:
        """The joined clip that begins with that one. None is in it twice before all are in it once."""
        parts, length_s = [clips[first]], clips[first].duration_s
        rng = random.Random(f"{clips[first].clip_id} {self.seconds:g}")
        left: list[Clip] = []
        while length_s < self.seconds:
            if not left:
                left = [clip for clip in clips if clip is not parts[-1]] or list(clips)
                rng.shuffle(left)
            parts.append(left.pop())
            length_s += parts[-1].duration_s
        return join(parts)


def join(parts: Sequence[Clip]) -> Clip:
    """The clips one after the other, as one with the id of the first."""
    first, last, rate_hz = parts[0], parts[-1], parts[0].sample_rate_hz
    begins_s = [n / rate_hz for n in accumulate((len(clip.samples) for clip in parts[:-1]), initial=0)]
    words = [[word.moved(at_s) for word in clip.words] for clip, at_s in zip(parts, begins_s, strict=True)]
    return replace(
        first,
        reference=" ".join(clip.reference for clip in parts),
        samples=np.concatenate([clip.samples for clip in parts]),
        speech_end_s=begins_s[-1] + last.speech_end_s,
        latest_end_s=None if last.latest_end_s is None else begins_s[-1] + last.latest_end_s,
        origin=hashlib.sha256(" ".join(clip.origin or clip.sha256 for clip in parts).encode()).hexdigest(),
        words=tuple(chain.from_iterable(words)) if all(words) else (),
    )
