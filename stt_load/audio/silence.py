"""Callers who never speak: what their microphone hears, and which of the callers they are."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import replace

import numpy as np

from stt_load.audio.clip import Clip, PcmArray


def silence_for(clip: Clip) -> Clip:
    """A clip as long as this one in which nobody speaks: its room, or digital silence where it has none. It has no
    reference, and its speech begins and ends at its end."""
    n = len(clip.samples)
    samples: PcmArray = np.zeros(n, np.int16) if clip.room is None else np.resize(clip.room, n)
    return replace(
        clip,
        clip_id=f"{clip.clip_id}+silence",
        reference="",
        samples=samples,
        speech_start_s=clip.duration_s,
        speech_end_s=clip.duration_s,
        latest_end_s=None,
        origin=hashlib.sha256(f"{clip.origin or clip.sha256} silence".encode()).hexdigest(),
        words=(),
        pauses=(),
    )


def nobody_silent(n_callers: int, share: float) -> str | None:
    """One line where some of the callers are never to speak, and these are so few that each of them does."""
    if not share or any(is_silent_caller(number, share) for number in range(n_callers)):
        return None
    first = next(number for number in itertools.count(n_callers) if is_silent_caller(number, share)) + 1
    return (
        f"--silence-callers {100 * share:g}%: of {n_callers} nobody is silent, since the first who never speaks is "
        f"caller {first}: name more callers, or a larger share"
    )


def is_silent_caller(number: int, share: float) -> bool:
    """Whether the caller with this number, from 0, is one of those who never speak. Of the first n callers, `share`
    times n are, rounded down: of a tenth, the tenth is the first."""
    return math.floor(round((number + 1) * share, 9)) > math.floor(round(number * share, 9))
