import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.script import UNKNOWN_CLIP, Fault, Script, audio_key, spelled
from stt_load.errors import ConfigError

SPEECH = bytes(range(1, 250)) * 200


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (20, "twenty"),
        (47, "forty seven"),
        (100, "one hundred"),
        (1_017, "one thousand seventeen"),
        (999_999_999, "nine hundred ninety nine million nine hundred ninety nine thousand nine hundred ninety nine"),
    ],
)
def test_numbers_are_spelled_out(number: int, words: str) -> None:
    assert spelled(number) == words


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_different_numbers_are_spelled_differently(one: int, other: int) -> None:
    assert (spelled(one) == spelled(other)) == (one == other)


def test_a_text_names_caller_and_utterance() -> None:
    assert Script().text_of(3, 17, None) == "utterance seventeen of caller three"


def test_a_text_is_the_reference_of_what_was_heard() -> None:
    script = Script(text="{reference}", references={str(audio_key(SPEECH)): "my words"})
    assert script.text_of(0, 0, audio_key(SPEECH)) == "my words"
    assert script.text_of(0, 0, None) == UNKNOWN_CLIP


def test_a_clip_is_known_whatever_silence_surrounds_it() -> None:
    assert audio_key(bytes(3200) + SPEECH + bytes(16_000)) == audio_key(SPEECH)
    assert audio_key(SPEECH[1000:]) != audio_key(SPEECH)


def test_silence_has_no_key() -> None:
    assert audio_key(bytes(3200)) is None
    assert audio_key(b"") is None


@given(st.text(alphabet="ab ", max_size=40), st.integers(1, 6))
def test_pieces_hold_every_word_once_and_in_order(text: str, pieces: int) -> None:
    parts = Script(pieces=pieces).texts_of(text)
    assert len(parts) == pieces
    assert " ".join(parts).split() == text.split()


def test_a_script_survives_its_json() -> None:
    script = Script(text="x", references={"a": "b"}, fault=Fault.CLOSE, close_code=1001, mid_clip=True)
    assert Script.from_json(script.to_json()) == script
    assert Script.from_json("{}") == Script()


@pytest.mark.parametrize("content", ["", "[]", '{"fault":"fire"}', '{"delay":1}', '{"delay_s":"soon"}'])
def test_what_is_no_script_is_one_clear_problem(content: str) -> None:
    with pytest.raises(ConfigError, match=r"^script: .*") as caught:
        Script.from_json(content)
    assert len(caught.value.problems) == 1


def test_all_bad_values_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Script(loss=2, pieces=0, delay_s=-1, text="{who}", status=200)
    assert len(caught.value.problems) == 5


def test_lots_are_the_same_each_time_and_different_for_each_caller() -> None:
    script = Script(fault=Fault.STALL, faulty_ratio=0.3, loss=0.2, seed=7)
    faulty = [script.is_faulty(caller) for caller in range(1000)]
    lost = [script.is_lost(caller, utterance) for caller in range(50) for utterance in range(20)]
    assert faulty == [Script.from_json(script.to_json()).is_faulty(caller) for caller in range(1000)]
    assert 250 < sum(faulty) < 350
    assert 150 < sum(lost) < 250


def test_no_fault_and_no_loss_unless_asked_for() -> None:
    assert not any(Script().is_faulty(caller) or Script().is_lost(caller, 0) for caller in range(100))
