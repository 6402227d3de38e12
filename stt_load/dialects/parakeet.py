"""Parakeet FastAPI: binary int16 PCM in, one `{"text"}` per VAD utterance out.

Server: Shadowfita/parakeet-tdt-0.6b-v2-fastapi at 31c5652 (2026-01-09) and the fork by mulkeym at 0c7aad3
(2026-07-03), `parakeet_service/stream_routes.py` and `streaming_vad.py`. Plain websocket at `/ws`, no first
message, no end-of-stream message; the server never closes.

What a client must know:

- The server cuts every frame into 512-sample windows and throws the rest of the frame away: frames must be a
  multiple of 1,024 bytes (32, 64, 96, 128 ms). 100 ms frames silently lose 4 % of the audio.
- An utterance ends after 250 ms of silence (238 ms gave none, 366 ms did; 0.5 s is safe) or 8 s of audio.
- Nothing says which segment is the last. A clip without a pause is one. One with pauses is complete at once where as
  many segments were queued as it has parts, the last of them when the speech had ended; where the server passed over a
  pause, or is behind, a caller waits for 2 s, and for as long as the last part may be late, without speaking.
- `{"status":"queued"}` when a segment is cut, `{"text"}` when it is recognised: one text per queued segment,
  possibly empty. A text frame from the client kills the session.
- Fork: `{"text","confidence","words"}`; the key travels as `x-api-key`, a wrong one is HTTP 403.
- Servers that report timings put numbers into `timings_ms` of the text message.
"""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.dialects.base import Capabilities, Connect, Dialect
from stt_load.dialects.events import Event, Final, Message, SegmentPending, ServerError
from stt_load.dialects.wire import numbers, parse_object, text_of, try_object, unknown

# Beside a `text`, they show that it is another server's, whose partial texts would pass for finals here.
KEYS_OF_OTHER_SERVERS = frozenset({"type", "mode", "is_final", "segment", "result"})


class Parakeet(Dialect):
    """One connection to a Parakeet server. The key is for the fork; the original ignores it."""

    takes_key = True
    capabilities = Capabilities(
        sample_rate_hz=16_000,
        frame_multiple_bytes=1_024,
        counts_segments=True,
        min_endpoint_s=0.2,
        max_segment_s=8.0,
        quiet_s=2.0,
        min_trailing_silence_s=0.5,
        many_utterances=True,
        turn_events=(SegmentPending, Final),
    )

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        return Connect(url, headers={"x-api-key": key} if key else {})

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        if "text" in body and KEYS_OF_OTHER_SERVERS.isdisjoint(body):
            return (Final(text_of(body, "text"), server_ms=numbers(body.get("timings_ms"))),)
        if body.get("status") == "queued":
            return (SegmentPending(),)
        if "error" in body:
            return (ServerError(str(body["error"])),)
        return (unknown(body),)

    @staticmethod
    def recognises(message: Message) -> bool:
        """The text of the original, alone in its object, could be vosk-server's as well."""
        body = try_object(message)
        return body == {"status": "queued"} or body.keys() in ({"text", "confidence", "words"}, {"text", "timings_ms"})
