"""Twilio Media Streams: what a bridge is told of a call, and texts of any shape that it tells back."""

from __future__ import annotations

import base64
import json
import time
from threading import Thread
from typing import Any

import numpy as np
import pytest
from fakes import record_of
from websockets.sync.server import ServerConnection, serve

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule
from stt_load.audio.line_codecs import MULAW
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Event, Final, Ignored, Partial
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.twilio_media import TwilioMedia
from stt_load.errors import ConfigError, Outcome, ProtocolError
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session

ROW = DIALECTS["twilio-media"]
PATIENCE_S = 30.0
FRAME = FrameRule(asked_ms=20, samples=160, sample_rate_hz=8_000)
SPEECH = Clip("clip", "hello there", np.resize(np.array([8_000, -8_000], np.int16), 1_600), 8_000, 0.0, 0.2)


def twilio(*options: str, end: Any = "client") -> TwilioMedia:
    dialect = ROW.make(Settings(ROW.parse_options(options), end))
    assert isinstance(dialect, TwilioMedia)
    return dialect


class Bridge:
    """Hears calls; `calls` has the messages of each, and each is answered with one text when it stops."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def talk(self, connection: ServerConnection) -> None:
        messages: list[dict[str, Any]] = []
        self.calls.append(messages)
        for message in connection:
            messages.append(json.loads(message))
            if messages[-1]["event"] == "stop":
                connection.send(json.dumps({"event": "transcript", "text": "hello there", "is_final": True}))
                return


def call(bridge: Bridge, n_calls: int) -> list[UtteranceRecord]:
    records = []
    with serve(bridge.talk, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            for _ in range(n_calls):
                dialect = twilio("parameters=caller:+4912, plan:gold")
                audio = encode_clip(SPEECH, FRAME, 0.0, dialect)
                session = Session(dialect, audio, SessionRules(PATIENCE_S), time.monotonic())
                url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
                transport = dialect.carrier.transport_class()()
                CallerConnection(dialect, transport, url, InlineDriver()).run(session)
                records.append(record_of(*session.measure(time.monotonic())))
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)
    return records


def test_a_bridge_is_told_what_twilio_tells_and_each_call_has_names_of_its_own() -> None:
    bridge = Bridge()
    records = call(bridge, 2)
    assert [(record.outcome, record.text) for record in records] == [(Outcome.OK, "hello there")] * 2
    one, other = bridge.calls
    assert [message["event"] for message in one] == ["connected", "start", *["media"] * 10, "stop"]
    assert [message["sequenceNumber"] for message in one[1:]] == [str(n) for n in range(1, 13)]
    start = one[1]["start"]
    assert start["mediaFormat"] == {"encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1}
    assert start["customParameters"] == {"caller": "+4912", "plan": "gold"}
    assert {message["streamSid"] for message in one[1:]} == {start["streamSid"]}
    assert start["streamSid"][:2] + start["callSid"][:2] == "MZCA"
    assert len(start["streamSid"]) == 34
    assert start["streamSid"] != other[1]["start"]["streamSid"]
    assert start["callSid"] != other[1]["start"]["callSid"]
    media = [message["media"] for message in one if message["event"] == "media"]
    assert [(each["chunk"], each["timestamp"]) for each in media] == [(str(n + 1), str(20 * n)) for n in range(10)]
    payload = b"".join(base64.b64decode(each["payload"]) for each in media)
    assert payload == MULAW.encode(SPEECH.samples)


@pytest.mark.parametrize(
    ("options", "body", "event"),
    [
        ((), {"text": "a", "is_final": True}, Final("a")),
        ((), {"text": " a ", "is_final": False}, Partial("a")),
        ((), {"text": "a"}, Partial("a")),
        (("final=",), {"text": "a"}, Final("a")),
        (("final=type=final",), {"type": "final", "text": "a"}, Final("a")),
        (("final=type=final",), {"type": "interim", "text": "a"}, Partial("a")),
        (("text=a.0.b", "final=a.0.ok"), {"a": [{"b": "x", "ok": True}]}, Final("x")),
        ((), {"text": None, "is_final": True}, Final("")),
        (("final=",), {"event": "log"}, Ignored("unknown message with event")),
    ],
)
def test_texts_are_where_the_options_say(options: tuple[str, ...], body: dict[str, Any], event: Event) -> None:
    assert twilio(*options).on_message(json.dumps(body)) == (event,)


def test_a_final_text_that_is_none_is_the_bridges_fault() -> None:
    with pytest.raises(ProtocolError, match="text is not a text"):
        twilio().on_message('{"is_final": true}')


@pytest.mark.parametrize("option", ["text=", "text=a..b", "final=.x", "parameters=caller"])
def test_paths_and_parameters_that_are_none_are_refused(option: str) -> None:
    with pytest.raises(ConfigError):
        ROW.parse_options([option])
