"""Server-sent events, in three shapes, however they are cut into pieces."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ProtocolError
from stt_load.session.sse import EventFrames
from stt_load.uploads.answers import UploadAnswer
from stt_load.uploads.event_reader import EventReader

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
        (SEGMENTS, "one two", ((2.0, "one"), (3.0, "two"))),
        (WHISPERLIVE, "one two", ((1.0, "one"), (2.0, "two"))),
    ],
    ids=["openai", "vllm", "speaches", "whisperlive"],
)
def test_each_shape_gives_its_text_and_when_the_first_words_came(events: Events, text: str, messages: object) -> None:
    answer = read(events)
    assert (answer.text, answer.messages, answer.is_whole) == (text, messages, True)
    assert answer.first_text_at_s == next(at for at, e in enumerate(events, 1) if "one" in json.dumps(e))


@pytest.mark.parametrize("events", [OPENAI[:-1], VLLM[:-1]], ids=["openai", "vllm"])
def test_an_answer_without_the_event_that_ends_it_is_not_whole(events: Events) -> None:
    assert not read(events).is_whole


def test_no_text_at_all_has_no_first_text() -> None:
    answer = read([{"type": "transcript.text.done", "text": ""}])
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
