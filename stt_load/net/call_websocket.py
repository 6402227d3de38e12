"""A websocket that carries a telephone call: its messages name the call and count on, though a clip is encoded once for
all callers."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from stt_load.carriers import AUDIO_MS, CONNECTION_NAME, FRAME_NUMBER, MESSAGE_NUMBER
from stt_load.dialects.base import TELEPHONE_FRAME_MS, Connect
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost
from stt_load.net.tcp import MakeSocket
from stt_load.net.transport import Arrival, Transport
from stt_load.net.websocket import WebSocketTransport
from stt_load.session.websocket_frames import CallFrame, ClientFrame

_NAME_BYTES = 16


class CallWebSocketTransport(WebSocketTransport):
    """One websocket connection, with a name of its own, 32 hexadecimal digits, and with numbers for all that is sent
    over it: see `carriers.CALL_WEBSOCKET`. It says the `last_messages` of its `Connect` before it closes."""

    __slots__ = ("_last_messages", "_n_frames", "_n_messages", "_values")

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        super().__init__(checks_certificate, make_socket)
        self._last_messages: Sequence[Message] = ()
        self._values: dict[str, bytes] = {}
        self._n_messages = self._n_frames = 0

    def dial(self, target: Connect) -> None:
        self._values = {CONNECTION_NAME: os.urandom(_NAME_BYTES).hex().encode()}
        self._n_messages = self._n_frames = 0
        self._last_messages = target.last_messages
        super().dial(target)

    def send(self, message: Message) -> bool:
        assert isinstance(message, str), "a message with a name in it is a text"
        return self.send_frame((CallFrame(message),))

    def send_frame(self, frame: Sequence[Any]) -> bool:
        return super().send_frame([self._numbered(message) for message in frame])

    def as_sent(self, message: str) -> str:
        """The message as it was sent, if it is the last one that was."""
        return CallFrame(message).text(self._values)

    def _numbered(self, message: CallFrame) -> ClientFrame:
        values = self._values
        values[MESSAGE_NUMBER] = b"%d" % self._n_messages
        self._n_messages += 1
        if message.is_audio:
            values[AUDIO_MS] = b"%d" % (TELEPHONE_FRAME_MS * self._n_frames)
            self._n_frames += 1
            values[FRAME_NUMBER] = b"%d" % self._n_frames
        return message.numbered(values)

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


def as_sent(transport: Transport, message: Message) -> Message:
    """The last message that was sent, with what only its connection knows in it."""
    if isinstance(transport, CallWebSocketTransport) and isinstance(message, str):
        return transport.as_sent(message)
    return message
