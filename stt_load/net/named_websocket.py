"""A websocket of which every message names the connection: for protocols that do, though a clip is encoded once for all
callers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.net.websocket import WebSocketTransport
from stt_load.session.websocket_frames import NamedFrame

_NAME_BYTES = 16


class NamedWebSocketTransport(WebSocketTransport):
    """One websocket connection, with a name of its own: 32 hexadecimal digits that stand for `CONNECTION_NAME` in all
    that is sent over it."""

    __slots__ = ("_name",)

    def dial(self, target: Connect) -> None:
        self._name = os.urandom(_NAME_BYTES).hex().encode()
        super().dial(target)

    def send(self, message: Message) -> bool:
        assert isinstance(message, str), "a message with a name in it is a text"
        return self.send_frame((NamedFrame(message),))

    def send_frame(self, frame: Sequence[Any]) -> bool:
        return super().send_frame([message.named(self._name) for message in frame])
