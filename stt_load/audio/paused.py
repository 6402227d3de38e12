"""Pauses put into speech on purpose: the step that gives a clip one silence of a known length between two words.

    we moved house │ last week            the gap between two words nearest to the middle of the speech
    we moved house ▕______▏ last week     is made as long as is asked; what follows moves

A server's endpointer can't tell whether the caller has ended or thinks. How long a pause it bears, and how long a
caller who has ended waits for that, is one curve.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from stt_load.audio.clip import Clip, ClipWord, Pause, PcmArray
from stt_load.audio.sound_levels import levels_dbfs, to_wave
from stt_load.audio.speech_bounds import DIGITAL_SILENCE_DBFS, pauses_of
from stt_load.errors import ConfigError

_FADE_S = 0.005  # at either edge of a cut between sounds, so that nothing clicks
_ROOM_S = 0.1  # of the quietest audio outside the speech, which is heard again in the pause
_LEAST_APART_S = 0.3  # between the pause and either end of the speech
_SHORTEST_BETWEEN_WORDS_S = 0.12  # a shorter pause may be the closure of a t or a k within a word
_NAME = re.compile(r"\+pause([0-9.]+)s(?=\+|$)")


def pause_in(clip_id: str) -> float | None:
    """The length of the pause that was put into a clip, by its id; None where none was."""
    found = _NAME.search(clip_id)
    return float(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Paused:
    """The step that puts a pause of `seconds` between the two words nearest to the middle of the speech. It holds what
    lies outside the speech: digital silence, or the quietest of the room's tone.

    A clip is left out if nobody knows where its words part, or it has a longer pause as it is.
    """

    seconds: float

    @property
    def name(self) -> str:
        return f"pause{self.seconds:g}s"

    @property
    def in_words(self) -> str:
        return f"with a pause of {self.seconds:g} s"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        places = [(clip, self._place_in(clip)) for clip in clips]
        paused = [with_pause(clip, gap, self.seconds) for clip, gap in places if gap is not None]
        if not paused:
            raise ConfigError(
                f"--pause-in-speech {self.seconds:g}: no clip has two words that a pause so long can be put between: "
                "name a longer one, or take clips whose words have times (`words` of a manifest)"
            )
        return paused

    def _place_in(self, clip: Clip) -> Pause | None:
        """The gap that becomes the pause, which may be of no length; None where there is none."""
        natural = [pause for pause in pauses_of(clip) if pause.length_s >= _SHORTEST_BETWEEN_WORDS_S]
        if any(pause.length_s >= self.seconds for pause in natural):
            return None
        first_s, last_s = clip.speech_start_s + _LEAST_APART_S, clip.speech_end_s - _LEAST_APART_S
        middle_s = (clip.speech_start_s + clip.speech_end_s) / 2
        gaps = [gap for gap in gaps_of(clip.words) or natural if first_s < gap.start_s < last_s]
        gaps = [gap for gap in gaps if gap.length_s < self.seconds]
        return min(gaps, key=lambda gap: abs(gap.start_s - middle_s), default=None)


def gaps_of(words: Sequence[ClipWord]) -> list[Pause]:
    """What lies between each word and the next; some of no length."""
    return [Pause(before.end_s, max(0.0, after.start_s - before.end_s)) for before, after in pairwise(words)]


def with_pause(clip: Clip, gap: Pause, length_s: float) -> Clip:
    """The clip with a gap between two of its words made `length_s` long."""
    rate_hz = clip.sample_rate_hz
    at, n = round((gap.start_s + gap.length_s / 2) * rate_hz), round((length_s - gap.length_s) * rate_hz)
    by_s, at_s = n / rate_hz, at / rate_hz
    before, after = _faded(clip.samples[:at], rate_hz, is_end=True), _faded(clip.samples[at:], rate_hz, is_end=False)

    def moved(pause: Pause) -> Pause:
        return Pause(pause.start_s + by_s, pause.length_s) if pause.start_s > at_s else pause

    others = [pause for pause in pauses_of(clip) if not pause.start_s <= at_s <= pause.start_s + pause.length_s]
    own = Pause(gap.start_s, gap.length_s + by_s)
    return replace(
        clip,
        samples=np.concatenate([before, _silence_like(clip, n), after]),
        speech_end_s=clip.speech_end_s + by_s,
        latest_end_s=None if clip.latest_end_s is None else clip.latest_end_s + by_s,
        words=tuple(word.moved(by_s) if word.start_s + word.end_s > 2 * at_s else word for word in clip.words),
        pauses=tuple(sorted([*map(moved, others), own], key=lambda pause: pause.start_s)),
    )


def _faded(samples: PcmArray, rate_hz: int, is_end: bool) -> PcmArray:
    """The samples with a soft edge, where they are sound."""
    n = min(len(samples), round(_FADE_S * rate_hz))
    ramp = np.linspace(1.0, 0.0, n) if is_end else np.linspace(0.0, 1.0, n)
    edge = slice(len(samples) - n, None) if is_end else slice(0, n)
    faded = samples.copy()
    faded[edge] = np.rint(faded[edge] * ramp).astype(np.int16)
    return faded


def _silence_like(clip: Clip, n: int) -> PcmArray:
    """So many samples of what lies outside the speech of a clip: the quietest tenth of a second there, to and fro;
    digital silence where it is that, or too short."""
    rate_hz, size = clip.sample_rate_hz, round(_ROOM_S * clip.sample_rate_hz)
    first, after = (round(at_s * rate_hz) for at_s in (clip.speech_start_s, clip.speech_end_s))
    around = [outside for outside in (clip.samples[:first], clip.samples[after:]) if len(outside) >= size]
    rooms = [outside[at : at + size] for outside in around for at in range(0, len(outside) - size + 1, size // 2)]
    quietest = min(rooms, key=lambda room: float(np.mean(to_wave(room) ** 2)), default=None)
    if quietest is None or levels_dbfs(to_wave(quietest), rate_hz).max() <= DIGITAL_SILENCE_DBFS:
        return np.zeros(n, np.int16)
    return np.resize(np.concatenate([quietest, quietest[::-1]]), n)
