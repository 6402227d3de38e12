"""The times of words as each protocol tells them, in the shapes that its SDK, documents or code have."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest

from stt_load.dialects.base import DEFAULTS, AudioLength, Settings
from stt_load.dialects.events import CumulativeTranscript, Final, Message, Partial, ServerWord
from stt_load.dialects.kyutai import Kyutai
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.wire import timed_words

TWO = (ServerWord("seven", 0.25, 0.5), ServerWord("words", 0.5, 1.0))


def _deepgram(**said: Any) -> str:
    words = [{"word": word.text, "start": word.start_s, "end": word.end_s, "confidence": 0.9} for word in TWO]
    channel = {"alternatives": [{"transcript": "seven words", "words": words}]}
    return json.dumps({"type": "Results", "channel_index": [0, 1], "channel": channel, "start": 0.0} | said)


def _assemblyai(**said: Any) -> str:
    words = [{"text": "seven", "start": 250, "end": 500}, {"text": "words", "start": 500, "end": 1_000}]
    return json.dumps({"type": "Turn", "turn_order": 0, "transcript": "seven words", "words": words} | said)


def _speechmatics(kind: str) -> str:
    results: list[dict[str, Any]] = [
        {
            "type": "word",
            "start_time": word.start_s,
            "end_time": word.end_s,
            "alternatives": [{"content": word.text, "confidence": 1.0}],
        }
        for word in TWO
    ]
    stop = {"type": "punctuation", "start_time": 1.0, "end_time": 1.0, "alternatives": [{"content": "."}]}
    body = {"message": kind, "metadata": {"transcript": "seven words. "}, "results": [*results, stop]}
    return json.dumps(body)


def _sherpa(**said: Any) -> str:
    body = {"text": "SEVEN WORDS", "tokens": [" SE", "VEN", " WORDS"], "timestamps": [0.25, 0.3, 0.5]}
    return json.dumps(body | {"segment": 0, "start_time": 0.0, "is_final": False, "is_eof": False} | said)


VOSK = {"result": [{"conf": 1.0, "word": word.text, "start": word.start_s, "end": word.end_s} for word in TWO]}
WHISPER = [
    {"start": "0.250", "end": "0.500", "text": " seven", "completed": True},
    {"start": "0.500", "end": "1.000", "text": " words", "completed": False},
]


@pytest.mark.parametrize(
    ("name", "message", "words"),
    [
        ("deepgram", _deepgram(is_final=True), TWO),
        ("deepgram", _deepgram(is_final=False), TWO[1:]),
        ("assemblyai", _assemblyai(end_of_turn=True), TWO),
        ("assemblyai", _assemblyai(end_of_turn=False), TWO[1:]),
        ("speechmatics", _speechmatics("AddTranscript"), TWO),
        ("vosk", json.dumps(VOSK | {"text": "seven words"}), TWO),
        ("vosk", json.dumps({"alternatives": [VOSK | {"text": "seven words"}]}), TWO),
        ("whisperlive", json.dumps({"uid": "1", "segments": WHISPER}), TWO),
        ("sherpa-onnx", _sherpa(), (ServerWord("SEVEN", 0.25), ServerWord("WORDS", 0.5))),
        ("sherpa-onnx", _sherpa(start_time=2.0), (ServerWord("SEVEN", 2.25), ServerWord("WORDS", 2.5))),
        ("sherpa-onnx", _sherpa(tokens=["▁A", "▁B"], timestamps=[0.25]), (ServerWord("A", 0.25),)),
        ("sherpa-onnx", json.dumps({"text": "seven", "segment": 0}), ()),
        ("kyutai", msgpack.packb({"type": "Word", "text": "seven", "start_time": 0.25}), (ServerWord("seven", 0.25),)),
        ("kyutai", msgpack.packb({"type": "Word", "text": "seven"}), ()),
    ],
)
def test_the_times_of_words_are_read_as_the_protocol_has_them(
    name: str, message: Message, words: tuple[ServerWord, ...]
) -> None:
    dialect = DIALECTS[name].make(DEFAULTS)
    dialect.begin(AudioLength(1, 1_600))
    told = [event for event in dialect.read(message) if isinstance(event, (Partial, Final, CumulativeTranscript))]
    assert [tuple(event.words) for event in told] == [words]


@pytest.mark.parametrize("words", [None, 7, "x", [None, 7, {}, {"word": 1, "start": 2}], [{"word": "x", "start": "2"}]])
def test_times_that_are_none_cost_no_message(words: object) -> None:
    assert timed_words(words, "word", "start", "end") == ()
    body = json.loads(_deepgram(is_final=True))
    body["channel"]["alternatives"][0]["words"] = words
    (final,) = DIALECTS["deepgram"].make(DEFAULTS).read(json.dumps(body))
    assert final == Final("seven words")


def test_silence_that_a_dialect_sends_itself_is_audio_of_the_connection_too() -> None:
    dialect = Kyutai(Settings(DIALECTS["kyutai"].parse_options(["leading_silence=1"])))
    dialect.begin(AudioLength(1, 1_920))
    assert dialect.audio_begun_s == pytest.approx(1.04)  # 13 steps of 80 ms
