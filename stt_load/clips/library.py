"""Makes clips by text to speech and caches them, so that each is made once.

    <cache>/clips/<engine>-<recipe>/   a clip folder for each combination of texts and voice
    <cache>/tts/<request>.wav          each answer of a TTS server, unchanged

STT_LOAD_CACHE names the cache folder; without it, it is in the user's own. Its folders are named after the recipe
(texts, voice, server, version of the engine, pad), so a change of any of these makes a new one. Clips that espeak spoke
are read where espeak is not installed, too, whichever version of it that was: a load machine that got the cache of
another one needs no espeak.
Several processes may fill it at the same time: each writes under a name of its own and renames.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stt_load.audio.clip import Clip, ClipWord
from stt_load.audio.codec import Pcm, decode
from stt_load.audio.manifest import MANIFEST_NAME, parse_line
from stt_load.audio.speech_bounds import SpeechBounds, cut_to_bounds, find_sound
from stt_load.audio.texts import Texts, english_set, standard_set
from stt_load.clips import espeak
from stt_load.clips.bounds_cache import remembered_speech
from stt_load.clips.cache_folder import cache_folder
from stt_load.clips.folder import ClipSet, is_free, load_folder, write_folder
from stt_load.clips.spoken_words import Spoken
from stt_load.clips.tts_server import speak_over_http
from stt_load.errors import ClipError, ConfigError
from stt_load.process.atomic_file import write_atomically
from stt_load.tts.engines import ENGINES, Voice, voice_of

# Silence before and after the speech of every clip made here.
PAD_S = 0.050

# Raise this when the same recipe gives other files than before.
_RECIPE_VERSION = 2

# Called after each clip with the number done and the number in all.
Progress = Callable[[int, int], None]


def default_clips(
    sample_rate_hz: int | None,
    progress: Progress | None = None,
    include_standard: bool = False,
    cache: Path | None = None,
) -> ClipSet:
    """The shipped English texts spoken by espeak: rendered on first use, then read from the cache.

    `include_standard` puts the five standard texts at the end. `sample_rate_hz` None: as espeak renders them.
    Raises ConfigError if they are not in the cache and espeak is not installed, or the cache can't be written.
    """
    texts = english_set() | (standard_set() if include_standard else {})
    return clips_from_tts(voice_of("espeak"), texts, sample_rate_hz, progress=progress, cache=cache)


def clips_from_tts(
    voice: Voice,
    texts: Texts,
    sample_rate_hz: int | None,
    progress: Progress | None = None,
    cache: Path | None = None,
    api_key: str | None = None,
) -> ClipSet:
    """The texts in that voice, from the cache if it has them. Raises ConfigError with every problem."""
    cache = cache or cache_folder()
    folder = _spoken_before(voice, texts, cache) or cache / "clips" / _folder_name(voice, texts, _source(voice))
    notes: tuple[str, ...] = ()
    if folder.exists():
        try:
            return _named(load_folder(folder, sample_rate_hz), voice)
        except ConfigError as error:
            _remove(folder)
            notes = (f"the cached clips were damaged and have been made again ({error.problems[0]})",)
    clips = _rendered(voice, texts, progress, cache, api_key)
    with suppress(FileExistsError):  # another process made the same clips in the meantime: then those are read
        write_folder(folder, clips, _source(voice))
    return _named(load_folder(folder, sample_rate_hz), voice, notes)


def make_folder(
    voice: Voice,
    texts: Texts,
    out: Path,
    progress: Progress | None = None,
    cache: Path | None = None,
    api_key: str | None = None,
) -> None:
    """Makes the texts into a clip folder of the user's. Raises ConfigError if `out` is not empty."""
    taken = ConfigError(f"{out} is not empty: name a folder that does not exist yet")
    if not is_free(out):
        raise taken
    try:
        write_folder(out, _rendered(voice, texts, progress, cache or cache_folder(), api_key), _source(voice))
    except FileExistsError:
        raise taken from None


def _rendered(
    voice: Voice, texts: Texts, progress: Progress | None, cache: Path, api_key: str | None
) -> Iterator[Clip]:
    for done, (clip_id, text) in enumerate(texts.items(), start=1):
        try:
            spoken = _spoken(text, voice, cache, api_key)
            pcm, bounds = spoken.pcm, _bounds(spoken.pcm, voice)
            samples, speech = cut_to_bounds(pcm.samples, pcm.sample_rate_hz, bounds, PAD_S)
        except ClipError as error:
            raise ConfigError(f"{voice.engine} as {voice.name} could not speak {clip_id} ({text!r}): {error}") from None
        words = _within(speech, [word.moved(speech.start_s - bounds.start_s) for word in spoken.words])
        yield Clip(clip_id, text, samples, pcm.sample_rate_hz, speech.start_s, speech.end_s, words=words)
        if progress is not None:
            progress(done, len(texts))


def _bounds(pcm: Pcm, voice: Voice) -> SpeechBounds:
    """The bounds of what an engine has spoken. espeak puts digital silence around it, others noise and breath too."""
    if ENGINES[voice.engine].body is None:
        return find_sound(pcm.samples, pcm.sample_rate_hz)
    return remembered_speech(pcm.samples, pcm.sample_rate_hz).bounds


def _within(speech: SpeechBounds, words: Iterable[ClipWord]) -> tuple[ClipWord, ...]:
    """The words without what was cut off the first and the last one as too quiet."""
    return tuple(
        ClipWord(word.text, max(word.start_s, speech.start_s), min(word.end_s, speech.end_s)) for word in words
    )


def _spoken(text: str, voice: Voice, cache: Path, api_key: str | None) -> Spoken:
    """The audio of one text, and its words where the engine tells when they sound. A server's answer is cached; espeak
    is faster than a cache."""
    row = ENGINES[voice.engine]
    if row.body is None:
        return espeak.speak_words(text, voice.name, voice.speed)
    kept = cache / "tts" / f"{_digest([voice.url, row.body(text, voice)])}.wav"
    if kept.exists():
        try:
            return Spoken(decode(kept.read_bytes()))
        except (ClipError, OSError):
            pass  # damaged: ask the server again
    data = speak_over_http(text, voice, api_key)
    pcm = decode(data)
    find_sound(pcm.samples, pcm.sample_rate_hz)  # an answer without speech is not kept
    write_atomically(kept, data, make_folder=True, advice="set STT_LOAD_CACHE to another folder")
    return Spoken(pcm)


def _spoken_before(voice: Voice, texts: Texts, cache: Path) -> Path | None:
    """The folder with these clips where espeak is to speak them and is not installed; None otherwise. The name of a
    folder is a digest of what its manifest says about the version, so a folder of other texts is never taken."""
    if ENGINES[voice.engine].body is not None or espeak.is_installed():
        return None
    for folder in sorted((cache / "clips").glob(f"{voice.engine}-*")):
        with suppress(OSError, ValueError, ClipError):
            first = (folder / MANIFEST_NAME).read_text(encoding="utf-8").partition("\n")[0]
            if folder.name == _folder_name(voice, texts, parse_line(first).source):
                return folder
    return None


def _remove(folder: Path) -> None:
    """Deletes a damaged folder. It is renamed first, so that no other process finds half of it."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise ConfigError(f"{folder} is damaged and can't be removed ({error.strerror}): delete it") from error
    shutil.rmtree(aside, ignore_errors=True)


def _source(voice: Voice) -> dict[str, str]:
    row = ENGINES[voice.engine]
    return voice.as_source() | ({"version": espeak.espeak_version()} if row.body is None else {})


def _folder_name(voice: Voice, texts: Texts, source: Mapping[str, str] | None) -> str:
    recipe = _digest([_RECIPE_VERSION, PAD_S, source, voice.url, texts])[:16]
    return f"{voice.engine}-{recipe}"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def _named(clips: ClipSet, voice: Voice, notes: tuple[str, ...] = ()) -> ClipSet:
    source = ", ".join(f"{key} {value}" for key, value in voice.as_source().items())
    return replace(clips, source=source, notes=notes + clips.notes)
