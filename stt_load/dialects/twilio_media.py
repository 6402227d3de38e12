"""Twilio Media Streams, of which this plays Twilio's part: µ-law of a call in, texts as the bridge tells them out.

Server: a bridge of your own, which Twilio would call: a websocket that takes what `<Connect><Stream>` sends
(`twilio_messages.py` has the sources).

What a client must know:

- Twilio sends `connected`, `start`, a `media` for each 20 ms, `stop`. A connection is one call, with one utterance.
- Nothing is said there of transcripts. The bridge has to send them back over the same websocket, as JSON of any shape:
  the options say where the text is, and what tells that it is final. Twilio itself ignores such a message.
- `media`, `mark` and `clear`, with which a bridge speaks to the caller, change nothing here: `conversation-twilio`
  hears them.
- Twilio signs the upgrade (`X-Twilio-Signature`). A bridge that checks that needs the header from STT_LOAD_HEADERS, or
  the check switched off.
"""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.carriers import CALL_WEBSOCKET
from stt_load.dialects.base import DEFAULTS, TELEPHONE_FRAME_MS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import Event, Final, Ignored, Message
from stt_load.dialects.options import DialectOption
from stt_load.dialects.twilio_messages import CONNECTED, PARAMETERS, RATE_HZ, STOP, TO_THE_CALLER, media, start
from stt_load.dialects.wire import interim_text, parse_object, partial, shown, try_object, unknown
from stt_load.errors import ProtocolError

Path = tuple[str | int, ...]


def parse_path(text: str) -> Path:
    """`results.0.text`: keys of objects and places in lists. Raises ValueError where a step is missing."""
    steps = text.split(".")
    if not all(steps):
        raise ValueError(f"{text!r} is no path: write keys with dots between them, as in transcript.text")
    return tuple(int(step) if step.isdecimal() and len(step) < 6 else step for step in steps)


def parse_condition(text: str) -> tuple[Path, object] | None:
    """`is_final` (which has to be true) or `type=final`; None for an empty text: every text is final."""
    path, separator, value = text.partition("=")
    return (parse_path(path), value if separator else True) if text else None


class TwilioMedia(Dialect):
    """One call to a bridge."""

    carrier = CALL_WEBSOCKET
    options = (
        DialectOption("text", "text", "where a message has its text, as in transcript.text", parse_path),
        DialectOption("final", "is_final", "what is true of a last text, or type=final; empty: all", parse_condition),
        PARAMETERS,
    )
    unconfirmed = (
        "everything here is told by Twilio's documents and by the code of bridges; none of them was spoken to",
        "that a bridge answers `stop` with its last text, or closes, where the client ends the utterance",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = Capabilities(
            sample_rate_hz=RATE_HZ,
            encoding="µ-law",
            frame_ms=(TELEPHONE_FRAME_MS, TELEPHONE_FRAME_MS),
            ends=("server", "client"),
            quiet_s=2.0,
            trailing_silence_s=2.0,
            answers_end=False,
        )

    def connect(self, url: str) -> Connect:
        return Connect(url, first_messages=(CONNECTED,))

    def begin(self, length: AudioLength) -> Sequence[Message]:
        return (start(self.option["parameters"]),)

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (media(pcm),)

    def finalise(self) -> Sequence[Message]:
        return (STOP,)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        if body.get("event") in TO_THE_CALLER:
            return (Ignored(str(body["event"])),)
        condition = self.option["final"]
        if condition is not None and _at(body, condition[0]) != condition[1]:
            text = interim_text(body, *self.option["text"])
            return partial(text) if text else (unknown(body),)
        last = _at(body, self.option["text"])
        if last is _MISSING and condition is None:
            return (unknown(body),)
        if last is not None and not isinstance(last, str):
            raise ProtocolError(f"{'.'.join(map(str, self.option['text']))} is not a text: {shown(body)}")
        return (Final((last or "").strip()),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        return body.get("event") in TO_THE_CALLER and "streamSid" in body


_MISSING = object()


def _at(body: object, path: Path) -> object:
    """What is at the end of a path; `_MISSING` where it leads nowhere."""
    for step in path:
        if isinstance(body, dict) and str(step) in body:
            body = body[str(step)]
        elif isinstance(body, list) and isinstance(step, int) and step < len(body):
            body = body[step]
        else:
            return _MISSING
    return body
