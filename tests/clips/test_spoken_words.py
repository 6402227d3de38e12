from __future__ import annotations

import numpy as np
import pytest

from stt_load.audio.clip import ClipWord
from stt_load.audio.codec import Pcm
from stt_load.clips.spoken_words import Begins, Marker, spoken_words

RATE_HZ = 1_000


def pcm(*spans: tuple[int, int], length: int = 1_000) -> Pcm:
    """One sample a millisecond, with sound in these spans."""
    samples = np.zeros(length, np.int16)
    for start, end in spans:
        samples[start:end] = 1
    return Pcm(samples, RATE_HZ)


def words_of(text: str, markers: list[tuple[int, int]], audio: Pcm) -> list[tuple[str, float, float]]:
    words = spoken_words(text, [Marker(Begins.WORD, *marker) for marker in markers], audio)
    return [(word.text, word.start_s, word.end_s) for word in words]


def test_a_word_is_from_its_first_sound_to_its_last_whatever_silence_its_marker_has_before_and_behind() -> None:
    audio = pcm((100, 300), (350, 500))
    assert words_of("one, two", [(0, 50), (5, 320)], audio) == [("one,", 0.1, 0.3), ("two", 0.35, 0.5)]


@pytest.mark.parametrize(
    ("text", "markers", "said"),
    [
        ("does not work", [(0, 0), (9, 500)], ["does not", "work"]),  # spoken as one: the second has no marker
        ("room 25 is", [(0, 0), (5, 300), (6, 400), (8, 600)], ["room", "25", "is"]),  # twenty, five
        ("one it was", [(0, 0), (4, 300), (5, 400)], ["one", "it was"]),  # the marker of "was" is misplaced
        ("— so — it is —", [(2, 0), (7, 300), (10, 400)], ["— so —", "it", "is —"]),
        ("今天，我", [(0, 0), (1, 300), (3, 600)], ["今", "天，", "我"]),
        ("one 😀 two", [(0, 0), (4, 300), (5, 400), (6, 600)], ["one", "😀", "two"]),
    ],
)
def test_every_character_of_the_text_belongs_to_one_word(text: str, markers: list, said: list[str]) -> None:
    audio = pcm((0, 1_000))
    found = words_of(text, markers, audio)
    assert [word for word, _, _ in found] == said
    bounds = [start_s for _, start_s, _ in found] + [1.0]
    assert [end_s for _, _, end_s in found] == bounds[1:]


def test_a_marker_without_sound_behind_it_is_no_word_of_its_own() -> None:
    assert words_of("a b c", [(0, 0), (2, 400), (4, 600)], pcm((0, 300), (700, 800))) == [
        ("a b", 0.0, 0.3),
        ("c", 0.7, 0.8),
    ]
    assert words_of("a b", [(0, 0), (2, 400)], pcm((500, 600))) == [("a b", 0.5, 0.6)]


def test_what_is_marked_as_silent_is_no_part_of_a_word_though_it_may_echo() -> None:
    samples = np.full(1_000, 100, np.int16)  # an echo everywhere
    samples[100:300] = samples[500:700] = 20_000
    markers = [
        Marker(Begins.WORD, 0, 0),
        Marker(Begins.SILENCE, 0, 0),
        Marker(Begins.SOUND, 0, 100),
        Marker(Begins.SOUND, 0, 200),
        Marker(Begins.SILENCE, 5, 300),
        Marker(Begins.WORD, 5, 450),
        Marker(Begins.SOUND, 5, 500),
        Marker(Begins.SILENCE, 8, 700),
    ]
    words = spoken_words("one, two", markers, Pcm(samples, RATE_HZ))
    assert words == (ClipWord("one,", 0.1, 0.3), ClipWord("two", 0.5, 0.7))


def test_a_vowel_that_is_marked_late_begins_with_its_word() -> None:
    samples = np.full(1_000, 10_000, np.int16)
    markers = [Marker(Begins.WORD, 0, 100), Marker(Begins.SOUND, 0, 140), Marker(Begins.SOUND, 0, 400)]
    assert spoken_words("and", markers, Pcm(samples, RATE_HZ)) == (ClipWord("and", 0.1, 1.0),)


def test_without_markers_or_words_nothing_is_known() -> None:
    assert words_of("one two", [], pcm((0, 500))) == []
    assert words_of("", [(0, 0)], pcm((0, 500))) == []


def test_a_word_moves_with_the_audio_around_it() -> None:
    assert ClipWord("one", 0.5, 0.75).moved(-0.25) == ClipWord("one", 0.25, 0.5)
