"""TingWu's realtime websocket: binary int16 PCM in, damaged partials and one offline final an utterance out.

Server: skygazer42/TingWu at 0e69172 (2026-02-20), `src/api/routes/websocket.py`, `src/api/ws_manager.py`,
`docs/API.md`. Websocket at `/ws/realtime` of port 8000, no credentials. It chooses no subprotocol. It never closes.
Spoken to with its models replaced.

What a client must know:

- `{"is_speaking": false}` alone triggers nothing: the offline pass runs while the *next binary frame* is handled. An
  empty one right behind it is enough. The server's own client and documentation send none, and wait in vain.
- An empty text has no final at all, and neither has a pass that failed (it is only logged): both end in a timeout.
- `is_speaking` is false at first and again after each final; then every single frame is an utterance of its own. So
  the config, with `is_speaking` true, goes before each utterance.
- `chunk_interval` counts frames, not milliseconds: here it is what makes `chunk_ms` of the frames that are sent.
- The partials are damaged (its merger of overlaps eats characters), and a final shorter than 0.8 of the partials has
  their rest glued to it. Mode `online` has nothing but partials, loses the last frames and never says that it has
  done: there is no transcript to measure, so it isn't offered here.
- Every pass runs on the event loop: one caller's pass stalls all the others, their heartbeats and /health too.
- `{"type":"ping"}` every 30 s wants `{"type":"pong"}`; nothing happens without.
- JSON that is not an object ends the connection without a closing handshake; broken JSON is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.base import AudioLength, Capabilities, Dialect
from stt_load.dialects.events import Event, Final, Ignored, Message, Ready, Reply
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import interim_text, parse_object, partial, text_of, try_object, unknown
from stt_load.option_values import one_of, parse_milliseconds

RATE_HZ = 16_000
MODES = ("2pass-online", "2pass-offline", "online", "offline")


class TingWu(Dialect):
    """One connection to TingWu."""

    options = (
        DialectOption(
            "mode", "2pass", "2pass: partials while one speaks; offline: the final alone", one_of("2pass", "offline")
        ),
        DialectOption("hotwords", "", "words to listen for, with blanks between them"),
        DialectOption("chunk_ms", "600", "audio from one partial to the next, told in frames", parse_milliseconds),
    )
    capabilities = Capabilities(has_ready=True, ends=("client",), many_utterances=True)

    def begin(self, length: AudioLength) -> Sequence[Message]:
        config = {
            "is_speaking": True,
            "mode": self.option["mode"],
            "chunk_interval": length.frames_for(self.option["chunk_ms"] / 1000 * RATE_HZ),
        }
        if self.option["hotwords"]:
            config["hotwords"] = self.option["hotwords"]
        return (json.dumps(config, ensure_ascii=False),)

    def finalise(self) -> Sequence[Message]:
        return (json.dumps({"is_speaking": False}), b"")

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("type"):
            case "connected":
                return (Ready(),)
            case "ping":
                return (Reply((json.dumps({"type": "pong"}),)),)
        if "text" in body:
            if body.get("is_final") is True:
                return (Final(text_of(body, "text"), is_last=True),)
            return partial(interim_text(body, "text"))
        if "warning" in body:
            return (Ignored(f"a warning: {body['warning']}"),)
        return (unknown(body),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        if body.get("type") == "connected":
            return body.keys() == {"type", "connection_id", "config"}
        if "warning" in body:
            return body.keys() == {"warning", "backend"}
        return body.keys() == {"mode", "text", "is_final"} and body["mode"] in MODES
