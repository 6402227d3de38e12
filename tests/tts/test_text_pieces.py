from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.texts import english_set
from stt_load.dialects.base import Settings
from stt_load.tts.text_pieces import encode_text, tokens_of
from stt_load.tts.text_stream import VllmOmniSpeech


def dialect(**options: object) -> VllmOmniSpeech:
    return VllmOmniSpeech(Settings(options, "client"))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_tokens_put_together_are_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


def test_a_token_is_a_word_with_the_blank_before_it_or_eight_bytes_of_a_longer_one() -> None:
    assert tokens_of("It is 3.5 degrees.") == ["It", " is", " 3.5", " degrees."]
    assert tokens_of("extraordinarily so \n") == ["extraord", "inarily", " so", " \n"]
    assert tokens_of("数字很多。") == ["数字", "很多", "。"]
    assert tokens_of("") == []


def test_english_has_about_one_token_to_a_word() -> None:
    texts = english_set().values()
    ratio = sum(len(tokens_of(text)) for text in texts) / sum(len(text.split()) for text in texts)
    assert 1.0 < ratio < 1.2


def test_a_text_is_cut_into_messages_of_so_many_tokens_at_the_pace_of_the_tokens() -> None:
    text = "One two three four five six seven"
    single = encode_text(text, dialect(), 20.0)
    assert (len(single.frames), single.frame_s) == (7, 0.05)
    by_three = encode_text(text, dialect(tokens_per_message=3), 20.0)
    sent = [json.loads(frame[0].message) for frame in by_three.frames]
    assert [message["text"] for message in sent] == ["One two three", " four five six", " seven"]
    assert by_three.frame_s == 0.15
