"""A conversation over Twilio Media Streams, of which this plays Twilio's part: µ-law of a call in both directions.

Server: a voice agent of your own, which `<Connect><Stream>` would call (`dialects/twilio_messages.py` has what it is
sent). It sends `media` (base64 µ-law, of any length), `mark` and `clear`.

Read: twilio.com/docs/voice/media-streams/websocket-messages (2026-11-29); pipecat-ai 1.14.0 from PyPI,
`serializers/twilio.py` and `transports/websocket/fastapi.py`. What a client must know:

- Twilio plays what it is sent in order, and keeps what it can't play yet: an agent may send a whole answer at once.
  pipecat sends it in twice the time, and no marks.
- A `mark` comes back when all that was sent before it was played, at once where nothing is left to play. Agents go by
  it to know what was heard.
- `clear` throws away what was not played yet, and brings its marks back. Agents send it when they hear the caller.
- The agent ends the call by closing the websocket, or through Twilio's REST API, which nobody here hears of.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import ClassVar

from stt_load.carriers import CALL_WEBSOCKET
from stt_load.conversation.line import mulaw_audio
from stt_load.conversation.telephone import TelephoneDialect
from stt_load.dialects.base import DEFAULTS, Connect, Settings
from stt_load.dialects.events import Event, Ignored, Message, PlaybackCleared, PlaybackMark
from stt_load.dialects.options import DialectOption
from stt_load.dialects.twilio_messages import CONNECTED, PARAMETERS, RATE_HZ, STOP, TO_THE_CALLER, mark, media, start
from stt_load.dialects.wire import parse_object, shown, try_object, unknown, value_at
from stt_load.errors import ProtocolError

_AUDIO = mulaw_audio(RATE_HZ)


class TwilioConversation(TelephoneDialect):
    """One call to a voice agent."""

    carrier = CALL_WEBSOCKET
    options: ClassVar[tuple[DialectOption, ...]] = (*TelephoneDialect.options, PARAMETERS)
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "everything here is told by Twilio's documents and by the code of agents; no call of Twilio was looked at",
        "that Twilio begins to play with the first message, and drops what is not played when the websocket is closed",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = self.telephone_capabilities(sample_rate_hz=RATE_HZ, encoding="µ-law")
        self.line_audio = _AUDIO

    def connect(self, url: str) -> Connect:
        first = (CONNECTED, start(self.option["parameters"]))
        return Connect(url, first_messages=first, last_messages=(STOP,))

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (media(pcm),)

    def mark_played(self, name: str) -> Message:
        return mark(name)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("event"):
            case "media":
                data = _payload(body)
                return (self.audio_event(data),) if data else (Ignored("media without audio"),)
            case "mark":
                return (PlaybackMark(str(value_at(body, "mark", "name") or "")),)
            case "clear":
                return (PlaybackCleared(),)
        return (unknown(body),)

    @staticmethod
    def is_frame(message: Message) -> bool:
        return str(message).startswith('{"event": "media"')

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        return body.get("event") in TO_THE_CALLER and "streamSid" in body


def _payload(body: dict[str, object]) -> bytes:
    """The audio of a message. Raises ProtocolError where there is none."""
    payload = value_at(body, "media", "payload")
    try:
        if isinstance(payload, str):
            return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ProtocolError(f"media without a payload of base64: {shown(body)}")
