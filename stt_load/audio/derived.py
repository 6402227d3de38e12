"""Clips that are made of other clips: what a telephone, a noisy street or a long breath does to the same words.

A *step* takes the clips of a pool and gives those that it makes of them. A *recipe* is a few steps in order:

    who speaks             what is heard              what arrives
    speed, join,           level, noise    ──▶        codec
    pause         ──▶

The name of each step is in the id of the clips (`english-01+babble20+mulaw8k`), so it is in every row of a run. A step
of the first kind gives clean clips with bounds of their own; the others keep the bounds and the pauses of the clean
clip, whatever the samples look like by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Protocol

import numpy as np

from stt_load.audio.clip import Clip, PcmArray
from stt_load.audio.sound_levels import Flags, Wave, to_wave
from stt_load.audio.speech_bounds import pauses_of

AS_IT_IS = "clean"
"""The name of the recipe without steps."""

_SHORTEST_PAUSE_S = 0.2  # what is shorter belongs to the words: the closure of a t, a breath


class Step(Protocol):
    """One thing that is done to clips. `name`: a word for ids and tables. `in_words`: for people."""

    @property
    def name(self) -> str: ...

    @property
    def in_words(self) -> str: ...

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        """The clips that it makes of these, each with the id of the one that it begins with. Raises ConfigError where
        it can make none."""
        ...


Recipe = tuple[Step, ...]


def name_of(recipe: Recipe) -> str:
    """The name of a recipe: those of its steps."""
    return "+".join(step.name for step in recipe) or AS_IT_IS


def in_words(recipe: Recipe) -> str:
    """What a recipe does, for people."""
    return ", ".join(step.in_words for step in recipe) or AS_IT_IS


def recipes(*choices: Iterable[Step | None]) -> tuple[Recipe, ...]:
    """Every recipe that takes one step of each of these choices, in their order; None takes none."""
    return tuple(tuple(step for step in steps if step is not None) for steps in product(*choices))


def derive(clips: Sequence[Clip], recipe: Recipe) -> list[Clip]:
    """The clips that a recipe makes of a pool. Raises ConfigError where a step can't be done with it."""
    for step in recipe:
        clips = [replace(c, clip_id=f"{c.clip_id}+{step.name}", origin=_origin(c, step)) for c in step.apply(clips)]
    return list(clips)


def base_id(clip_id: str, recipe: Recipe) -> str:
    """The id of the clip that a derived one begins with."""
    return clip_id.removesuffix("".join(f"+{step.name}" for step in recipe))


def sounding(clip: Clip, samples: PcmArray, room: PcmArray | None) -> Clip:
    """The same speech with another sound. Its bounds and pauses stay."""
    return replace(clip, samples=samples, room=room, pauses=pauses_of(clip))


def is_speech(clip: Clip) -> Flags:
    """Which samples of a clip are speech: those from its start to its end, without pauses of 0.2 s and more."""
    rate_hz = clip.sample_rate_hz
    flags = np.zeros(len(clip.samples), np.bool_)
    flags[round(clip.speech_start_s * rate_hz) : round(clip.speech_end_s * rate_hz)] = True
    for pause in pauses_of(clip):
        if pause.length_s >= _SHORTEST_PAUSE_S:
            first = round(pause.start_s * rate_hz)
            flags[first : first + round(pause.length_s * rate_hz)] = False
    return flags


def speech_rms(clip: Clip) -> float:
    """The root mean square of the speech of a clip, full scale being 1."""
    return rms(to_wave(clip.samples)[is_speech(clip)])


def rms(wave: Wave) -> float:
    """The root mean square of a wave; 0 for an empty one."""
    return float(np.sqrt(np.mean(wave**2))) if len(wave) else 0.0


def gain_of(db: float) -> float:
    """The factor that so many decibels are."""
    return float(10 ** (db / 20))


def _origin(clip: Clip, step: Step) -> str:
    """A step gives the same clip for the same origin, on every machine to within what its arithmetic differs by."""
    return hashlib.sha256(f"{clip.origin or clip.sha256} {step.name}".encode()).hexdigest()
