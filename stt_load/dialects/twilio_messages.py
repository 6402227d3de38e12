"""What Twilio Media Streams send to a bridge, as JSON: the call, its audio, what became of what the bridge played.

A call has a `streamSid` and a `callSid` of its own, and its messages count on: `sequenceNumber` from `start` on,
`chunk` and milliseconds in each `media`. The connection fills them in (`carriers.CALL_WEBSOCKET`).

twilio.com/docs/voice/media-streams/websocket-messages (read 2026-11-29). SignalWire and others send the same. What ten
public bridges read of it was looked at: the ids and parameters of `start`, payload and timestamp of `media`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from stt_load.carriers import AUDIO_MS, CONNECTION_NAME, FRAME_NUMBER, MESSAGE_NUMBER
from stt_load.dialects.base import TELEPHONE_RATE_HZ
from stt_load.dialects.options import DialectOption
from stt_load.option_values import parse_pairs

RATE_HZ = TELEPHONE_RATE_HZ
TO_THE_CALLER = ("media", "mark", "clear")
"""The events by which a bridge speaks to the caller."""

PARAMETERS = DialectOption("parameters", "", "customParameters of start: NAME:VALUE with commas", parse_pairs)
_STREAM, _CALL, _ACCOUNT = f"MZ{CONNECTION_NAME}", f"CA{CONNECTION_NAME}", "AC" + "0" * 32
_SOUND = {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1}


def _numbered(event: str, body: Mapping[str, object]) -> str:
    return json.dumps({"event": event, "sequenceNumber": MESSAGE_NUMBER, event: body, "streamSid": _STREAM})


CONNECTED = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
STOP = _numbered("stop", {"accountSid": _ACCOUNT, "callSid": _CALL})


def start(parameters: Sequence[tuple[str, str]]) -> str:
    """The call begins. `parameters`: what its TwiML would give to the bridge."""
    ids = {"accountSid": _ACCOUNT, "streamSid": _STREAM, "callSid": _CALL}
    told = {**ids, "tracks": ["inbound"], "mediaFormat": _SOUND, "customParameters": dict(parameters)}
    return _numbered("start", told)


def media(pcm: bytes) -> str:
    """A frame of what the caller says, from int16 PCM."""
    import numpy as np

    from stt_load.audio.line_codecs import MULAW  # which loads libsndfile: who only asks for dialects doesn't wait

    payload = base64.b64encode(MULAW.encode(np.frombuffer(pcm, "<i2"))).decode()
    body = {"track": "inbound", "chunk": FRAME_NUMBER, "timestamp": AUDIO_MS, "payload": payload}
    return _numbered("media", body)


def mark(name: str) -> str:
    """All audio that the bridge sent before its mark of this name was played, or cleared."""
    return _numbered("mark", {"name": name})
