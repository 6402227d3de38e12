"""What carries the messages of a dialect to its server: one row each, and one transport in `net` that the row names.

A dialect names its row (`Dialect.carrier`). From it come the schemes that the server's URL may have, how a message is
made ready before the first caller speaks, and the connection that the pacing loop drives.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Carrier:
    """One way to a server.

    `schemes`: of its URLs, without TLS and with it. `prepared`: the class of a message that is made once and sent by
    every caller (`session.prepared_message`), made from the message alone. `transport`: the class of a connection
    (`net.transport`), made from `checks_certificate` and `make_socket`.

    The classes are written `module:name` and imported when they are asked for, because they lie in rooms above this
    one.
    """

    name: str
    schemes: tuple[str, str]
    prepared: str
    transport: str

    def prepared_class(self) -> Any:
        """See `prepared`."""
        return imported(self.prepared)

    def transport_class(self) -> Any:
        """See `transport`."""
        return imported(self.transport)


CONNECTION_NAME = "{connection name}"
MESSAGE_NUMBER = "{message number}"
FRAME_NUMBER = "{frame number}"
AUDIO_MS = "{audio ms}"
"""What stands in the messages of a dialect over `CALL_WEBSOCKET` for what only the connection knows as it sends them:
its name, how many messages went before, which frame of audio of this connection it is, the first being 1, and how many
milliseconds of audio went before."""

WEBSOCKET = Carrier(
    name="websocket",
    schemes=("ws", "wss"),
    prepared="stt_load.session.websocket_frames:ClientFrame",
    transport="stt_load.net.websocket:WebSocketTransport",
)
CALL_WEBSOCKET = Carrier(
    name="call-websocket",
    schemes=("ws", "wss"),
    prepared="stt_load.session.websocket_frames:CallFrame",
    transport="stt_load.net.call_websocket:CallWebSocketTransport",
)
TCP = Carrier(
    name="tcp",
    schemes=("tcp", "tcps"),
    prepared="stt_load.session.prepared_message:PlainMessage",
    transport="stt_load.net.byte_stream:ByteStreamTransport",
)
GRPC = Carrier(
    name="grpc",
    schemes=("grpc", "grpcs"),
    prepared="stt_load.session.grpc_frames:GrpcFrame",
    transport="stt_load.net.grpc:GrpcTransport",
)

CARRIERS: dict[str, Carrier] = {carrier.name: carrier for carrier in (WEBSOCKET, CALL_WEBSOCKET, TCP, GRPC)}
"""Every carrier, by its name."""


@functools.cache
def imported(path: str) -> Any:
    """What `module:name` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
