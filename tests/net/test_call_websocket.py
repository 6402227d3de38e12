"""The numbers and names of a telephone call, by an agent behind a real websocket that keeps what it is sent."""

from __future__ import annotations

import base64
import json
import time
from threading import Thread
from typing import Any

import numpy as np
from fakes import record_of
from websockets.sync.server import ServerConnection, serve

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule
from stt_load.conversation.microphone import MicrophoneFrames
from stt_load.conversation.registry import CONVERSATIONS
from stt_load.conversation.session import Turn, TurnRules
from stt_load.conversation.twilio import TwilioConversation
from stt_load.dialects.base import Settings
from stt_load.errors import Outcome
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.session.encoded_clip import encode_clip

PATIENCE_S = 30.0
FRAME = FrameRule(asked_ms=20, samples=160, sample_rate_hz=8_000)
SPEECH = Clip("clip", "hello", np.resize(np.array([8_000, -8_000], np.int16), 800), 8_000, 0.0, 0.1)
ANSWER = base64.b64encode(b"\x10\x90" * 400).decode()  # 0.1 s, loud
ANSWERED_AFTER = (10, 60)  # frames of the call


def test_a_call_of_two_turns_counts_on_over_frames_and_marks_and_ends_with_a_stop() -> None:
    heard: list[dict[str, Any]] = []

    def talk(connection: ServerConnection) -> None:
        for message in connection:
            heard.append(json.loads(message))
            if heard[-1]["event"] == "media" and int(heard[-1]["media"]["chunk"]) in ANSWERED_AFTER:
                connection.send(json.dumps({"event": "media", "media": {"payload": ANSWER}}))
                connection.send(json.dumps({"event": "mark", "mark": {"name": " 100 % {played} "}}))

    row = CONVERSATIONS["conversation-twilio"]
    dialect = row.make(Settings(row.parse_options(["quiet_ms=300", "parameters=plan:gold"])))
    assert isinstance(dialect, TwilioConversation)
    audio = encode_clip(SPEECH, FRAME, 0.0, dialect)
    silence = tuple(map(dialect.carrier.prepared_class(), dialect.encode(bytes(FRAME.frame_bytes))))
    with serve(talk, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        caller = CallerConnection(dialect, dialect.carrier.transport_class()(), url, InlineDriver(), utterances=2)
        for number in range(2):
            turn = Turn(dialect, audio, MicrophoneFrames(audio, silence), TurnRules(PATIENCE_S), time.monotonic())
            assert not number or caller.prepare_reuse()
            caller.run(turn)
            record = record_of(*turn.measure(time.monotonic()), caller.latest_use)
            assert (record.outcome, record.connection_utterance) == (Outcome.OK, number), record.error
        server.shutdown()
        thread.join(PATIENCE_S)
    events = [message["event"] for message in heard]
    assert (events[:2], events[-1], events.count("start"), events.count("mark")) == (
        ["connected", "start"],
        "stop",
        1,
        2,
    )
    assert [message["sequenceNumber"] for message in heard[1:]] == [str(n) for n in range(1, len(heard))]
    media = [message["media"] for message in heard if message["event"] == "media"]
    assert [(each["chunk"], each["timestamp"]) for each in media] == [
        (str(n + 1), str(20 * n)) for n in range(len(media))
    ]
    start = heard[1]["start"]
    assert (start["streamSid"][:2], len(start["streamSid"]), start["customParameters"]) == ("MZ", 34, {"plan": "gold"})
    assert {message["streamSid"] for message in heard[1:]} == {start["streamSid"]}
    assert {message["mark"]["name"] for message in heard if message["event"] == "mark"} == {" 100 % {played} "}
