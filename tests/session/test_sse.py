"""Server-sent events, fed in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ProtocolError
from stt_load.session.sse import MOST_LINES, EventFrames

STREAM = (
    b": a comment\r\n\r\ndata: one\r\n\r\n\n"
    b"event: delta\nid: 7\ndata:two\ndata:  and more\n\n\n\n"
    b"data: {}\n\ndata: last"
)
EVENTS = [b"one", b"two\n and more", b"{}", b"last"]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    frames, events, begin = EventFrames(), [], 0
    for end in [*sorted(cuts), len(STREAM)]:
        events += frames.feed(STREAM[begin:end])
        begin = end
    assert [*events, *frames.close()] == EVENTS


def test_an_event_is_given_as_soon_as_its_blank_line_has_come() -> None:
    frames = EventFrames()
    assert list(frames.feed(b"data: one\n")) == []
    assert list(frames.feed(b"\n")) == [b"one"]
    assert list(frames.close()) == []


def test_a_line_without_an_end_is_refused() -> None:
    frames = EventFrames()
    with pytest.raises(ProtocolError, match="an event of more than 16,777,216 bytes"):
        for _ in range(18):
            list(frames.feed(b"x" * (1 << 20)))


def test_an_answer_of_nothing_but_events_ends() -> None:
    frames = EventFrames()
    with pytest.raises(ProtocolError, match="more than 60,000 lines of events"):
        for _ in range(MOST_LINES):
            list(frames.feed(b"data: x\n\n"))
