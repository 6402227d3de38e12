"""Parakeet FastAPI: binary int16 PCM in, one `{"text"}` per VAD utterance out.

Server: Shadowfita/parakeet-tdt-0.6b-v2-fastapi at 31c5652 (2026-01-09) and the fork by mulkeym at 0c7aad3
(2026-07-03), `parakeet_service/stream_routes.py` and `streaming_vad.py`. Plain websocket at `/ws`, no first
message, no end-of-stream message; the server never closes.

What a client must know:

- The server cuts every frame into 512-sample windows and throws the rest of the frame away: frames must be a
  multiple of 1,024 bytes (32, 64, 96, 128 ms). 100 ms frames silently lose 4 % of the audio.
- An utterance ends after 250 ms of silence (238 ms gave none, 366 ms did; 0.5 s is safe) or 8 s of audio.
- `{"status":"queued"}` when a piece is cut, `{"text"}` when it is recognised: one text per queued piece,
  possibly empty. A text frame from the client kills the session.
- Fork: `{"text","confidence","words"}`; the key travels as `x-api-key`, a wrong one is HTTP 403.
- Servers that report timings put numbers into `timings_ms` of the text message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from stt_load.dialects.base import Capabilities, Connect, Message
from stt_load.dialects.events import Event, Final, Ignored, PieceQueued, ServerError
from stt_load.errors import ProtocolError

_BYTES_SHOWN = 80
_LIMIT_MS = 1e12


class Parakeet:
    """One connection to a Parakeet server. `api_key` is for the fork; the original ignores it."""

    capabilities = Capabilities(
        sample_rate_hz=16_000,
        frame_multiple_bytes=1_024,
        counts_pieces=True,
        min_endpoint_s=0.2,
        max_piece_s=8.0,
        quiet_s=2.0,
        min_trailing_silence_s=0.5,
    )

    def __init__(self, api_key: str | None = None) -> None:
        self._api_key = api_key

    def connect(self, url: str) -> Connect:
        return Connect(url=url, headers={"x-api-key": self._api_key} if self._api_key else {})

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def finalise(self) -> Sequence[Message]:
        return ()

    def on_message(self, message: Message) -> Sequence[Event]:
        body = _parse_object(message)
        text = body.get("text")
        if isinstance(text, str):
            return (Final(text.strip(), server_ms=_numbers(body.get("timings_ms"))),)
        if body.get("status") == "queued":
            return (PieceQueued(),)
        if "error" in body:
            return (ServerError(str(body["error"])),)
        return (Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}"),)

    def join(self, finals: Sequence[str]) -> str:
        return " ".join(text for text in finals if text)


def _parse_object(message: Message) -> dict[str, object]:
    try:
        body = json.loads(message)
    except (ValueError, RecursionError) as error:  # too many brackets end in recursion
        raise ProtocolError(f"not JSON: {message[:_BYTES_SHOWN]!r}") from error
    if not isinstance(body, dict):
        raise ProtocolError(f"not a JSON object: {message[:_BYTES_SHOWN]!r}")
    return body


def _numbers(timings: object) -> dict[str, float]:
    if not isinstance(timings, Mapping):
        return {}
    return {str(name): float(value) for name, value in timings.items() if _is_plausible(value)}


def _is_plausible(value: object) -> bool:
    """JSON as Python reads it has NaN, Infinity and whole numbers beyond any float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LIMIT_MS < value < _LIMIT_MS
