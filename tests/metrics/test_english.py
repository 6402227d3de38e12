"""English words: Whisper's, found faster, and those that Whisper takes for two."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whisper_normalizer.english import EnglishTextNormalizer

from stt_load.audio.texts import english_set, standard_set
from stt_load.metrics.english import WhisperEnglish, english_words, spelled_alike
from stt_load.metrics.normaliser import ENGLISH
from stt_load.metrics.wer import score

WHISPER = EnglishTextNormalizer()
OURS = WhisperEnglish()
WORDS = (
    "the a and o oh zero one ones first second twenty thirties hundred thousandth million point half double "
    "triple minus plus per percent cent cents dollar dollars pounds it's don't can't won't i'ma gonna wanna mr "
    "mrs st dr 's 've hmm um uh mm colour grey centre travelling 5 12 1,000 3.5 $20 50% €7 7th 2nd . , - ( ) [ ] "
    "< > ' \" & a.m. U.S. i'd been he's got and a half let's y'all ma'am 10:30 1/2 #1 x@y ..."
)


@given(
    words=st.lists(st.sampled_from(WORDS.split()) | st.text(st.sampled_from(string.printable), max_size=6), max_size=12)
)
def test_what_is_left_out_would_have_changed_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert OURS.words(text.lower()) == WHISPER(text).split()


@given(text=st.text(max_size=40))
def test_any_text_has_whispers_words(text: str) -> None:
    assert OURS.words(text.lower()) == WHISPER(text).split()


def test_the_shipped_texts_have_whispers_words() -> None:
    for text in [*english_set().values(), *standard_set().values()]:
        assert OURS.words(text.lower()) == WHISPER(text).split()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("okay", "ok"),
        ("OK.", "O.K."),
        ("it is okay now", "it is o k now"),
        ("cannot", "can not"),
        ("can't", "cannot"),
        ("alright", "all right"),
        ("e-mail", "email"),
        ("wi-fi", "wifi"),
        ("at ten o'clock", "at 10:00"),
        ("at ten oclock", "at ten o’clock"),
        ("itʼs", "it's"),
        ("it`s", "it's"),
        ("it´s", "it's"),
        ("it′s", "it's"),
        ("hello\u00adworld", "helloworld"),
        ("hello\ufeff \u200bworld", "hello world"),
        ("N.A.S.A. said so", "NASA said so"),
        ("N A S A said so", "n.a.s.a said so"),
        ("the U S A and I", "the USA and I"),
        ("the USA and I", "the u s a and i"),
        ("Tokyo and Boise", "t o k y o and Boise"),
        ("NATO and the CEO", "N.A.T.O. and the c e o"),
        ("four o five", "405"),
        ("the F.B.I. agent", "the FBI agent"),
        ("A.I. and the I.B.M. PC", "AI and the IBM p c"),
    ],
)
def test_two_ways_to_write_the_same_are_no_error(one: str, other: str) -> None:
    assert score(one, other).word_errors == score(other, one).word_errors == 0
    assert score(one, other).character_errors == 0


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("in the USA I think", "in the us a i think"),
        ("a b c", "a b d"),
        ("NASA", "n a s"),
        ("I am here", "I a here"),
        ("he can", "he can not"),
        ("the cat sat", "the cats at"),
    ],
)
def test_a_real_error_stays_one(said: str, heard: str) -> None:
    assert score(said, heard).word_errors > 0


LETTERS = st.lists(st.sampled_from(["a", "b", "i", "ab", "abi", "ai", "lamp", "5", "55", "aa"]), max_size=10)


@given(wanted=LETTERS, heard=LETTERS)
def test_only_blanks_between_letters_change_and_only_in_what_was_heard(wanted: list[str], heard: list[str]) -> None:
    spelled = spelled_alike(wanted, heard)
    assert "".join(spelled) == "".join(heard)
    assert spelled_alike(wanted, wanted) == tuple(wanted)
    assert spelled_alike(wanted, spelled) == spelled


@given(wanted=LETTERS, heard=LETTERS)
def test_a_reference_keeps_its_words_whatever_was_heard(wanted: list[str], heard: list[str]) -> None:
    reference, text = " ".join(wanted), " ".join(heard)
    assert ENGLISH.paired(reference, text)[0] == ENGLISH.words(reference)


def test_lone_symbols_are_no_words() -> None:
    assert english_words("well ... 5 % - & yes") == ["well", "5", "yes"]
