from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stt_load.text.whole_characters import with_whole_characters

ANY_LETTER = st.characters(codec=None, exclude_categories=())


def test_two_halves_are_a_character_and_one_is_replaced_wherever_they_stand() -> None:
    value = {"\ud83d": ["a\ud83d\ude00", {"b": "\ude00c"}, 1, None, True]}
    assert with_whole_characters(value) == {"\ufffd": ["a\U0001f600", {"b": "\ufffdc"}, 1, None, True]}


@given(st.text(ANY_LETTER))
def test_every_text_can_be_written_and_one_that_could_be_is_left_alone(text: str) -> None:
    whole = with_whole_characters(text)
    assert whole.encode().decode() == whole
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert whole == text
