"""A conversation over AudioSocket, of which this plays Asterisk's part: int16 over TCP in both directions.

    type (one byte) · length (two bytes, the higher first) · so many bytes

| type | what it is |
|---|---|
| 0x00 | hang up |
| 0x01 | the call: 16 bytes of a UUID, first of all |
| 0x03 | a key that was pressed |
| 0x10 | int16 LE at 8 kHz |
| 0x11 to 0x18 | int16 LE at 12, 16, 24, 32, 44.1, 48, 96, 192 kHz |
| 0xff | an error, with a code |

Read: `res/res_audiosocket.c` and `apps/app_audiosocket.c` of Asterisk (at 0c756ba, and its successor with the sample
rates, November 2026); CyCoreSystems/audiosocket at 072482b, in Go. What a client must know:

- Asterisk connects, tells the UUID, and sends what the caller says in frames of 20 ms.
- It plays each frame when it comes, so servers have to keep the pace of speech themselves: `SendSlinChunks` of the Go
  library sends one every 20 ms. Whether they send silence between two answers is left to them.
- It ends a call at anything but audio and hang-up, and at audio of no length. The end of the connection is a hang-up
  too. When the caller hangs up it closes the connection, without a word.
- Nothing takes back what was sent: an answer has stopped with its last sound.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar
from uuid import uuid4

from stt_load.carriers import TCP
from stt_load.conversation.line import int16_audio
from stt_load.conversation.telephone import TelephoneDialect
from stt_load.dialects.base import DEFAULTS, Connect, Settings
from stt_load.dialects.events import Event, HungUp, Message, ServerError
from stt_load.dialects.options import DialectOption
from stt_load.errors import ProtocolError

HANG_UP, CALL, ERROR = 0x00, 0x01, 0xFF
_HEAD = struct.Struct("!BH")
_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000)
AUDIO_KINDS = {rate_hz: 0x10 + number for number, rate_hz in enumerate(_RATES_HZ)}
_SPEECH_RATES_HZ = _RATES_HZ[:-2]
_AUDIO = {kind: int16_audio(rate_hz) for rate_hz, kind in AUDIO_KINDS.items()}


def parse_audio_rate(text: str) -> int:
    """A sample rate of AudioSocket that speech may have. Raises ValueError."""
    if not text.isdecimal() or int(text) not in _SPEECH_RATES_HZ:
        raise ValueError(f"{text!r} is no rate of AudioSocket: write {', '.join(map(str, _SPEECH_RATES_HZ))}")
    return int(text)


class AudioSocketConversation(TelephoneDialect):
    """One call to a voice agent."""

    carrier = TCP
    skips_silence = True  # Asterisk plays each frame when it comes, and keeps none
    options: ClassVar[tuple[DialectOption, ...]] = (
        *TelephoneDialect.options,
        DialectOption(
            "sample_rate", "8000", "of what is sent, Hz; others than 8000 need an Asterisk of 2025", parse_audio_rate
        ),
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "read from the source of Asterisk and of the library in Go; no agent that Asterisk calls was measured",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._kind = AUDIO_KINDS[self.option["sample_rate"]]
        self.capabilities = self.telephone_capabilities(sample_rate_hz=self.option["sample_rate"])
        self.line_audio = _AUDIO[self._kind]

    def connect(self, url: str) -> Connect:
        return Connect(url, first_messages=(packet(CALL, uuid4().bytes),), message_length=message_length)

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (packet(self._kind, pcm),)

    def on_message(self, message: Message) -> Sequence[Event]:
        assert isinstance(message, bytes)
        kind, data = message[0], message[_HEAD.size :]
        if kind in _AUDIO and data:
            self.line_audio = _AUDIO[kind]
            return (self.audio_event(data),)
        if kind == HANG_UP:
            return (HungUp(),)
        if kind == ERROR:
            return (ServerError(f"the server sent an error{f' ({data.hex()})' if data else ''}"),)
        what = "audio of no length" if kind in _AUDIO else f"a message of type 0x{kind:02x}"
        raise ProtocolError(f"{what}, at which Asterisk ends the call")

    @staticmethod
    def is_frame(message: Message) -> bool:
        return message[0] in _AUDIO

    @staticmethod
    def recognises(message: Message) -> bool:
        return isinstance(message, bytes) and message[:1] == b"\x10" and message_length(message) == len(message)


def packet(kind: int, data: bytes) -> bytes:
    """One message."""
    return _HEAD.pack(kind, len(data)) + data


def message_length(begun: bytes) -> int | None:
    """A `base.MessageLength`."""
    return None if len(begun) < _HEAD.size else _HEAD.size + int.from_bytes(begun[1:3])
