"""Text to speech by espeak-ng inside this process: the library and its voices come in a wheel.

espeak-ng carries state from one text to the next, so that the same text sounds a little different the second
time. The library is therefore loaded anew for each text, which costs about 5 ms and makes every clip
repeatable, in any order.

It hands out samples by a callback, with an event for each word and each phoneme that begins in them. An event's
`audio_position` is in whole milliseconds; its `sample` is the same to the sample (`MarkerEvent` in its speech.c).

It runs in a thread of its own (`side_thread.py`): a Ctrl-C would be lost in a callback, with a hole in the clip.
"""

from __future__ import annotations

import _ctypes
import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np

from stt_load.audio.codec import Pcm
from stt_load.clips.spoken_words import Begins, Marker, Spoken, spoken_words
from stt_load.errors import ConfigError
from stt_load.extras import install_command
from stt_load.process.side_thread import call_aside
from stt_load.versions import installed_version

_WHEEL = "espeakng-loader"

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_CHUNK_MS = 1000
_PHONEME_EVENTS = 1
_EVENT_LIST_TERMINATED, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_PAUSE = b"_"  # names of phonemes that are silent begin so


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h. `text_position` counts characters from 1."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_RATE = 1  # espeak_PARAMETER, in words a minute: 80 to 450
_USUAL_WORDS_PER_MIN = 175

# int t_espeak_callback(short *wav, int n_samples, espeak_EVENT *events)
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))

# The library keeps its state in globals: one text at a time in a process.
_one_at_a_time = threading.Lock()


def is_installed() -> bool:
    """Whether the wheel that brings espeak is there."""
    return installed_version(_WHEEL) is not None


@cache
def espeak_version() -> str:
    """The version of the wheel that brings espeak. Raises ConfigError where it is not installed."""
    version = installed_version(_WHEEL)
    if version is None:
        raise ConfigError(
            f"espeak is not installed: {install_command('demo')}; or take clips from a folder or a TTS server"
        )
    return version


def speak(text: str, voice: str) -> Pcm:
    """The audio of `speak_words` alone."""
    return speak_words(text, voice).pcm


def speak_words(text: str, voice: str, speed: float = 1.0) -> Spoken:
    """The text spoken by one of espeak's voices ("en-us", "en", "de", "en-us+f3", …), at 22,050 Hz, unchanged. `speed`:
    times espeak's usual one, within `tts.engines.SPEEDS`.

    Raises ConfigError if espeak is not installed or has no such voice.
    """
    espeak_version()
    return call_aside(_speak, text, voice, speed)


def _speak(text: str, voice: str, speed: float) -> Spoken:
    chunks: list[bytes] = []
    markers: list[Marker] = []

    def on_samples(wav: ctypes._Pointer[ctypes.c_short], n_samples: int, events: ctypes._Pointer[_Event]) -> int:
        if wav and n_samples > 0:
            chunks.append(ctypes.string_at(wav, 2 * n_samples))
        markers.extend(_markers(events))
        return 0

    callback = _CALLBACK(on_samples)  # kept in a name: espeak holds no reference of its own
    with _one_at_a_time, _fresh_library() as (library, sample_rate_hz):
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ConfigError(
                f"espeak has no voice {voice!r}: try en-us, en (British), en-us+f3 (a variant) or another language code"
            )
        library.espeak_SetParameter(_RATE, round(speed * _USUAL_WORDS_PER_MIN), 0)
        data = text.encode() + b"\0"
        if library.espeak_Synth(data, len(data), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None) != 0:
            raise ConfigError(f"espeak could not speak {text!r}: shorten the text")
    pcm = Pcm(np.frombuffer(b"".join(chunks), dtype=np.int16), sample_rate_hz)
    return Spoken(pcm, spoken_words(text, markers, pcm))


def _markers(events: ctypes._Pointer[_Event]) -> Iterator[Marker]:
    """What a list of events tells of words, up to the event of type 0 that terminates it."""
    number = 0
    while events and events[number].type != _EVENT_LIST_TERMINATED:
        event = events[number]
        if event.type == _EVENT_WORD:
            yield Marker(Begins.WORD, event.text_position - 1, event.sample)
        elif event.type == _EVENT_PHONEME:
            begins = Begins.SILENCE if event.id.startswith(_PAUSE) else Begins.SOUND
            yield Marker(begins, event.text_position - 1, event.sample)
        number += 1


@contextmanager
def _fresh_library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """A newly loaded espeak-ng, which remembers no earlier text, and its sample rate in Hz."""
    import espeakng_loader  # an extra: only who speaks with espeak needs it

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data_path = espeakng_loader.get_data_path().encode()
        sample_rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _CHUNK_MS, data_path, _PHONEME_EVENTS)
        if sample_rate_hz <= 0:
            raise ConfigError("espeak can't start: reinstall espeakng-loader")
        try:
            yield library, sample_rate_hz
        finally:
            library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
