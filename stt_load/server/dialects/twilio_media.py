"""A bridge that Twilio calls, as `stt_load/dialects/twilio_media.py` describes it: it tells its transcripts back.

`{"event":"transcript","text":…,"is_final":true}` for each segment; `stop` has it take what is left, and hang up.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

from stt_load.audio.line_codecs import MULAW
from stt_load.dialects.events import Message
from stt_load.dialects.twilio_messages import RATE_HZ
from stt_load.dialects.wire import interim_text, try_object
from stt_load.server.server_dialect import (
    Close,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
)


class TwilioMediaServer(ServerDialect):
    path = "/media-stream"
    sample_rate_hz = RATE_HZ
    endpoint_s = 0.4
    max_segment_s = 60.0

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        body = try_object(message)
        match body.get("event"):
            case "start":
                stream = interim_text(body, "start", "streamSid")
                return (SendMessage(json.dumps({"event": "mark", "streamSid": stream, "mark": {"name": "hello"}})),)
            case "media":
                try:
                    mulaw = base64.b64decode(interim_text(body, "media", "payload"), validate=True)
                except binascii.Error:
                    return (Close(1003, "a payload that is no base64"),)
                return (FeedAudio(MULAW.decode(mulaw).astype("<i2").tobytes()),)
            case "stop":
                return (Flush(),)
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        return (SendMessage(json.dumps({"event": "transcript", "text": recognised.text, "is_final": True})),)

    def on_flushed(self) -> Sequence[ServerAction]:
        return (Close(),)
