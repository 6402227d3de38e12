"""Server-sent events, in each of their shapes, however they are cut into pieces."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ProtocolError
from stt_load.session.sse import EventFrames
from stt_load.uploads.answers import UploadAnswer
from stt_load.uploads.event_reader import EventReader, reader_of

OPENAI = [
    {"type": "transcript.text.delta", "delta": ""},
    {"type": "transcript.text.delta", "delta": "one"},
    {"type": "transcript.text.segment", "text": "one two"},
    {"type": "transcript.text.delta", "delta": " two"},
    {"type": "transcript.text.done", "text": "One two.", "usage": {"type": "tokens"}},
]
VLLM = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"content": " one"}}]},
    {"choices": [{"delta": {"content": " two"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"completion_tokens": 2}},
    "[DONE]",
]
SPEACHES = [
    {"type": "transcript.text.delta", "delta": " one", "logprobs": None},
    {"type": "transcript.text.delta", "delta": " two", "logprobs": None},
    {"type": "transcript.text.done", "text": "", "logprobs": None},
]
SEGMENTS = [{"text": ""}, {"text": " one "}, {"text": "two"}]
WHISPERLIVE = [
    {"id": 0, "start": 0, "end": 1, "text": " one"},
    {"id": 1, "start": 1, "end": 2, "text": " two"},
    "[DONE]",
]

Events = list[object]


def wire(events: Events) -> bytes:
    return "".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in events).encode()


def read(events: Events) -> UploadAnswer:
    """The first event at 1 s, the next at 2 s."""
    reader = EventReader()
    for at_s, event in enumerate(events, 1):
        reader.feed(wire([event]), float(at_s))
    return reader.close()


@pytest.mark.parametrize(
    ("events", "text", "messages"),
    [
        (OPENAI, "One two.", ((5.0, "One two."),)),
        (VLLM, "one two", ((5.0, "one two"),)),
        (SPEACHES, "one two", ((3.0, "one two"),)),
        (SEGMENTS, "one two", ((2.0, "one"), (3.0, "two"))),
        (WHISPERLIVE, "one two", ((1.0, "one"), (2.0, "two"))),
    ],
    ids=["openai", "vllm", "speaches", "segments", "whisperlive"],
)
def test_each_shape_gives_its_text_and_when_the_first_words_came(events: Events, text: str, messages: object) -> None:
    answer = read(events)
    assert (answer.text, answer.messages, answer.is_whole) == (text, messages, True)
    assert answer.first_text_at_s == next(at for at, e in enumerate(events, 1) if "one" in json.dumps(e))


@pytest.mark.parametrize("events", [OPENAI[:-1], VLLM[:-1], SPEACHES[:-1]], ids=["openai", "vllm", "speaches"])
def test_an_answer_without_the_event_that_ends_it_is_not_whole(events: Events) -> None:
    assert not read(events).is_whole


def test_tags_of_the_model_are_no_first_words() -> None:
    answer = read([{"text": "<|en|>"}, {"text": "<|0.00|> one"}])
    assert answer.first_text_at_s == 2


@pytest.mark.parametrize("text", ["", None, 7])
def test_no_text_at_all_has_no_first_text(text: object) -> None:
    answer = read([{"type": "transcript.text.done", "text": text}])
    assert (answer.text, answer.first_text_at_s, answer.messages, answer.is_whole) == ("", None, (), True)


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "out of memory"}},
        {"type": "error", "message": "out of memory"},
        {"error": "out of memory"},
    ],
)
def test_an_error_event_is_told(event: object) -> None:
    assert read([SEGMENTS[1], event]).error == "out of memory"


def test_an_event_of_no_known_shape_says_nothing() -> None:
    answer = read([{"type": "keepalive"}, {"choices": [None, {"delta": 3}]}, {"text": 3}, *SEGMENTS])
    assert answer.text == "one two"


@pytest.mark.parametrize("event", ["{", "3", "[1]"])
def test_an_event_that_is_no_object_is_the_servers_fault(event: str) -> None:
    with pytest.raises(ProtocolError):
        read([event])


def test_bare_texts_are_segments_where_text_was_asked_for() -> None:
    """An event that is an object stays one: an error, or a server that doesn't do text."""
    reader = reader_of("text/event-stream; charset=utf-8", "text")
    for at_s, data in enumerate([" Please bring", "", "3", "chairs.\ndata: Now", '{"text": "go"}', "[DONE]"], 1):
        reader.feed(f"data: {data}\n\n".encode(), float(at_s))
    answer = reader.close()
    assert answer.text == "Please bring 3 chairs. Now go"
    assert [text for _, text in answer.messages] == ["Please bring", "3", "chairs. Now", "go"]
    assert (answer.first_text_at_s, answer.is_whole) == (1.0, True)


def test_a_character_that_is_cut_over_two_deltas_is_whole_again() -> None:
    halves = ['"one \\ud83d"', '"\\ude00 two \\ud83d"']
    answer = read([f'{{"type": "transcript.text.delta", "delta": {half}}}' for half in halves] + ["[DONE]"])
    assert (answer.text, answer.is_whole) == ("one \U0001f600 two \ufffd", True)
    assert answer.text.encode()


@pytest.mark.parametrize(
    ("content_type", "asked_for", "body", "text"),
    [
        ("text/html; charset=utf-8", "text", " one two\n", "one two"),
        ("", "text", "one two", "one two"),
        ("application/octet-stream", "text", "one two", "one two"),
        ("application/json", "text", "one two", "one two"),
        ("text/plain", "text", '{"text": "one two"}', "one two"),
        ("text/plain", "json", '{"text": "one two"}', "one two"),
        ("text/plain", None, "one two", "one two"),
        ("text/html", "json", '{"text": "one two"}', "one two"),
    ],
)
def test_a_whole_body_is_read_by_its_type_and_by_what_was_asked_for(
    content_type: str, asked_for: str | None, body: str, text: str
) -> None:
    reader = reader_of(content_type, asked_for)
    reader.feed(body.encode(), 1.0)
    assert reader.close().text == text


@pytest.mark.parametrize("content_type", ["text/html", "", "application/json"])
def test_bare_text_that_nobody_asked_for_is_no_json(content_type: str) -> None:
    reader = reader_of(content_type, "json")
    reader.feed(b"one two", 1.0)
    with pytest.raises(ProtocolError, match="neither JSON nor text"):
        reader.close()


def test_timings_of_any_event_are_passed_on() -> None:
    assert read([{"text": "one", "timings_ms": {"decode": 5}}]).server_ms == {"decode": 5.0}


@given(cuts=st.lists(st.integers(0, 400), max_size=8), crlf=st.booleans())
def test_it_makes_no_difference_how_the_bytes_are_cut(cuts: list[int], crlf: bool) -> None:
    data = b": keep-alive\n\nevent: x\nid: 3\n" + wire(OPENAI)
    data = data.replace(b"\n", b"\r\n") if crlf else data
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    frames = EventFrames()
    events = [e for a, b in itertools.pairwise(edges) for e in frames.feed(data[a:b])]
    assert [json.loads(event) for event in [*events, *frames.close()]] == OPENAI


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"\n\n\n", []),
        (b"event: ping\n\n", []),
    ],
)
def test_framing_is_that_of_the_standard_and_a_last_event_may_lack_its_blank_line(
    data: bytes, events: list[bytes]
) -> None:
    frames = EventFrames()
    assert [*frames.feed(data), *frames.close()] == events


@pytest.mark.parametrize("audio_s", [0.0, 100.0])
def test_an_answer_has_no_more_events_than_its_clip_has_words(audio_s: float) -> None:
    reader, event = EventReader(audio_s=audio_s), b'data: {"type":"transcript.text.delta","delta":"word "}\n\n'
    most = 5_000 + round(150 * audio_s)
    for _ in range(most // 2):
        reader.feed(event, 0.0)
    with pytest.raises(ProtocolError, match=f"more than {most:,} lines of events"):
        reader.feed(event, 0.0)
