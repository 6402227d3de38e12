"""Wyoming: the protocol of Home Assistant's voice services, over bare TCP: int16 PCM in, one transcript out.

Server: the packages `wyoming` 1.10.2 (`event.py`, `asr.py`, `audio.py`, `server.py`) and `wyoming-faster-whisper` 3.8.1
(`dispatch_handler.py`, `endpointing.py`), as they are on PyPI (read 2026-11-29). No credentials, no TLS of its own.

A message is a line of JSON with `type` and perhaps `data`; then `data_length` bytes of JSON, which add to `data`; then
`payload_length` bytes of audio.

What a client must know:

- `transcribe` and `audio-start` begin an utterance, `audio-stop` ends it, one `transcript` answers, empty where nothing
  was heard. A server that streams tells it in parts before that: `transcript-start`, `transcript-chunk`s, the
  `transcript` itself, `transcript-stop`.
- wyoming-faster-whisper closes the connection after each utterance, as Home Assistant expects: it opens one for each.
  Most of its models begin when the audio has ended; the model is loaded with the first audio that comes.
- Started with `--vad-endpointing SECONDS` it ends an utterance by itself after so much silence, not before the speech
  is 1 s long; what comes after that is thrown away.
- Servers before wyoming 1.10 stumble over an `audio-stop` without `data`; the package's own client sends a null
  timestamp, and so does this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from stt_load.carriers import TCP
from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Ignored, Message, Partial, ServerError
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import interim_text, parse_object, shown, text_of, unknown
from stt_load.errors import ProtocolError
from stt_load.option_values import or_none, parse_rate_hz

WITHOUT_EFFECT = ("transcript-stop", "info", "pong", "voice-started", "voice-stopped")
_LINE_END = b"\n"


class Wyoming(Dialect):
    """One connection to a Wyoming server, for one utterance."""

    carrier = TCP
    options = (
        DialectOption("model", "", "which model, `name` of transcribe; the server's own by default", or_none()),
        DialectOption("language", "en", "what is spoken; empty leaves it to the server", or_none()),
        DialectOption("sample_rate", "16000", "of what is sent, Hz", parse_rate_hz),
    )
    unconfirmed = (
        "that the texts of transcript-chunk are parts to be put together as they are, without a blank between them",
        "that a server other than wyoming-faster-whisper answers a transcribe on every new connection too",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = Capabilities(
            sample_rate_hz=self.option["sample_rate"],
            ends=("client", "server"),
            min_endpoint_s=0.2,
            trailing_silence_s=1.5,
            turn_events=(EndOfTurn,) if settings.end == "server" else (),
        )
        self._format = {"rate": self.option["sample_rate"], "width": 2, "channels": 1, "timestamp": None}
        self._heard = ""  # the parts of a transcript that is being streamed

    def connect(self, url: str) -> Connect:
        return Connect(url, message_length=message_length)

    def begin(self, length: AudioLength) -> Sequence[Message]:
        asked = {"name": self.option["model"], "language": self.option["language"]}
        told = {key: value for key, value in asked.items() if value is not None}
        return (event("transcribe", told), event("audio-start", self._format))

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (event("audio-chunk", self._format, pcm),)

    def finalise(self) -> Sequence[Message]:
        return (event("audio-stop", {"timestamp": None}),)

    def on_message(self, message: Message) -> Sequence[Event]:
        kind, data = read_event(message)
        match kind:
            case "transcript":
                final = Final(text_of(data, "text"), is_last=True)
                return (final,) if self.settings.end == "client" else (final, EndOfTurn())
            case "transcript-start":
                self._heard = ""
                return (Ignored("a transcript begins"),)
            case "transcript-chunk" if chunk := _chunk_of(data):
                self._heard += chunk
                return (Partial(self._heard.strip()),)
            case "transcript-chunk":
                return (Ignored("a part of a transcript without text"),)
            case "error":
                code = data.get("code")
                return (ServerError(f"{data.get('text')}" + (f" ({code})" if code else "")),)
            case str() if kind in WITHOUT_EFFECT:
                return (Ignored(kind),)
        return (unknown({**data, "type": kind}),)

    @staticmethod
    def recognises(message: Message) -> bool:
        try:
            kind, data = read_event(message)
        except ProtocolError:
            return False
        return isinstance(kind, str) and (kind.startswith("transcript-") or (kind == "transcript" and "text" in data))


def event(kind: str, data: Mapping[str, object], payload: bytes = b"") -> bytes:
    """A message as the package's own client writes it, its version left out."""
    head: dict[str, object] = {"type": kind}
    body = json.dumps(data).encode() if data else b""
    if body:
        head["data_length"] = len(body)
    if payload:
        head["payload_length"] = len(payload)
    return json.dumps(head).encode() + _LINE_END + body + payload


def message_length(begun: bytes) -> int | None:
    """A `base.MessageLength`."""
    line, line_end, _ = begun.partition(_LINE_END)
    return len(line) + 1 + sum(_lengths(_parsed(line))) if line_end else None


def read_event(message: Message) -> tuple[object, dict[str, object]]:
    """The type of a message, and its data. Raises ProtocolError."""
    line, _, rest = (message.encode() if isinstance(message, str) else message).partition(_LINE_END)
    head = _parsed(line)
    data_length, payload_length = _lengths(head)
    if len(rest) != data_length + payload_length:
        raise ProtocolError(f"{len(rest)} bytes where {data_length + payload_length} were announced: {shown(message)}")
    data = head.get("data") or {}
    if not isinstance(data, dict):
        raise ProtocolError(f"data is not an object: {shown(head)}")
    more = parse_object(rest[:data_length]) if data_length else {}
    return head.get("type"), {**data, **more}


def _parsed(line: bytes) -> dict[str, object]:
    try:
        return parse_object(line.decode())
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a line that is no UTF-8: {shown(line)}") from error


def _lengths(head: Mapping[str, object]) -> tuple[int, int]:
    """How long the data and the payload behind the line are, bytes. Raises ProtocolError."""
    data_length, payload_length = head.get("data_length") or 0, head.get("payload_length") or 0
    for length in (data_length, payload_length):
        if not isinstance(length, int) or length < 0:
            raise ProtocolError(f"a length that is none: {shown(head)}")
    assert isinstance(data_length, int) and isinstance(payload_length, int)
    return data_length, payload_length


def _chunk_of(data: Mapping[str, object]) -> str:
    """The text of a part, with the blanks that divide it from the next; empty where there is none."""
    return str(data["text"]) if interim_text(data, "text") else ""
