"""RealtimeSTT's production server: int16 PCM in numbered packets in, partials and one final text a turn out.

Server: RealtimeSTT 1.1.2 as it is on PyPI (read 2026-11-29), `RealtimeSTT_server/production_server.py`,
`example_fastapi_server/protocol.py`. `stt-server-production`, port 8010; the same websocket is at
`/api/v1/ws/transcribe`, `/api/v1/ws` and `/v1/audio/transcriptions/stream`. A key is a bearer token.

A packet is the length of its metadata (u32, little-endian), the metadata (JSON), the samples.

What a client must know:

- Only 16 kHz is taken, whatever the metadata may say. `frames` must be the number of samples.
- `audioSequence` counts the packets of a turn from 0, without a gap. Where the server drops one (`backpressure`), it
  refuses all that follow: the turn is lost.
- The server never ends a turn: `start` begins one, `finalize` ends it, and `final` and `completion` answer. Another one
  can begin after `completion`; before it, `start` is an error.
- A turn may be 120 s long (`max_turn_audio_seconds`).
- Who is refused has been let in first: an `error` comes after the upgrade (`unauthorized`, `session_limit`), then close
  1008 or 1013.
- With a second, faster model (`--ultrafast-…`) the newest words are in `mergedText` alone, of both kinds of partials:
  `text` is then what the slower one has so far.
- A server that was started with `--preview-only` has no `final`: a `preview` answers, which else comes only when asked
  for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence

from stt_load.dialects.base import AudioLength, Capabilities, Connect, Dialect
from stt_load.dialects.events import Event, Final, Finished, Ignored, Message, Ready, ServerError
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import interim_text, parse_object, partial, text_of, try_object, unknown
from stt_load.errors import Refusal

RATE_HZ = 16_000
PROTOCOL = "realtimestt.remote.v1"
_METADATA_LENGTH = struct.Struct("<I")

REFUSALS = {
    "unauthorized": Refusal.AUTH,
    "session_limit": Refusal.CAPACITY,
    "invalid_language": Refusal.PARAMETERS,
    "unsupported_language": Refusal.PARAMETERS,
}
WITHOUT_EFFECT = ("ready", "started", "finalizing", "status", "reset", "cancelled", "capabilities", "pong")


class RealtimeStt(Dialect):
    """One connection to a RealtimeSTT production server."""

    takes_key = True
    options = (DialectOption("language", "en", "what is spoken; auto leaves it to the model"),)
    capabilities = Capabilities(sample_rate_hz=RATE_HZ, has_ready=True, ends=("client",), many_utterances=True)
    unconfirmed = ("that `mergedText` is what a client shows: it is counted as the partial",)

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        return Connect(url, headers={"Authorization": f"Bearer {key}"} if key else {})

    def begin(self, length: AudioLength) -> Sequence[Message]:
        return (json.dumps({"type": "start", "language": self.option["language"]}),)

    def encode_nth(self, n: int, pcm: bytes) -> Sequence[Message]:
        return (audio_packet(n, pcm),)

    def finalise(self) -> Sequence[Message]:
        return ('{"type":"finalize"}',)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("type"):
            case "hello":
                return (Ready(),)
            case "partial":
                return partial(interim_text(body, "mergedText") or interim_text(body, "text"))
            case "ultrafast":
                return partial(interim_text(body, "mergedText"))
            case "final" | "preview":
                return (Final(text_of(body, "text")),)
            case "completion":
                return (Finished(),)
            case "error":
                code = str(body.get("code"))
                return (ServerError(f"{body.get('message')} ({code})", REFUSALS.get(code)),)
            case str(kind) if kind in WITHOUT_EFFECT:
                return (Ignored(kind),)
        return (unknown(body),)

    @staticmethod
    def recognises(message: Message) -> bool:
        return try_object(message).get("protocolVersion") == PROTOCOL


def audio_packet(n: int, pcm: bytes) -> bytes:
    """Packet number `n` of a turn."""
    metadata: Mapping[str, object] = {
        "sampleRate": RATE_HZ,
        "channels": 1,
        "format": "pcm_s16le",
        "frames": len(pcm) // 2,
        "audioSequence": n,
    }
    head = json.dumps(metadata, separators=(",", ":")).encode()
    return _METADATA_LENGTH.pack(len(head)) + head + pcm
