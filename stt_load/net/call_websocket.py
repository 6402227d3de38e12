"""A websocket that carries a telephone call: its messages name the call and count on, though a clip is encoded once for
all callers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost
from stt_load.net.transport import Arrival
from stt_load.net.websocket import WebSocketTransport
from stt_load.session.websocket_frames import CallFrame

_NAME_BYTES = 16
_FRAME_MS = 20  # what every telephone system sends at a time


class CallWebSocketTransport(WebSocketTransport):
    """One websocket connection, with a name of its own, 32 hexadecimal digits, and with numbers for all that is sent
    over it: see `carriers.CALL_WEBSOCKET`. It says the `last_messages` of its `Connect` before it closes."""

    __slots__ = ("_last_messages", "_values")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._last_messages: Sequence[Message] = ()

    def dial(self, target: Connect) -> None:
        name = os.urandom(_NAME_BYTES).hex().encode()
        self._values: dict[bytes, Any] = {b"name": name, b"message": 0, b"frame": 1, b"ms": 0}
        self._last_messages = target.last_messages
        super().dial(target)

    def send(self, message: Message) -> bool:
        assert isinstance(message, str), "a message with a name in it is a text"
        return self.send_frame((CallFrame(message),))

    def send_frame(self, frame: Sequence[Any]) -> bool:
        return super().send_frame([self._numbered(message) for message in frame])

    def _numbered(self, message: CallFrame) -> Any:
        values = self._values
        numbered = message.numbered(values)
        values[b"message"] += 1
        if message.is_audio:
            values[b"frame"] += 1
            values[b"ms"] += _FRAME_MS
        return numbered

    def receive(self) -> Arrival | None:
        try:
            return super().receive()
        except ConnectionLost:
            self._last_messages = ()  # nobody is there to be told
            raise

    def close(self) -> None:
        if self._owes_close_frame:
            for message in self._last_messages:
                self._send_unasked(self._numbered(CallFrame(str(message))))
        self._last_messages = ()
        super().close()
