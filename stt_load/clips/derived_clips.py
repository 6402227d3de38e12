"""The clips of a run as its options want them derived: longer, louder, in noise, through a codec.

    <cache>/lines/<codec>-<digest>   what a slow codec made of a clip

Everything else is made anew by each process, as resampling is: it takes a second or two for the clips that stt-load
comes with. A codec that is slow to encode (Opus, 40 times as fast as it is heard) is asked once for a clip,
and what it gave is kept: as much as went over the line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from stt_load.audio.clip import PcmArray
from stt_load.audio.codec import decode
from stt_load.audio.derived import Recipe, Step, base_id, derive, in_words, name_of, recipes
from stt_load.audio.joined import Joined
from stt_load.audio.line_codecs import LINE_CODECS, Encode, LineCodec, SentIn, Tell, Through, tell_nobody
from stt_load.audio.loudness import AtLevel
from stt_load.audio.noises import NOISES, InNoise, NoiseSource, of_file
from stt_load.audio.paused import Paused
from stt_load.audio.resample import resample
from stt_load.audio.silence import silence_for
from stt_load.audio.sound_levels import to_wave
from stt_load.clips.cache_folder import cache_folder
from stt_load.clips.folder import ClipSet
from stt_load.clips.memory_needed import find_shortage
from stt_load.clips.spoken_faster import SpokenFaster
from stt_load.config import RunConfig
from stt_load.errors import ClipError, ConfigError
from stt_load.process.atomic_file import write_atomically
from stt_load.process.side_thread import call_aside

_RECIPE_VERSION = 1  # raise this when the same recipe gives other clips than before


TellEncoded = Callable[[str, float, float], object]
"""Called with a codec, the seconds of audio that it has encoded, and those of all clips. What it raises ends that."""


def recipes_of(config: RunConfig, rate_hz: int, tell: TellEncoded | None = None) -> tuple[Recipe, ...]:
    """What a run with this configuration makes of its clips: one recipe for each variant, which has no step where clips
    are spoken as they are. `tell` is called while a slow codec is at work. ConfigError where a file of noise can't be
    read."""
    return recipes(
        _steps(SpokenFaster, config.speeds),
        _steps(Joined, config.joins_s),
        _steps(Paused, config.pauses_in_speech_s),
        _steps(AtLevel, config.levels_dbfs),
        _noise_steps(config, rate_hz),
        _codec_steps(config, tell),
    )


def derivation_of(config: RunConfig) -> tuple[object, ...]:
    """The options that decide what is made of clips: equal for two runs that make the same of them."""
    spoken = config.speeds, config.joins_s, config.pauses_in_speech_s
    heard = config.levels_dbfs, config.noise, config.snrs_db, config.codecs
    return *spoken, *heard, config.silence_ratio > 0


def derived_clips(clips: ClipSet, config: RunConfig, rate_hz: int, tell: TellEncoded | None = None) -> ClipSet:
    """The clips as this run speaks them, and the silence of callers who never speak; `tell` as in `recipes_of`.
    ConfigError where that can't be made of them, or doesn't fit into memory."""
    pool_s = sum(clip.duration_s for clip in clips.clips)
    if shortage := find_shortage(config, len(clips.clips), pool_s, rate_hz, psutil.virtual_memory().available):
        raise ConfigError(shortage)
    variants = recipes_of(config, rate_hz, tell)
    spoken = clips if variants == ((),) else _variants(clips, variants)
    if not config.silence_ratio:
        return spoken
    return replace(spoken, silences={clip.clip_id: silence_for(clip) for clip in spoken.clips})


def _variants(clips: ClipSet, variants: Sequence[Recipe]) -> ClipSet:
    """What each recipe makes of the clips."""
    made = [(recipe, derive(clips.clips, recipe)) for recipe in variants]
    names = ", ".join(name_of(recipe) for recipe in variants)
    digest = hashlib.sha256(f"{_RECIPE_VERSION} {clips.manifest_sha256} {names}".encode()).hexdigest()
    return replace(
        clips,
        clips=tuple(clip for _, derived in made for clip in derived),
        source=f"{clips.source}; {'; '.join(in_words(recipe) for recipe in variants)}",
        manifest_sha256=digest,
        found={
            clip.clip_id: found
            for recipe, derived in made
            for clip in derived
            if (found := clips.found.get(base_id(clip.clip_id, recipe))) is not None
        },
    )


def _through(codec: LineCodec, is_native: bool, tell: TellEncoded | None) -> Step:
    """The step of a codec. `is_native`: the server decodes it."""
    if is_native:
        return SentIn(codec)
    if not codec.is_slow:
        return Through(codec, codec.encode)
    # libsndfile calls back while it works, for minutes where clips are long.
    aside = replace(codec, encode=partial(call_aside, codec.encode), decode=partial(call_aside, codec.decode))
    return Through(aside, _remembering(aside), tell_nobody if tell is None else partial(tell, codec.in_words))


def _steps(
    step: type[SpokenFaster] | type[Joined] | type[Paused] | type[AtLevel], values: Sequence[float | None]
) -> list[Step | None]:
    return [None if value is None else step(value) for value in values]


def _noise_steps(config: RunConfig, rate_hz: int) -> list[Step | None]:
    if config.noise is None:
        return [None]
    name, source = Path(config.noise).stem, NOISES.get(config.noise) or _read_noise(config.noise, rate_hz)
    return [None if snr_db is None else InNoise(name, source, snr_db) for snr_db in config.snrs_db]


def _codec_steps(config: RunConfig, tell: TellEncoded | None) -> list[Step | None]:
    native = config.native_codec
    return [None if name is None else _through(LINE_CODECS[name], name == native, tell) for name in config.codecs]


def _read_noise(file: str, rate_hz: int) -> NoiseSource:
    try:
        pcm = decode(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError(f"--noise {file}: can't be read ({error.strerror}): name another file") from None
    except ClipError as error:
        raise ConfigError(f"--noise {file}: {error}") from None
    return of_file(to_wave(resample(pcm.samples, pcm.sample_rate_hz, rate_hz)))


def _remembering(codec: LineCodec) -> Encode:
    """The encoder of a slow codec, which keeps what it gave. A cache that can't be written costs time and nothing
    else."""

    def encode(samples: PcmArray, tell: Tell = tell_nobody) -> bytes:
        digest = hashlib.sha256(f"{_RECIPE_VERSION} {codec.rate_hz} ".encode())
        digest.update(samples.astype("<i2", copy=False).tobytes())
        file = cache_folder() / "lines" / f"{codec.name}-{digest.hexdigest()}"
        with suppress(OSError, ClipError):
            kept = file.read_bytes()
            if len(codec.decode(kept)) == len(samples):
                return kept
        data = codec.encode(samples, tell)
        with suppress(ConfigError):
            write_atomically(file, data, make_folder=True)
        return data

    return encode
