"""sherpa-onnx, not streaming: a header with the length, float32 PCM, and one text when all of it has come.

Servers: k2-fsa/sherpa-onnx at 634265c (2026-08-08), read, and Python's run with its model replaced; told apart by what
they say:

    Python, python-api-examples/non_streaming_server.py         plain text, <EMPTY> where there is none
    C++, sherpa-onnx/csrc/offline-websocket-server-impl.cc      {"lang", "emotion", "event", "text", …}

Their own clients are `offline-websocket-client-decode-files-sequential.py` and `…-paralell.py`. Port 6006, any path.

What a client must know:

- Each utterance begins with 8 bytes: its sample rate and its length in bytes of float32, both int32 LE. So the client
  has to know before how much it will say; the end is there with the last sample, without any message.
- Fewer bytes than announced and the server waits for ever, a `Done` being audio then; more, and Python closes with
  1011. The C++ server refuses more than 300 s with 1009.
- Nothing is decoded before all has come: the latency grows with the length of the clip.
- `Done` ends the connection, and C++ does so at once, with texts still owed: it isn't sent here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Dialect, Settings
from stt_load.dialects.events import Event, Final, Message
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import as_float32, parse_object, shown, text_of, try_object, unknown
from stt_load.errors import ProtocolError
from stt_load.option_values import parse_rate_hz

EMPTY = "<EMPTY>"
_FLOAT32_BYTES = 4
_KEYS_OF_CPP = {"lang", "text", "timestamps", "tokens"}


class SherpaOnnxOffline(Dialect):
    """One connection to a server that takes whole utterances."""

    options = (DialectOption("sample_rate", "16000", "Hz, told in the header: any rate will do", parse_rate_hz),)
    unconfirmed = ("the C++ server was read, not run: its text comes as JSON, not plain as Python's",)

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = Capabilities(
            sample_rate_hz=self.option["sample_rate"],
            encoding="float32",
            ends=("client",),
            many_utterances=True,
        )

    def begin(self, length: AudioLength) -> Sequence[Message]:
        return (struct.pack("<ii", self.capabilities.sample_rate_hz, _FLOAT32_BYTES * length.samples),)

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (as_float32(pcm),)

    def on_message(self, message: Message) -> Sequence[Event]:
        if isinstance(message, bytes):
            raise ProtocolError(f"a binary message where a text was due: {shown(message)}")
        try:
            body = parse_object(message)
        except ProtocolError:  # plain words, whatever they begin with
            text = message.strip()
            return (Final("" if text == EMPTY else text, is_last=True),)
        return (Final(text_of(body, "text"), is_last=True),) if _is_from_cpp(body) else (unknown(body),)

    @staticmethod
    def recognises(message: Message) -> bool:
        """Plain words alone are no sign of it: any server, or what stands before it, may say some."""
        return message == EMPTY or _is_from_cpp(try_object(message))


def _is_from_cpp(body: Mapping[str, object]) -> bool:
    return body.keys() >= _KEYS_OF_CPP
