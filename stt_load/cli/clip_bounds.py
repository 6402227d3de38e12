"""Draws where speech is in clips, for `stt-load clips show --bounds`.

english-01  3.91 s
  ▁▁▁▃▇█▆▅▇▇▆▁▁▂▅▆▇█▇▅▃▂▁▁▁   level, from -70 dBFS to the loudest part
     ├────────────────┤       the bounds that a run takes
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.found_speech import FoundSpeech
from stt_load.audio.sound_levels import levels_dbfs, to_wave, without_rumble
from stt_load.audio.speech_bounds import SpeechBounds
from stt_load.clips.bounds_cache import remembered_speech
from stt_load.clips.doubts import words_of
from stt_load.clips.folder import ClipSet

WIDTH = 72
_BLOCKS = " ▁▂▃▄▅▆▇█"
_QUIETEST_DBFS = -70.0


def bounds_lines(clips: ClipSet) -> Iterator[str]:
    """The lines of all clips, each clip as soon as its speech has been found."""
    for clip in clips.clips:
        found = clips.found.get(clip.clip_id)
        yield from _clip_lines(clip, found or remembered_speech(clip.samples, clip.sample_rate_hz), found is None)


def _clip_lines(clip: Clip, found: FoundSpeech, is_given: bool) -> Iterator[str]:
    """`is_given`: a list of clips says when the speech ends, which wins over what was found."""
    used = SpeechBounds(clip.speech_start_s, clip.speech_end_s)
    yield f"{clip.clip_id}  {clip.duration_s:.2f} s"
    yield f"  {_blocks(clip)}".rstrip()
    yield f"  {_span(used, clip.duration_s)}"
    if is_given:
        early_ms = 1_000 * (used.end_s - found.bounds.end_s)
        differs = f": the given end is {abs(early_ms):.0f} ms {'later' if early_ms > 0 else 'earlier'}"
        yield f"  given  {_seconds(used)}"
        yield f"  found  {_seconds(found.bounds)}{differs if abs(early_ms) >= 1 else ''}"
    else:
        yield f"  found  {_seconds(used)}"
    yield f"  unsure: {words_of(found.doubts)}" if found.doubts else "  sure"
    yield ""


def _seconds(bounds: SpeechBounds) -> str:
    return f"{bounds.start_s:.3f} to {bounds.end_s:.3f} s"


def _column(at_s: float, duration_s: float) -> int:
    return min(WIDTH - 1, int(WIDTH * at_s / duration_s))


def _span(bounds: SpeechBounds, duration_s: float) -> str:
    first, last = _column(bounds.start_s, duration_s), _column(bounds.end_s, duration_s)
    return " " * first + ("├" + "─" * (last - first - 1) + "┤" if last > first else "│")


def _blocks(clip: Clip) -> str:
    levels = levels_dbfs(without_rumble(to_wave(clip.samples), clip.sample_rate_hz), clip.sample_rate_hz)
    # A clip shorter than the line has columns without a window of their own: they repeat the one before.
    edges = np.linspace(0, len(levels), WIDTH + 1)
    columns = [levels[int(first) : max(int(first) + 1, int(after))].max() for first, after in pairwise(edges)]
    span_db = max(1.0, float(max(columns)) - _QUIETEST_DBFS)
    steps = [round(float((len(_BLOCKS) - 1) * (level - _QUIETEST_DBFS) / span_db)) for level in columns]
    return "".join(_BLOCKS[min(max(step, 0), len(_BLOCKS) - 1)] for step in steps)
