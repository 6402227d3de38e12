"""What the general suites can't see of Parakeet: the traps of the original."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import websocket
from servers.start import start_stand_in

from stt_load.server.dialects.parakeet import ParakeetServer
from stt_load.server.server_dialect import FeedAudio, RecognisedSegment, SendMessage, UpgradeRequest

ORIGINAL = UpgradeRequest("/ws", {"original": "1"})


def said(text: str) -> RecognisedSegment:
    return RecognisedSegment(text, 0.0, 1.0, {})


@pytest.fixture
def pair() -> Iterator[tuple[ParakeetServer, ParakeetServer]]:
    older, newer = ParakeetServer(ORIGINAL), ParakeetServer(ORIGINAL)
    older.on_open()
    newer.on_open()
    yield older, newer
    older.on_closed()
    newer.on_closed()


def test_the_original_loses_what_is_left_of_a_frame() -> None:
    assert ParakeetServer(ORIGINAL).on_message(bytes(3_200)) == (FeedAudio(bytes(3_072)),)
    assert ParakeetServer(ORIGINAL).on_message(bytes(640)) == (FeedAudio(b""),)
    assert ParakeetServer(UpgradeRequest("/ws")).on_message(bytes(3_200)) == (FeedAudio(bytes(3_200)),)


def test_the_oldest_caller_of_the_original_gets_everybodys_texts(pair: tuple[ParakeetServer, ParakeetServer]) -> None:
    older, newer = pair
    assert (older.on_text(said("mine")), newer.on_text(said("yours"))) == ((), ())
    assert newer.on_tick() == ()
    assert older.on_tick() == [SendMessage('{"text": "mine"}'), SendMessage('{"text": "yours"}')]
    assert older.on_tick() == []


def test_when_the_oldest_has_left_the_next_one_takes_them(pair: tuple[ParakeetServer, ParakeetServer]) -> None:
    older, newer = pair
    older.on_text(said("late"))
    older.on_closed()
    assert newer.on_tick() == [SendMessage('{"text": "late"}')]


def test_over_real_sockets_a_caller_hears_another_ones_words() -> None:
    speech = b"\x00\x20\x00\xe0" * 8_192 + bytes(16_384)  # a second of noise, half a second of silence
    with start_stand_in("parakeet", "somebody said this") as server, ThreadPoolExecutor(1) as pool:
        older, newer = (websocket.create_connection(f"{server.url}?original=1", timeout=10) for _ in range(2))
        hears = pool.submit(older.recv)
        newer.send_binary(speech)
        assert newer.recv() == '{"status":"queued"}'
        assert hears.result(10) == '{"text": "somebody said this"}'
        older.close()
        newer.close()
