"""What a server that knows every clip answers, by how its segments sound: cut in a pause or not cut at all."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from servers.script import sound_key
from stt_load.audio.clip import Clip
from stt_load.audio.paused import pause_in


def texts_by_sound(clips: Iterable[Clip], n_lost: int = 0) -> dict[str, str]:
    """`sound_key` of a segment → its words: of each clip as a whole, and of its two parts where it was given a pause.
    The second part lacks its first `n_lost` words."""
    texts: dict[str, str] = {}
    for clip in clips:
        texts[_key(clip.samples)] = clip.reference
        length_s = pause_in(clip.clip_id)
        if length_s is None:
            continue
        pause = min(clip.pauses or (), key=lambda pause: abs(pause.length_s - length_s))
        at = round((pause.start_s + pause.length_s / 2) * clip.sample_rate_hz)
        n_before = sum(word.end_s <= pause.start_s + 0.001 for word in clip.words)
        words = [word.text for word in clip.words]
        texts[_key(clip.samples[:at])] = " ".join(words[:n_before])
        texts[_key(clip.samples[at:])] = " ".join(words[n_before + n_lost :])
    return texts


def _key(samples: np.ndarray) -> str:
    return sound_key(samples.astype("<i2").tobytes())
