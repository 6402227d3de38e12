"""Tags of the model are taken out, and nothing that could have been said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.model_tags import has_model_tags, says_something, without_model_tags
from stt_load.metrics.normaliser import NORMALISERS, Normaliser
from stt_load.metrics.wer import score

PRINTED = [
    "<|zh|><|NEUTRAL|><|Speech|><|woitn|>{}",
    "<|en|><|EMO_UNKNOWN|><|/Speech|>{}",
    "< | en | >< | withitn | >{}",
    "<|startoftranscript|><|en|><|transcribe|><|0.00|> {}<|2.40|><|endoftext|>",
    "<|startofcontext|><|emo:undefined|><|en|><|pnc|>{}",
    "language English<asr_text>{}",
    "language None<asr_text>{}",
    "Language Chinese, English<asr_text>{}</asr_text>",
    "<asr_text>{}<|im_end|>",
    "<s> {} </s>",
    "{} <unk>",
    "{}<EOU>",
    "{} <en-US>",
    "<zh><CN><asr><0.00> {}<2.32><eos>",
    "[_BEG_] {}[_TT_50]",
    "{} [BLANK_AUDIO]",
    "{} [ BLANK_AUDIO ]",
]


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=lambda normaliser: normaliser.name)
@pytest.mark.parametrize("printed", PRINTED)
@pytest.mark.parametrize("said", ["the weather is nice", "今天天气很好", "สวัสดีครับ"])
def test_tags_are_no_words_under_any_normaliser(printed: str, said: str, normaliser: Normaliser) -> None:
    assert has_model_tags(printed.format(said))
    assert score(said, printed.format(said), normaliser).word_errors == 0
    assert score(printed.format(said), said, normaliser).word_errors == 0


@pytest.mark.parametrize(
    "said",
    [
        "is 3 < 5 or 7 > 6",
        "a language English speakers know",
        "<3 you",
        "the <b> tag",
        "press [enter] twice",
        "<p>",
        "a || b",
        "x <| y",
        "<laughter>",
    ],
)
def test_what_may_have_been_said_stays(said: str) -> None:
    assert without_model_tags(said) == said
    assert not has_model_tags(said)


def test_a_comparison_that_was_read_out_is_no_bracket_of_the_english_rules() -> None:
    assert score("is 5 < 7 and 9 > 3", "is 5 7 and 9 3").word_errors == 0
    assert score("is 5 < 7 and 9 > 3", "is 5").word_errors > 0


@pytest.mark.parametrize(
    ("text", "says"),
    [("<|nospeech|><|EMO_UNKNOWN|>", False), (" ", False), ("", False), ("<|en|>a", True), ("...", True)],
)
def test_a_text_of_nothing_but_tags_says_nothing(text: str, says: bool) -> None:
    assert says_something(text) is says


def test_an_unknown_word_is_still_an_error() -> None:
    assert score("the red lamp", "the <unk> lamp").deletions == 1


@given(st.text(st.sampled_from("<|>[]/ _.0ab语\n") | st.characters(), max_size=40))
def test_a_text_with_nothing_to_take_out_is_the_same_text(text: str) -> None:
    assert (without_model_tags(text) != text) == has_model_tags(text)
