"""Every dialect over a real socket, against the server that stands in for the real one, traps included."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
import requests

from stt_load.audio.framing import choose_frame
from stt_load.audio.library import default_clips
from stt_load.dialects.base import Dialect, End, Settings
from stt_load.dialects.registry import DIALECTS, DialectRow
from stt_load.errors import Outcome, Refusal
from stt_load.records import UtteranceRecord
from stt_load.server.process import ServerProcess, stand_in_server
from stt_load.server.voices.registry import VOICES
from stt_load.stream.actions import SessionRules
from stt_load.stream.encoded import EncodedClip, encode_clip
from stt_load.stream.runner import run_utterance
from stt_load.stream.session import Session
from stt_load.stream.ws import WebSocketTransport

WORDS = "seven words that no clip has said"
TIMEOUT_S = 20.0
KEY = "open sesame"

each_end = pytest.mark.parametrize(
    ("row", "end"),
    [(row, end) for row in DIALECTS.values() for end in row.capabilities.ends],
    ids=lambda value: value.name if isinstance(value, DialectRow) else value,
)
each_dialect = pytest.mark.parametrize("row", DIALECTS.values(), ids=lambda row: row.name)


@dataclass
class Line:
    """One caller's connection, and what it says: a clip with one second of silence before it, so that speech starts
    late enough for every server, without a pause in which a server would end a turn."""

    dialect: Dialect
    url: str
    transport: WebSocketTransport
    is_open: bool = False

    @property
    def audio(self) -> EncodedClip:
        able = self.dialect.capabilities
        clip = default_clips(able.sample_rate_hz).clips[0]
        silence_s = 0.0 if self.dialect.settings.end == "client" else able.trailing_silence_s
        rule = choose_frame(100, able.sample_rate_hz, able.frame_multiple_bytes)
        return encode_clip(clip, rule, silence_s, self.dialect)

    def speak(self, keeps_open: bool = False) -> UtteranceRecord:
        session = Session(self.dialect, self.audio, SessionRules(TIMEOUT_S), time.monotonic())
        target = self.dialect.connect(self.url)
        run_utterance(session, self.transport, target, time.monotonic, is_open=self.is_open, keeps_open=keeps_open)
        self.is_open = keeps_open
        record = UtteranceRecord("run", 0, 0, 0, "hold", 1, "clip", WORDS)
        session.measure_into(record, time.monotonic())
        return record


def line_to(server: ServerProcess, row: DialectRow, end: End, key: str | None = None) -> Line:
    return Line(row.make(Settings(end=end, api_key=key)), server.url, WebSocketTransport())


def test_every_dialect_has_a_stand_in() -> None:
    assert set(VOICES) == set(DIALECTS)


@each_end
def test_an_utterance_is_heard_whole_and_its_text_comes_back(row: DialectRow, end: End) -> None:
    with stand_in_server(row.name, WORDS) as server:
        line = line_to(server, row, end)
        record = line.speak()
        health = requests.get(f"{server.http_url}/healthz", timeout=TIMEOUT_S).json()
    assert (record.outcome, record.error, record.text.lower().rstrip(".")) == (Outcome.OK, None, WORDS)
    assert record.eos_latency_s is not None
    sent_s = record.audio_s
    assert health["heard_s"] == pytest.approx(sent_s, abs=line.audio.rule.frame_s)


@each_end
def test_a_connection_carries_two_utterances_where_the_server_allows_it(row: DialectRow, end: End) -> None:
    if not row.capabilities.many_utterances:
        pytest.skip(f"{row.name} takes one utterance a connection")
    with stand_in_server(row.name, WORDS) as server:
        line = line_to(server, row, end)
        records = [line.speak(keeps_open=True), line.speak()]
    assert [(record.outcome, record.text.lower().rstrip(".")) for record in records] == [(Outcome.OK, WORDS)] * 2
    assert records[1].connect_s is None


@each_dialect
def test_wrong_credentials_are_a_refusal_for_that_reason(row: DialectRow) -> None:
    with stand_in_server(row.name, WORDS, "--api-key", KEY) as server:
        refused, welcome = (line_to(server, row, row.capabilities.ends[0], key).speak() for key in ("wrong", KEY))
    assert (refused.outcome, refused.refusal) == (Outcome.REFUSED, Refusal.AUTH)
    assert welcome.outcome == Outcome.OK
