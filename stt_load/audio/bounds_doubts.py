"""Reasons to doubt the bounds of speech that were found in a clip."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from stt_load.audio.sound_levels import (
    HOP_S,
    PITCH_HOP_S,
    PITCH_WINDOW_S,
    VOICED_WINDOWS,
    Levels,
    Wave,
    pitches_hz,
    windows_between,
)
from stt_load.audio.speech_bounds import SpeechBounds
from stt_load.audio.voice_activity import CHUNK_S

_AT_EDGE_S = 0.030  # so little in front of the speech, or behind it
_LAST_S = 0.20
_WEAK_DB = 12.0  # over the noise
_BACKGROUND_SHARE = 0.2  # of the windows outside the speech that are voiced
_BACKGROUND_BELOW_DB = 40.0  # under the loud part: nothing quieter is told
_STEADY_DB = 2.5  # between the loud and the quiet moments of hum
_CLEAR_S = 0.10  # so far from the speech nothing of it is heard any more
_TURN_S = 0.5  # a pause between two people
_TURN_VOICED = 20  # windows
_OTHER_PITCH = 1.5  # times the lower one
_OTHER_LEVEL_DB = 12.0


class Doubt(StrEnum):
    """A reason why the bounds of a clip may be wrong. The value is its name in files."""

    CUT_AT_START = "cut_at_start"
    CUT_AT_END = "cut_at_end"
    WEAK_END = "weak_end"
    BACKGROUND = "background"
    SEVERAL_VOICES = "several_voices"
    NO_VOICE = "no_voice"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Doubt.CUT_AT_START: "speech begins at the file's edge",
    Doubt.CUT_AT_END: "speech ends at the file's edge",
    Doubt.WEAK_END: f"the last {_LAST_S:g} s are less than {_WEAK_DB:g} dB above the noise",
    Doubt.BACKGROUND: "other voices or music in the background",
    Doubt.SEVERAL_VOICES: "more than one voice",
    Doubt.NO_VOICE: "no voice found: bounds by level alone",
}


def find_doubts(
    wave: Wave,
    levels: Levels,
    sample_rate_hz: int,
    bounds: SpeechBounds,
    stretches: list[tuple[int, int]],
    loud_dbfs: float,
    noise_dbfs: tuple[float, float],
) -> tuple[Doubt, ...]:
    """Every reason to doubt the bounds. `stretches`: runs of chunks with speech. `noise_dbfs`: before and behind it."""
    doubts = cut_doubts(bounds, len(wave) / sample_rate_hz)
    if Doubt.CUT_AT_END not in doubts and _is_weak(levels, bounds, noise_dbfs[1]):
        doubts.append(Doubt.WEAK_END)
    if loud_dbfs - max(noise_dbfs) < _BACKGROUND_BELOW_DB and _has_background(wave, levels, sample_rate_hz, bounds):
        doubts.append(Doubt.BACKGROUND)
    if _are_several(wave, levels, sample_rate_hz, stretches):
        doubts.append(Doubt.SEVERAL_VOICES)
    return tuple(doubts)


def cut_doubts(bounds: SpeechBounds, duration_s: float) -> list[Doubt]:
    """The doubts about speech that touches an edge of its file."""
    at_start = [Doubt.CUT_AT_START] if bounds.start_s < _AT_EDGE_S else []
    return at_start + ([Doubt.CUT_AT_END] if duration_s - bounds.end_s < _AT_EDGE_S else [])


def _is_weak(levels: Levels, bounds: SpeechBounds, noise_dbfs: float) -> bool:
    last = windows_between(levels, max(bounds.start_s, bounds.end_s - _LAST_S), bounds.end_s)
    return bool(len(last)) and float(np.percentile(last, 90)) < noise_dbfs + _WEAK_DB


def _has_background(wave: Wave, levels: Levels, sample_rate_hz: int, bounds: SpeechBounds) -> bool:
    """Whether a good part of what lies outside the speech is voiced, and comes and goes, which hum doesn't."""
    before, behind = (0.0, bounds.start_s - _CLEAR_S), (bounds.end_s + _CLEAR_S, len(wave) / sample_rate_hz)
    spans = [span for span in (before, behind) if span[1] > span[0] + PITCH_WINDOW_S]
    n_voiced = sum(len(pitches_hz(wave, sample_rate_hz, *span)) for span in spans)
    outside = np.concatenate([windows_between(levels, *span) for span in spans]) if spans else levels[:0]
    if n_voiced < VOICED_WINDOWS or n_voiced * PITCH_HOP_S < _BACKGROUND_SHARE * len(outside) * HOP_S:
        return False
    return float(np.percentile(outside, 90) - np.percentile(outside, 10)) > _STEADY_DB


def _are_several(wave: Wave, levels: Levels, sample_rate_hz: int, stretches: list[tuple[int, int]]) -> bool:
    """Whether what is said before and after a long pause differs in pitch or level as two people do."""
    turns: list[list[int]] = []
    for first, after in stretches:
        if turns and (first - turns[-1][1]) * CHUNK_S < _TURN_S:
            turns[-1][1] = after
        else:
            turns.append([first, after])
    pitches, louds = [], []
    for first, after in turns if len(turns) > 1 else []:
        voiced = pitches_hz(wave, sample_rate_hz, first * CHUNK_S, after * CHUNK_S)
        if len(voiced) >= _TURN_VOICED:
            pitches.append(float(np.median(voiced)))
            louds.append(float(np.percentile(windows_between(levels, first * CHUNK_S, after * CHUNK_S), 90)))
    if len(pitches) < 2:
        return False
    return max(pitches) > _OTHER_PITCH * min(pitches) or max(louds) - min(louds) > _OTHER_LEVEL_DB
