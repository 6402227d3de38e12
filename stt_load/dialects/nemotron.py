"""Nemotron Speech server of pipecat: binary int16 PCM in, the transcript so far and one final a turn out.

Server: pipecat-ai/nemotron-january-2026 at 70363cd (2026-01-07), `src/nemotron_speech/server.py`; its own client is
`pipecat_bots/nvidia_stt.py`. Plain websocket at `/` of port 8080, no credentials. Spoken to with its model replaced.

What a client must know:

- It greets with `{"type":"ready"}`, once its model is free to prepare a session.
- `transcript` with `is_final` false is the whole text since the last hard reset, and comes only when it has changed.
- It has no endpointer: a turn ends by `{"type":"reset"}` (or `"end"`, the same). Hard (`"finalize": true`, the default)
  pads the audio with (right context + 1) x 160 ms of silence, recognises the rest, answers with one final, possibly
  empty, and forgets everything. Soft (`false`) answers at once with the text as it stands, without the last words, and
  forgets nothing: the next turn's text begins with this one's. Its own client sends the soft one when its VAD hears
  silence, and the hard one at the end of the turn.
- One lock around the model for all callers, and each step computes the features of the whole turn anew: the cost of a
  step grows with the length of the turn.
- An odd number of bytes, or JSON that is no object: `{"type":"error","message"}`, then it closes with 1000. A step that
  fails is only logged. Unknown types and broken JSON are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import structs

from stt_load.dialects.base import DEFAULTS, Capabilities, Dialect, Settings
from stt_load.dialects.events import Event, Final, Message, Ready, ServerError
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import interim_text, parse_object, partial, text_of, try_object, unknown
from stt_load.option_values import one_of


class Nemotron(Dialect):
    """One connection to a Nemotron Speech server."""

    options = (
        DialectOption(
            "reset",
            "hard",
            "how a turn is ended: hard, with the rest recognised, or soft, with the text as it stands",
            one_of("hard", "soft"),
        ),
    )
    capabilities = Capabilities(has_ready=True, ends=("client",), many_utterances=True)

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        if self.option["reset"] == "soft":  # the next turn would begin with this one's text
            self.capabilities = structs.replace(self.capabilities, many_utterances=False)

    def finalise(self) -> Sequence[Message]:
        return (json.dumps({"type": "reset", "finalize": self.option["reset"] == "hard"}),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("type"):
            case "ready":
                return (Ready(),)
            case "transcript":
                if body.get("is_final") is True:
                    return (Final(text_of(body, "text"), is_last=True),)
                return partial(interim_text(body, "text"))
            case "error":
                return (ServerError(str(body.get("message"))),)
        return (unknown(body),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        if body == {"type": "ready"}:
            return True
        return body.get("type") == "transcript" and body.keys() - {"finalize"} == {"type", "text", "is_final"}
