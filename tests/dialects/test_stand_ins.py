"""Every dialect over a real socket, against the server that stands in for the real one, traps included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import requests
from fakes import record_of
from servers.start import start_stand_in

from stt_load.audio.clip import Clip
from stt_load.audio.framing import choose_frame
from stt_load.credentials import Credentials
from stt_load.dialects.base import End, Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.row import DialectRow
from stt_load.errors import Outcome, Refusal
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.process import ServerProcess
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.session.session import Session

pytestmark = pytest.mark.slow

WORDS = "seven words that no clip has said"
TIMEOUT_S = 20.0
KEY = "open sesame"


class Caller:
    """A connection of our client to a stand-in, and a second of sound to send: long enough for every server."""

    def __init__(self, server: ServerProcess, row: DialectRow, end: End, key: str | None = None) -> None:
        self.dialect = row.make(Settings(end=end, credentials=Credentials(key)))
        self.able = self.dialect.capabilities
        utterances = 2 if self.able.many_utterances else 1
        transport = self.dialect.carrier.transport_class()()
        self.connection = CallerConnection(self.dialect, transport, server.url, InlineDriver(), utterances)

    @property
    def audio(self) -> EncodedClip:
        silence_s = 0.0 if self.dialect.settings.end == "client" else self.able.trailing_silence_s
        rule = choose_frame(100, self.able.sample_rate_hz, self.able.frame_multiple_bytes)
        return encode_clip(sound(self.able.sample_rate_hz), rule, silence_s, self.dialect)

    def speak(self) -> UtteranceRecord:
        session = Session(self.dialect, self.audio, SessionRules(TIMEOUT_S), time.monotonic())
        self.connection.run(session)
        return record_of(*session.measure(time.monotonic()), self.connection.latest_use, reference=WORDS)


def sound(rate_hz: int) -> Clip:
    """1.2 s, of which 0.3 to 1.2 are loud."""
    times_s = np.arange(round(1.2 * rate_hz)) / rate_hz
    samples = np.where(times_s < 0.3, 0.0, 8_000 * np.sin(2 * np.pi * 220 * times_s))
    return Clip("sound", WORDS, samples.astype(np.int16), rate_hz, 0.3, 1.2)


@dataclass
class Conversation:
    """Two utterances, on one connection where the server allows it, and how much audio the server received."""

    records: list[UtteranceRecord]
    heard_s: float
    frame_s: float


@dataclass
class Heard:
    """What one server was told by callers of one dialect, and what they were told."""

    conversations: dict[End, Conversation]  # in each way that an utterance can end
    refused: UtteranceRecord | None  # a caller with a wrong key; None where the server asks for none


def converse(row: DialectRow) -> Heard:
    key = KEY if row.takes_key else None
    with start_stand_in(row.name, WORDS, *(("--api-key", key) if key else ())) as server:
        refused = Caller(server, row, row.capabilities.ends[0], "wrong").speak() if key else None
        return Heard({end: converse_with(server, row, end, key) for end in row.capabilities.ends}, refused)


def converse_with(server: ServerProcess, row: DialectRow, end: End, key: str | None) -> Conversation:
    def heard_s() -> float:
        return float(requests.get(f"{server.http_url}/healthz", timeout=TIMEOUT_S).json()["heard_s"])

    before_s, caller = heard_s(), Caller(server, row, end, key)
    records = [caller.speak()]
    while caller.connection.prepare_reuse():
        records.append(caller.speak())
    return Conversation(records, heard_s() - before_s, caller.audio.rule.frame_s)


ROWS = [row for row in DIALECTS.values() if row.name in SERVER_DIALECTS]  # a dialect needs no stand-in
ENDS = [(row, end) for row in ROWS for end in row.capabilities.ends]


@pytest.fixture(scope="module")
def heard() -> Iterator[dict[str, Future[Heard]]]:
    """All servers at once: each caller waits for its own microphone."""
    with ThreadPoolExecutor(4) as pool:
        yield {row.name: pool.submit(converse, row) for row in ROWS}


each_end = pytest.mark.parametrize(
    ("row", "end"), ENDS, ids=lambda value: value.name if isinstance(value, DialectRow) else value
)


def test_every_stand_in_is_one_for_a_dialect() -> None:
    assert set(SERVER_DIALECTS) <= set(DIALECTS)


@each_end
def test_every_utterance_is_heard_whole_and_its_text_comes_back(
    heard: dict[str, Future[Heard]], row: DialectRow, end: End
) -> None:
    conversation = heard[row.name].result().conversations[end]
    texts = [(record.outcome, record.error, record.text.lower().rstrip(".")) for record in conversation.records]
    assert texts == [(Outcome.OK, None, WORDS)] * len(conversation.records)
    assert all(record.eos_latency_s is not None for record in conversation.records)
    assert len(conversation.records) == (2 if row.make(Settings(end=end)).capabilities.many_utterances else 1)
    assert [record.connect_s is None for record in conversation.records] == [False, True][: len(conversation.records)]
    assert conversation.heard_s == pytest.approx(
        sum(record.audio_s for record in conversation.records), abs=2 * conversation.frame_s
    )


@pytest.mark.parametrize("row", [row for row in ROWS if row.takes_key], ids=lambda row: row.name)
def test_wrong_credentials_are_a_refusal_for_that_reason(heard: dict[str, Future[Heard]], row: DialectRow) -> None:
    refused = heard[row.name].result().refused
    assert refused is not None
    assert (refused.outcome, refused.refusal) == (Outcome.REFUSED, Refusal.AUTH)
